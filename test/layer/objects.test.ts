// A layer as an object: behind proxies, printed, and where structuredClone would break it.
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions, type DType } from "../../src/index.js";
import { normals } from "../support/reference.js";
import { errorOf } from "../support/rejected.js";

const SHAPE = [4, 3, 2];
const x = normals("float32", 24, 1);
const dy = normals("float32", 24, 2);

/** What Vue's `reactive` does: objects come out of the proxy as proxies, but functions and what is frozen do not. */
function reactive<T extends object>(target: T): T {
  return new Proxy(target, {
    get(object, key, receiver): unknown {
      const value: unknown = Reflect.get(object, key, receiver);
      const isDeep = typeof value === "object" && value !== null && Object.isExtensible(value);
      return isDeep && !ArrayBuffer.isView(value) ? reactive(value) : value;
    },
  });
}

/** A proxy of a copy: its fields are its own, and no write reaches the target. Valtio makes such. */
function copied<T extends object>(target: T): T {
  const copy = Object.create(Object.getPrototypeOf(target) as object) as T;
  return new Proxy(Object.defineProperties(copy, Object.getOwnPropertyDescriptors(target)), {});
}

describe.each<[string, <T extends object>(target: T) => T]>([
  ["a plain proxy", (target) => new Proxy(target, {})],
  ["a proxy as Vue's", reactive],
  ["a proxy of a proxy", (target) => reactive(new Proxy(target, {}))],
  ["a proxy of a copy", copied],
])("%s", (_, wrap) => {
  /** A layer that everything was done to, and what came of it. */
  function used(wrapper: <T extends object>(target: T) => T): unknown {
    const bn = wrapper(new BatchNorm(3, { momentum: null, singleValue: "running", threads: 1 }));
    const results: unknown[] = [bn.forward(x, SHAPE), bn.saved?.shape, bn.backward(dy), bn.saved];
    results.push(bn.forward({ data: x, shape: SHAPE }), bn.forward(x.subarray(0, 3), [1, 3]));
    bn.momentum = 0.25;
    bn.numBatchesTracked = 7;
    bn.forward(x, SHAPE);
    results.push(bn.stateDict({ extras: true }), bn.momentum, bn.numBatchesTracked, bn.backend, bn.threads);
    results.push(bn.eval() === bn, bn.training, bn.forward(x, SHAPE), bn.backward(dy), bn.toString(), inspect(bn));
    bn.frozen = true;
    const clone = bn.clone();
    results.push(clone.frozen, clone.training, clone.stateDict(), bn.train().forward(x, SHAPE), bn.frozen);
    bn.resetRunningStats();
    bn.resetParameters();
    results.push(bn.loadStateDict(clone.stateDict()), bn.stateDict(), bn instanceof BatchNorm);
    return results;
  }

  test("works as the layer itself", () => {
    expect(used(wrap)).toEqual(used((target) => target));
  });

  test("and the layer, if it is used both ways", () => {
    const bn = new BatchNorm(3);
    const proxy = wrap(bn);
    proxy.forward(x, SHAPE);
    expect(bn.numBatchesTracked).toBe(1);
    expect(bn.backward(dy)).toEqual(gradients());
    expect(proxy.saved).toBeNull();
  });
});

function gradients(): unknown {
  const bn = new BatchNorm(3);
  bn.forward(x, SHAPE);
  return bn.backward(dy);
}

describe("printed", () => {
  const backend = new BatchNorm(3).backend;

  test.each<[number, BatchNormOptions, string]>([
    [64, {}, "BatchNorm(64, eps=1e-05, momentum=0.1, oracle)"],
    [1, { eps: 0.001, momentum: null }, "BatchNorm(1, eps=0.001, momentum=null, oracle)"],
    [2, { eps: 0, momentum: 0 }, "BatchNorm(2, eps=0, momentum=0, oracle)"],
    [2, { eps: 2.5e-12, momentum: 1e-4 }, "BatchNorm(2, eps=2.5e-12, momentum=0.0001, oracle)"],
    [2, { dtype: "bfloat16", momentum: 1 }, "BatchNorm(2, eps=1e-05, momentum=1, dtype=bfloat16, oracle)"],
  ])("%i %o", (channels, options, text) => {
    const bn = new BatchNorm<DType>(channels, { ...options, backend: "oracle" });
    expect([String(bn), inspect(bn), `${inspect([bn])}`]).toEqual([text, text, `[ ${text} ]`]);
  });

  test("with its modes and its backend", () => {
    const bn = new BatchNorm(3).eval();
    bn.frozen = true;
    expect(inspect(bn)).toBe(`BatchNorm(3, eps=1e-05, momentum=0.1, eval, frozen, ${backend})`);
  });

  test("where the backend is lacking", () => {
    const lacking = (["native/neon", "native/avx512"] as const).find(
      (name) => errorOf(() => new BatchNorm(3, { backend: name }).backend) !== undefined,
    );
    const bn = new BatchNorm(3, { backend: lacking! });
    expect(inspect(bn)).toBe(`BatchNorm(3, eps=1e-05, momentum=0.1, ${lacking!} unavailable)`);
  });
});

describe("as a value", () => {
  test("structuredClone refuses a layer, and takes its state", () => {
    const bn = new BatchNorm(3);
    bn.forward(x, SHAPE);
    expect(errorOf(() => structuredClone(bn))).toMatchObject({ name: "DataCloneError" });
    expect(errorOf(() => structuredClone({ model: [bn] }))).toMatchObject({ name: "DataCloneError" });
    expect(structuredClone(bn.stateDict())).toEqual(bn.stateDict());
  });

  test("the class has its name, and the clone of an instance of a class that extends it is a plain layer", () => {
    class Mine extends BatchNorm {}
    const mine = new Mine(3);
    mine.forward(x, SHAPE);
    expect([BatchNorm.name, Mine.name]).toEqual(["BatchNorm", "Mine"]);
    const copy = mine.clone();
    expect(copy.stateDict()).toEqual(mine.stateDict());
    expect(Object.getPrototypeOf(copy)).toBe(BatchNorm.prototype);
  });
});
