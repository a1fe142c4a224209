// Which statistics a forward uses and which it moves: momentum, training, eval, frozen, single values, empty batches.
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions, type DType } from "../src/index.js";
import type { Data } from "../src/types.js";
import { channelPositions, expectSameBits, normals, parameters, tokenOf } from "./support/reference.js";
import { statistics } from "./textbook.js";

const SHAPE = [4, 2, 2];

/** Small integers, 8 in each channel: their mean and m2 are exact in every type and order. */
function integers(seed: number): Float32Array {
  return Float32Array.from({ length: 16 }, (_, p) => ((p * p * (seed + 2) + 7 * p + seed) % 23) - 9);
}

/** Mean and unbiased variance of every channel. */
function batchOf(x: Data): { mean: number[]; variance: number[] } {
  const all = channelPositions(SHAPE, 1).map((at) => statistics(x, at));
  return { mean: all.map(({ mean }) => mean), variance: all.map(({ m2 }) => m2 / 7) };
}

function moved(running: Float32Array, batch: readonly number[], weightOfNew: number): Float32Array {
  return running.map((value, c) => (1 - weightOfNew) * value + weightOfNew * batch[c]!);
}

describe("running statistics", () => {
  const conventions: [BatchNormOptions<"float32">, number][] = [
    [{}, 0.1],
    [{ momentum: 0.25 }, 0.25],
    [{ momentum: 0 }, 0],
    [{ momentum: 1 }, 1],
    [{ decay: 0.75 }, 0.25],
    [{ decay: 1 }, 0],
    [{ decay: 0 }, 1],
  ];
  test.each(conventions)("%j: the new batch weighs %d", (options, weightOfNew) => {
    const layer = new BatchNorm(2, options);
    let mean: Float32Array = new Float32Array(2);
    let variance: Float32Array = Float32Array.of(1, 1);
    for (const seed of [1, 2, 3]) {
      const batch = batchOf(integers(seed));
      mean = moved(mean, batch.mean, weightOfNew);
      variance = moved(variance, batch.variance, weightOfNew);
      layer.forward(integers(seed), SHAPE);
      expectSameBits(layer.runningMean, mean);
      expectSameBits(layer.runningVar, variance);
      expect(layer.numBatchesTracked).toBe(seed);
    }
  });

  test("momentum null: the plain mean of all batches' statistics", () => {
    const layer = new BatchNorm(2, { momentum: null, dtype: "float64" });
    const batches = [1, 2, 3, 4].map((seed) => batchOf(integers(seed)));
    for (const seed of [1, 2, 3, 4]) layer.forward(Float64Array.from(integers(seed)), SHAPE);
    for (const c of [0, 1]) {
      const average = (of: "mean" | "variance"): number => batches.reduce((sum, batch) => sum + batch[of][c]!, 0) / 4;
      // Four updates of three float64 operations each.
      expect(Math.abs(layer.runningMean![c]! - average("mean"))).toBeLessThan(1e-14);
      expect(Math.abs(layer.runningVar![c]! / average("variance") - 1)).toBeLessThan(1e-14);
    }
    layer.resetRunningStats();
    layer.forward(Float64Array.from(integers(3)), SHAPE);
    expect([...layer.runningMean!]).toEqual(batches[2]!.mean);
    expect([...layer.runningVar!]).toEqual(batches[2]!.variance);
  });

  test("a NaN stays in its channel and reaches its running statistics", () => {
    const layer = new BatchNorm(2);
    const x = integers(1);
    x[0] = NaN;
    const y = layer.forward(x, SHAPE);
    expect([...layer.runningMean!].map(Number.isNaN)).toEqual([true, false]);
    expect([...layer.runningVar!].map(Number.isNaN)).toEqual([true, false]);
    expect([...y].map(Number.isNaN)).toEqual(Array.from(y, (_, p) => Math.floor(p / 2) % 2 === 0));
  });

  test("reset", () => {
    const layer = new BatchNorm(2);
    layer.forward(integers(1), SHAPE);
    layer.weight!.fill(3);
    layer.resetRunningStats();
    expect(layer.stateDict()).toEqual({ ...new BatchNorm(2).stateDict(), weight: Float32Array.of(3, 3) });
    layer.resetParameters();
    expect(layer.stateDict()).toEqual(new BatchNorm(2).stateDict());
  });

  test("without them eval uses the batch's own", () => {
    const layer = new BatchNorm(2, { trackRunningStats: false });
    const trained = layer.forward(integers(1), SHAPE);
    expect(layer.saved).toMatchObject({ frozen: false });
    const evaluated = layer.eval().forward(integers(1), SHAPE);
    expectSameBits(evaluated, trained);
    expect(layer.saved).toBeNull();
    expect(layer).toMatchObject({ runningMean: null, runningVar: null, numBatchesTracked: 0 });
    expect(Object.keys(layer.stateDict())).toEqual(["weight", "bias"]);
  });
});

describe("modes", () => {
  test("eval normalizes with the running statistics and moves nothing", () => {
    const layer = new BatchNorm(2);
    layer.forward(integers(1), SHAPE);
    const state = layer.stateDict();
    const first = layer.eval().forward(integers(2), SHAPE);
    expectSameBits(layer.forward(integers(2), SHAPE), first);
    expect(layer.stateDict()).toEqual(state);
    const again = layer.train().forward(integers(2), SHAPE);
    expect(again).not.toEqual(first);
    expect(layer.numBatchesTracked).toBe(2);
  });

  test("frozen survives train(): eval's output and gradients, nothing moved, until it is unset", () => {
    const layer = new BatchNorm(2);
    layer.forward(integers(1), SHAPE);
    const state = layer.stateDict();
    const expected = layer.eval().forward(integers(2), SHAPE, { save: true });
    const gradients = layer.backward(integers(3));
    layer.frozen = true;
    layer.train();
    expect(layer).toMatchObject({ frozen: true, training: true });
    expectSameBits(layer.forward(integers(2), SHAPE), expected);
    expect(tokenOf(layer.saved).frozen).toBe(true);
    expect(layer.backward(integers(3))).toEqual(gradients);
    expect(layer.stateDict()).toEqual(state);
    layer.frozen = false;
    layer.forward(integers(2), SHAPE);
    expect(layer.numBatchesTracked).toBe(2);
    expect(tokenOf(layer.saved).frozen).toBe(false);
  });

  /** Gradients of one forward in eval or training, with the layer tampered with before the backward. */
  function gradientsAfter(evaluate: boolean, tamper: (layer: BatchNorm) => void): unknown {
    const layer = new BatchNorm(2, { activation: "relu" });
    layer.weight!.set([1.5, -2]);
    layer.bias!.set([0.5, 1]);
    layer.forward(integers(4), SHAPE);
    if (evaluate) layer.eval();
    layer.forward(integers(1), SHAPE, { save: true });
    tamper(layer);
    return layer.backward(normals("float32", 16, 1));
  }

  test.each([
    ["eval", true],
    ["training", false],
  ])("backward of %s uses what its forward used", (_, evaluate) => {
    const expected = gradientsAfter(evaluate, () => undefined);
    const tampers: ((layer: BatchNorm) => void)[] = [
      (layer) => layer.runningMean!.fill(100),
      (layer) => layer.runningVar!.fill(100),
      (layer) => layer.weight!.fill(-7),
      (layer) => layer.bias!.fill(-7),
      (layer) => (evaluate ? layer.train() : layer.eval()),
      (layer) => (layer.frozen = true),
      (layer) => layer.forward(integers(2), SHAPE, { save: true }) && undefined,
    ];
    for (const tamper of tampers.slice(0, -1)) expect(gradientsAfter(evaluate, tamper)).toEqual(expected);
    expect(gradientsAfter(evaluate, tampers.at(-1)!)).not.toEqual(expected);
  });
});

describe("one value per channel", () => {
  const one = Float32Array.of(5, -3);
  const build = (singleValue: NonNullable<BatchNormOptions["singleValue"]>): BatchNorm => {
    const layer = new BatchNorm(2, { singleValue });
    layer.runningMean!.set([1, 2]);
    layer.runningVar!.set([4, 9]);
    layer.bias!.set([0.5, 0.25]);
    return layer;
  };

  test('"error" is the default, in training alone', () => {
    for (const layer of [build("error"), new BatchNorm(2)]) {
      expect(() => layer.forward(one, [1, 2])).toThrow(
        "Expected more than 1 value per channel when training, got shape [1, 2]",
      );
      expect(layer.eval().forward(one, [1, 2])).toHaveLength(2);
    }
  });

  test('"allow" gives β, gradient 0, and moves both statistics', () => {
    const layer = build("allow");
    expect(layer.forward(one, [1, 2, 1])).toEqual(layer.bias);
    expect([...layer.backward(Float32Array.of(1, 1)).gradInput]).toEqual([0, 0]);
    expect(layer.runningMean).toEqual(moved(Float32Array.of(1, 2), [5, -3], 0.1));
    expect(layer.runningVar).toEqual(moved(Float32Array.of(4, 9), [0, 0], 0.1));
    expect(layer.numBatchesTracked).toBe(1);
  });

  test.each([
    ["running", 1],
    ["skip", 0],
  ] as const)('"%s" normalizes as eval does and tracks %d batch', (singleValue, batches) => {
    const expected = build(singleValue).eval().forward(one, [1, 2]);
    for (const inPlace of [false, true]) {
      const layer = build(singleValue);
      const x = one.slice();
      const y = layer.forward(x, [1, 2], inPlace ? { out: x, save: false } : {});
      expectSameBits(y, expected);
      const mean = Float32Array.of(1, 2);
      expect(layer.runningMean).toEqual(batches === 0 ? mean : moved(mean, [5, -3], 0.1));
      expect(layer.runningVar).toEqual(Float32Array.of(4, 9));
      expect(layer.numBatchesTracked).toBe(batches);
      if (!inPlace) expect(tokenOf(layer.saved).frozen).toBe(true);
    }
  });
});

describe.each<[readonly number[], string]>([
  [[0, 2, 3], "batch"],
  [[4, 2, 0], "space"],
  [[0, 2, 0], "batch and space"],
])("%j: empty %s", (shape) => {
  test.each<[string, Partial<BatchNormOptions<DType>>, boolean]>([
    ["training", {}, true],
    ["eval", {}, false],
    ["no running statistics", { trackRunningStats: false }, false],
    ["float64", { dtype: "float64" }, true],
    ["ReLU", { activation: "relu" }, true],
  ])("%s", (_, options, training) => {
    const layer = new BatchNorm<DType>(2, { ...options });
    layer.weight!.set(parameters("float32", 2, 1));
    if (!training) layer.eval();
    const state = layer.stateDict();
    const x = layer.weight!.slice(2);
    expect(layer.forward(x, shape, { save: true, residual: x })).toHaveLength(0);
    const zeros = layer.weight!.slice().fill(0);
    expect(layer.backward(x)).toEqual({ gradInput: x, gradResidual: x, gradWeight: zeros, gradBias: zeros });
    expect(layer.stateDict()).toEqual(state);
  });
});
