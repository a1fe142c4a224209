// Getters that change their answer, take memory away or call back: an error or a result, never a write outside.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormInference,
  batchNormTraining,
  mergeMoments,
  type Saved,
} from "../../src/index.js";
import { resizable, type Resizable } from "../support/foreign-arrays.js";
import { expectSameBits, normals, tokenOf } from "../support/reference.js";
import { DETACHED, errorOf, SHAPE as WRONG_SHAPE } from "../support/rejected.js";

const SHAPE = [2, 3, 4];
const SIZE = 24;
const x = normals("float32", SIZE, 1);
const dy = normals("float32", SIZE, 2);
const y = batchNormTraining(x, SHAPE).output;
const gradients = batchNormBackward(dy, tokenOf(batchNormTraining(x, SHAPE).saved));

/** Each value in turn, the last for ever. */
function changing<T extends object>(target: T, key: keyof T, answers: readonly unknown[]): T {
  let asked = 0;
  return Object.defineProperty({ ...target }, key, {
    enumerable: true,
    get: () => answers[Math.min(asked++, answers.length - 1)],
  });
}

describe("getters that change their answer are asked once", () => {
  const other = { weight: new Float64Array(1), shape: [4096, 3, 4], dtype: "float64", out: new Float32Array(1) };

  test("tensors, shapes and options", () => {
    const run = (): BatchNorm => new BatchNorm(3);
    expectSameBits(run().forward(changing({ data: x, shape: SHAPE }, "data", [x, other.out])).data, y);
    expectSameBits(run().forward(changing({ data: x, shape: SHAPE }, "shape", [SHAPE, other.shape])).data, y);
    const sizes = changing([...SHAPE], 0, [2, 4096]);
    const shape = new Proxy([...SHAPE], {
      get: (target, key) => (key === "0" ? sizes[0] : Reflect.get(target, key)) as unknown,
    });
    expectSameBits(run().forward(x, shape), y);
    const out = new Float32Array(SIZE);
    expectSameBits(run().forward(x, SHAPE, changing({ out }, "out", [out, other.out])), y);
    expect(
      new BatchNorm(3, changing({ dtype: "float32" as const }, "dtype", ["float32", "float64"])).weight,
    ).toBeInstanceOf(Float32Array);
  });

  test.each([
    "dtype",
    "shape",
    "outer",
    "channels",
    "inner",
    "x",
    "mean",
    "residualOrOutput",
    "activation",
    "count",
  ] as const)("a token's %s", (field) => {
    const saved = tokenOf(batchNormTraining(x, SHAPE).saved);
    const answers: Record<string, unknown> = {
      outer: 4096,
      channels: 1e6,
      inner: 1e9,
      x: other.out,
      mean: new Float64Array(1),
      residualOrOutput: other.out,
      activation: "relu",
      count: -1,
    };
    const token = changing(saved, field, [saved[field], answers[field] ?? other[field as "dtype"]]);
    expect(batchNormBackward(dy, token)).toEqual(gradients);
    const unused = batchNormTraining(x, SHAPE).saved;
    const again = changing(unused, field, [saved[field], answers[field] ?? other[field as "dtype"]]);
    expect(new BatchNorm(3).backward(dy, { saved: again })).toEqual(gradients);
  });
});

/** `target` with a property that acts when it is read. */
function acting<T extends object>(target: T, key: keyof T, act: () => void): T {
  const value = target[key];
  const get = (): unknown => {
    act();
    return value;
  };
  return Object.defineProperty({ ...target }, key, { enumerable: true, get });
}

/** What a getter can do to memory between two looks at it. */
const ATTACKS: Readonly<Record<string, (memory: ArrayBuffer & Resizable) => unknown>> = {
  detach: (memory) => structuredClone(memory, { transfer: [memory] }),
  shrink: (memory) => {
    memory.resize(8);
  },
  empty: (memory) => {
    memory.resize(0);
  },
};

const tensor = { data: dy, shape: SHAPE };
const newToken = (): Saved<"float32"> => tokenOf(batchNormTraining(x, SHAPE, { weight: new Float32Array(3) }).saved);

const VICTIMS: Readonly<Record<string, (victim: Float32Array, act: () => void, layer: BatchNorm) => unknown>> = {
  "x, from an option": (victim, act, layer) => layer.forward(victim, SHAPE, acting({ save: true }, "save", act)),
  "x, from the residual's shape": (victim, act, layer) =>
    layer.forward(victim, SHAPE, { residual: acting(tensor, "shape", act) }),
  "out, from the residual's data": (victim, act, layer) =>
    layer.forward(x, SHAPE, { out: victim, residual: acting(tensor, "data", act) }),
  "gradOutput, from a token": (victim, act) => batchNormBackward(victim, acting(newToken(), "shape", act)),
  "out, from gradOutput's shape": (victim, act, layer) => layer.backward(acting(tensor, "shape", act), { out: victim }),
  "accumulate, from a token": (victim, act) =>
    batchNormBackward(dy, acting(newToken(), "shape", act), {
      accumulate: { gradWeight: victim.subarray(0, 3), gradBias: null },
    }),
  "out, from what is needed": (victim, act, layer) =>
    layer.backward(dy, { out: victim, need: acting({ weight: true }, "weight", act) }),
  "gradOutput, from a gradient of a gradient": (victim, act) =>
    batchNormDoubleBackward(newToken(), victim, { gradGradInput: acting(tensor, "data", act) }),
  "gradGradInput, from a token": (victim, act) =>
    batchNormDoubleBackward(acting(newToken(), "shape", act), dy, { gradGradInput: victim }),
};

describe.each(Object.entries(ATTACKS))("getters that %s memory already seen", (_, attack) => {
  test.each(Object.entries(VICTIMS))("%s", (__, run) => {
    const { array, buffer } = resizable(x);
    const layer = new BatchNorm(3);
    layer.forward(x, SHAPE);
    const state = layer.stateDict();
    const token = layer.saved;
    const act = (): void => void attack(buffer);
    const error = errorOf(() => run(array, act, layer)) as { code?: string } | undefined;
    expect([DETACHED, WRONG_SHAPE]).toContain(error?.code);
    expect(layer.stateDict()).toEqual(state);
    expect(layer.saved).toBe(token);
    expectSameBits(layer.backward(dy).gradInput, gradients.gradInput);
  });
});

describe("arrays that a later getter transfers are refused", () => {
  const table = (value: number): Float64Array<ArrayBuffer> => new Float64Array(3).fill(value);
  const transfer = ({ buffer }: { readonly buffer: ArrayBuffer }): void => {
    structuredClone(buffer, { transfer: [buffer] });
  };
  const leaky = (victim: { readonly buffer: ArrayBuffer }): { type: "leaky-relu"; slope: number } => ({
    type: "leaky-relu",
    get slope() {
      transfer(victim);
      return 0.5;
    },
  });

  test.each(["runningMean", "runningVar"] as const)("%s, from the activation's slope", (name) => {
    const statistics = { runningMean: new Float32Array(3), runningVar: new Float32Array(3) };
    const call = (): unknown => batchNormInference(x, SHAPE, { ...statistics, activation: leaky(statistics[name]) });
    expect(errorOf(call)).toHaveProperty("code", DETACHED);
  });

  test.each(["mean", "m2"] as const)("moments.%s, from the activation's slope and from other moments", (name) => {
    const moments = { count: 8, mean: table(0), m2: table(8) };
    expect(errorOf(() => batchNormTraining(x, SHAPE, { moments, activation: leaky(moments[name]) }))).toHaveProperty(
      "code",
      DETACHED,
    );
    const first = { count: 8, mean: table(0), m2: table(8) };
    const second = acting({ count: 8, mean: table(1), m2: table(8) }, "count", () => transfer(first[name]));
    expect(errorOf(() => mergeMoments(first, second))).toHaveProperty("code", DETACHED);
  });
});

test.each(["runningVar", "bias"] as const)("a reset with a transferred %s changes nothing", (name) => {
  const layer = new BatchNorm(3);
  layer.forward(x, SHAPE);
  layer.weight!.fill(7);
  const kept = [layer.weight!.slice(), layer.runningMean!.slice()];
  const { buffer } = layer[name] as Float32Array<ArrayBuffer>;
  structuredClone(buffer, { transfer: [buffer] });
  const reset = (): void => (name === "bias" ? layer.resetParameters() : layer.resetRunningStats());
  expect(errorOf(reset)).toHaveProperty("code", DETACHED);
  expect([layer.weight, layer.runningMean]).toEqual(kept);
  expect(layer.numBatchesTracked).toBe(1);
});

test("a getter that runs the layer inside its own call", () => {
  const layer = new BatchNorm(3);
  const result = layer.forward(x, SHAPE, {
    residual: {
      shape: SHAPE,
      get data() {
        layer.forward(dy.subarray(12), [1, 3, 4]);
        return new Float32Array(SIZE);
      },
    },
  });
  expectSameBits(result, y);
  expect(layer.numBatchesTracked).toBe(2);
  expectSameBits(layer.backward(dy).gradInput, gradients.gradInput);
});
