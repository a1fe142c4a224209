// How a batch moves the running statistics: momentum, decay, the cumulative mean, NaN, reset.
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions } from "../../src/index.js";
import { batchOf, integers, moved, SHAPE } from "../support/integers.js";
import { expectSameBits } from "../support/reference.js";

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

  test.each([
    ["some batches with a variance", 0],
    ["none with one", Number.MAX_SAFE_INTEGER],
  ])("a full counter stays, and its state loads: %s", (_, num_batches_skipped) => {
    const layer = new BatchNorm(2, { momentum: null, singleValue: "running" });
    layer.loadStateDict({
      ...layer.stateDict(),
      num_batches_tracked: Number.MAX_SAFE_INTEGER,
      num_batches_skipped,
    });
    layer.forward(integers(1), SHAPE);
    layer.forward(Float32Array.of(1, 2), [1, 2, 1]);
    expect(layer.numBatchesTracked).toBe(Number.MAX_SAFE_INTEGER);
    expect([...layer.runningMean!, ...layer.runningVar!].every(Number.isFinite)).toBe(true);
    const state = layer.stateDict({ extras: true });
    const other = new BatchNorm(2);
    other.loadStateDict(state);
    expect(other.stateDict({ extras: true })).toEqual(state);
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
    expect(layer.saved).toMatchObject({ fixedStatistics: false });
    layer.backward(integers(2));
    const evaluated = layer.eval().forward(integers(1), SHAPE);
    expectSameBits(evaluated, trained);
    expect(layer.saved).toBeNull();
    expect(layer).toMatchObject({ runningMean: null, runningVar: null, numBatchesTracked: 0 });
    expect(Object.keys(layer.stateDict())).toEqual(["weight", "bias"]);
  });
});
