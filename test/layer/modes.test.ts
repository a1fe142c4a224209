// Which statistics a forward uses: training, eval, frozen, single values, empty batches, and what its backward keeps to.
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions, type FloatType as DType } from "../../src/index.js";
import { integers, moved, SHAPE } from "../support/integers.js";
import { expectSameBits, normals, parameters, tokenOf } from "../support/reference.js";

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
    expect(tokenOf(layer.saved).fixedStatistics).toBe(true);
    expect(layer.backward(integers(3))).toEqual(gradients);
    expect(layer.stateDict()).toEqual(state);
    layer.frozen = false;
    layer.forward(integers(2), SHAPE);
    expect(layer.numBatchesTracked).toBe(2);
    expect(tokenOf(layer.saved).fixedStatistics).toBe(false);
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
    expect(gradientsAfter(evaluate, tampers.at(-1))).not.toEqual(expected);
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
        'Expected more than 1 value per channel when training, got shape [1, 2]; the option "singleValue" allows one',
      );
      expect(layer.eval().forward(one, [1, 2])).toHaveLength(2);
    }
  });

  test("without running statistics in inference too, and the message says so", () => {
    expect(() => new BatchNorm(2, { trackRunningStats: false }).eval().forward(one, [1, 2])).toThrow(
      "Expected more than 1 value per channel without running statistics (trackRunningStats: false), in eval() too, " +
        'got shape [1, 2]; the option "singleValue" allows one',
    );
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
      if (!inPlace) expect(tokenOf(layer.saved).fixedStatistics).toBe(true);
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
