// Which statistics a forward uses and moves, call by call; updates that wait; batches that are not finite; momentum by a
// function.
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions, type LayerForwardOptions, type Saved } from "../../src/index.js";
import { OPTION, SAVED, TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";

const SHAPE = [4, 2];
const x = Float32Array.of(1, 10, 2, 20, 3, 50, 6, 40);
const other = Float32Array.of(-1, 1, 5, 2, 0, 3, 8, 4);

const layer = (options: BatchNormOptions<"float32"> = {}): BatchNorm => new BatchNorm(2, options);
const state = (bn: BatchNorm): unknown => bn.stateDict();

function forward(bn: BatchNorm, options?: LayerForwardOptions<"float32">, data = x): Float32Array {
  return bn.forward(data, SHAPE, options);
}

describe("statistics", () => {
  test('"batch" in inference, "running" in training, and what a frozen layer does', () => {
    const bn = layer();
    forward(bn);
    const batch = forward(layer(), { statistics: "batch" });
    const running = forward(bn.clone().eval());
    const before = state(bn);
    expect(forward(bn.clone().eval(), { statistics: "batch" })).toEqual(batch);
    expect(forward(bn, { statistics: "running" })).toEqual(running);
    expect(state(bn)).toEqual(before);
    const frozen = bn.clone();
    frozen.frozen = true;
    expect(forward(frozen, { statistics: "batch" })).toEqual(batch);
    expect(state(frozen)).toEqual(before);
  });

  test("the backward of running statistics treats them as constants", () => {
    const bn = layer();
    forward(bn, { statistics: "running" });
    const r = 1 / Math.sqrt(1 + 1e-5);
    const { gradInput } = bn.backward(new Float32Array(8).fill(1));
    expect([...gradInput]).toEqual(Array.from({ length: 8 }, () => Math.fround(r)));
  });

  test("without running statistics there are none to use", () => {
    const bn = layer({ trackRunningStats: false });
    const error = range(OPTION, '"statistics" "running" needs "trackRunningStats"');
    expectRejected(() => forward(bn, { statistics: "running" }), [bn], error);
  });
});

describe("updateRunningStats", () => {
  test("false: the same output, and nothing moves", () => {
    const bn = layer();
    const before = state(bn);
    const y = forward(bn, { updateRunningStats: false });
    expect(state(bn)).toEqual(before);
    expect(y).toEqual(forward(layer()));
    expect(bn.saved).not.toBe(null);
  });

  test("true in inference, with the statistics of the batch", () => {
    const bn = layer().eval();
    forward(bn, { statistics: "batch", updateRunningStats: true });
    const trained = layer();
    forward(trained);
    expect(state(bn)).toEqual(state(trained));
  });

  test("what excludes it is named", () => {
    const untracked = layer({ trackRunningStats: false });
    const frozen = layer();
    frozen.frozen = true;
    const excluded = (bn: BatchNorm, update: true | "later", why: string): void => {
      const error = range(OPTION, `"updateRunningStats" ${update} and ${why} exclude each other`);
      expectRejected(() => forward(bn, { updateRunningStats: update }), [bn], error);
    };
    excluded(untracked, true, '"trackRunningStats" false');
    excluded(frozen, "later", "a frozen layer");
    excluded(layer().eval(), true, "a forward that normalizes with the running statistics");
    expect(() => forward(untracked, { updateRunningStats: false })).not.toThrow();
    const kind = type(TYPE, '"updateRunningStats" expected a boolean or "later", got "never"');
    expectRejected(() => forward(layer(), { updateRunningStats: "never" as "later" }), [], kind);
    expectRejected(
      () => forward(layer(), { statistics: "own" as "batch" }),
      [],
      range(VALUE, '"statistics" expected one of "batch", "running", got "own"'),
    );
  });
});

describe('updateRunningStats "later"', () => {
  function later(bn: BatchNorm, data = x): Saved<"float32"> {
    forward(bn, { updateRunningStats: "later" }, data);
    return bn.saved!;
  }

  test("commits of all are ordinary forwards, in the order of the commits", () => {
    const bn = layer({ momentum: null });
    const before = state(bn);
    const [a, b] = [later(bn), later(bn, other)];
    bn.backward(x);
    expect(state(bn)).toEqual(before);
    bn.commit(b);
    bn.commit({ ...a });
    const ordinary = layer({ momentum: null });
    forward(ordinary, {}, other);
    forward(ordinary);
    expect(state(bn)).toEqual(state(ordinary));
  });

  test("a dropped token moves nothing, and a token is committed once", () => {
    const bn = layer();
    const token = later(bn);
    later(bn, other);
    bn.commit(token);
    const ordinary = layer();
    forward(ordinary);
    expect(state(bn)).toEqual(state(ordinary));
    const error = range(
      SAVED,
      '"saved" has no update that waits: it was committed, is of another layer, or of a forward without "updateRunningStats" "later"',
    );
    for (const wrong of [token, null, undefined, {}, 1]) {
      expectRejected(() => bn.commit(wrong as Saved<"float32">), [bn], error);
    }
    const elsewhere = layer();
    expectRejected(() => elsewhere.commit(later(bn)), [elsewhere], error);
  });

  test("it needs a token", () => {
    const bn = layer();
    const error = range(OPTION, '"updateRunningStats" "later" needs a saved forward: pass "save" true');
    expectRejected(() => forward(bn, { updateRunningStats: "later", save: false }), [bn], error);
  });

  test("a batch without values, and one of a single value", () => {
    const bn = layer({ singleValue: "running" });
    bn.forward(new Float32Array(0), [0, 2], { updateRunningStats: "later" });
    bn.commit(bn.saved!);
    expect(state(bn)).toEqual(state(layer()));
    bn.forward(Float32Array.of(5, 7), [1, 2], { updateRunningStats: "later" });
    bn.commit(bn.saved!);
    const ordinary = layer({ singleValue: "running" });
    ordinary.forward(Float32Array.of(5, 7), [1, 2]);
    expect(state(bn)).toEqual(state(ordinary));
    expect(bn.numBatchesTracked).toBe(1);
  });
});

describe("onNonFinite", () => {
  const bad = Float32Array.from(x);
  bad[3] = NaN;

  test('"propagate" is the default: the running statistics take it over', () => {
    const bn = layer();
    forward(bn, {}, bad);
    expect(bn.runningMean![1]).toBeNaN();
    expect(bn.runningMean![0]).not.toBeNaN();
  });

  test('"skip": the same output, and no statistic of any channel moves', () => {
    const bn = layer({ onNonFinite: "skip" });
    const before = state(bn);
    expect(forward(bn, {}, bad)).toEqual(forward(layer(), {}, bad));
    expect(state(bn)).toEqual(before);
    forward(bn, { updateRunningStats: "later" }, bad);
    bn.commit(bn.saved!);
    expect(state(bn)).toEqual(before);
    forward(bn);
    const ordinary = layer();
    forward(ordinary);
    expect(state(bn)).toEqual(state(ordinary));
  });

  test('"throw": before anything is written', () => {
    const bn = layer({ onNonFinite: "throw" });
    const out = new Float32Array(8);
    const error = range(
      "ERR_BATCHNORM_NOT_FINITE",
      'the mean or the variance of the batch is not finite in channel 1 ("onNonFinite" "throw")',
    );
    expectRejected(() => forward(bn, { out }, bad), [bn, out], error);
    bad[3] = Infinity;
    expectRejected(() => forward(bn, { out, updateRunningStats: false }, bad), [bn, out], error);
    expect(() => forward(bn.clone().eval(), {}, bad)).not.toThrow();
  });

  test('"throw" has the bits of the default for finite batches, with weights too', () => {
    for (const options of [{}, { sampleWeights: [1, 0.5, 0, 2] }, { mask: Uint8Array.of(1, 1, 0, 1) }]) {
      const [bn, ordinary] = [layer({ onNonFinite: "throw" }), layer()];
      expect(forward(bn, options)).toEqual(forward(ordinary, options));
      expect(bn.backward(other)).toEqual(ordinary.backward(other));
      expect(state(bn)).toEqual(state(ordinary));
    }
  });
});

describe("momentum by a function", () => {
  test("1/batch is the mean over all batches", () => {
    const [bn, mean] = [layer({ momentum: (batch) => 1 / batch }), layer({ momentum: null })];
    for (const data of [x, other, x]) for (const each of [bn, mean]) forward(each, {}, data);
    expect(state(bn)).toEqual(state(mean));
    expect(String(layer({ momentum: () => 0.1, backend: "oracle" }))).toContain("momentum=function");
  });

  test("it is asked once for each batch that updates, with the number of that batch", () => {
    const asked: number[] = [];
    const bn = layer({ momentum: (batch) => (asked.push(batch), 0.5) });
    forward(bn);
    forward(bn, { updateRunningStats: false });
    forward(bn, { statistics: "running", updateRunningStats: false });
    forward(bn.eval());
    forward(bn.train(), { updateRunningStats: "later" });
    bn.commit(bn.saved!);
    expect(asked).toEqual([1, 2]);
    expect(bn.clone().momentum).toBe(bn.momentum);
  });

  test("what it returns is checked before anything is written", () => {
    const bn = layer();
    for (const [value, error] of [
      [2, range(VALUE, '"momentum(1)" expected a number in [0, 1], got 2')],
      [NaN, range(VALUE, '"momentum(1)" expected a number in [0, 1], got NaN')],
      ["0.1", type(TYPE, '"momentum(1)" expected a number, got "0.1"')],
    ] as const) {
      bn.momentum = () => value as number;
      expectRejected(() => forward(bn), [bn], error);
    }
    expectRejected(
      () => (bn.momentum = "often" as unknown as null),
      [],
      type(TYPE, '"momentum" expected a number, a function or null, got "often"'),
    );
  });

  test("one that transfers an array away ends in an error", () => {
    const data = Float32Array.from(x);
    const bn = layer({ momentum: () => (structuredClone(data.buffer, { transfer: [data.buffer] }), 0.1) });
    expect(() => forward(bn, {}, data)).toThrow(/"x" has a detached buffer/);
  });
});
