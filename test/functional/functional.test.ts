// The stateless functions: the layer's bits, their parts composed, and synchronized batch norm from parts.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  batchNormTraining,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  mergeMoments,
  batchNormMoments,
  type ChannelMoments,
  type AffineOptions,
  type FloatType as DType,
  type GradSums,
  type Layout,
  type Saved,
} from "../../src/index.js";
import * as math from "../../src/math.js";
import type { ArrayOf, Floats as Data } from "../../src/base/types.js";
import {
  channelPositions,
  expectClose,
  expectSameBits,
  normals,
  parameters,
  sizeOf,
  solve,
  tokenOf,
} from "../support/reference.js";
import { statistics } from "../support/textbook.js";

type Where =
  { readonly layout: Layout; readonly axis?: undefined } | { readonly layout?: undefined; readonly axis?: number };

const SHAPES: readonly (readonly [readonly number[], Where])[] = [
  [[6, 5, 19], {}],
  [[40, 17], {}],
  [[70, 3], { layout: "channels-last" }],
  [[4, 3, 6, 5], { axis: -2 }],
];
const OPTIONS: readonly Pick<AffineOptions<DType>, "activation" | "eps">[] = [
  {},
  { activation: "relu" },
  { eps: 1e-3 },
];
const DTYPES: readonly DType[] = ["float32", "float64"];
const cases = DTYPES.flatMap((dtype) =>
  SHAPES.flatMap(([shape, where]) => OPTIONS.map((options) => ({ dtype, shape, where, options }))),
);

function axisOf({ layout, axis }: Where): number {
  return axis ?? (layout === "channels-last" ? -1 : 1);
}

describe.each(cases)("$dtype $shape $where $options", ({ dtype, shape, where, options }) => {
  const channels = shape.at(axisOf(where))!;
  const x = normals(dtype, sizeOf(shape), 1);
  const dy = normals(dtype, sizeOf(shape), 2);
  const weight = parameters(dtype, channels, 0.5);
  const bias = parameters(dtype, channels, -1);
  const all = { ...where, ...options, weight, bias };
  const layer = new BatchNorm<DType>(channels, { dtype, ...where, ...options });
  layer.weight!.set(weight);
  layer.bias!.set(bias);

  test("training and backward are the layer's, bit for bit", () => {
    const { output, saved, moments: own } = batchNormTraining(x, shape, all);
    expectSameBits(output, layer.forward(x, shape));
    expect(saved).toEqual(layer.saved);
    expect(batchNormBackward(dy, tokenOf(saved))).toEqual(layer.backward(dy));
    expect(own).toEqual(batchNormMoments(x, shape, where));
    channelPositions(shape, axisOf(where)).forEach((at, c) => {
      const truth = statistics(x, at);
      expect(own.count).toBe(at.length);
      // The contract's 8.6e-7 for one block of float32.
      expect(Math.abs(own.m2[c]! / truth.m2 - 1)).toBeLessThan(dtype === "float32" ? 8.6e-7 : 1e-14);
      expect(Math.abs(own.mean[c]! - truth.mean)).toBeLessThan(
        (dtype === "float32" ? 1e-6 : 1e-14) * Math.sqrt(truth.m2 / at.length),
      );
    });
    expect(batchNormTraining(x, shape, { ...all, save: false }).saved).toBeNull();
  });

  test("inference is the layer's in eval", () => {
    const running = {
      runningMean: parameters(dtype, channels, 1),
      runningVar: parameters(dtype, channels, 2).map(Math.abs) as ArrayOf<DType>,
    };
    layer.runningMean!.set(running.runningMean);
    layer.runningVar!.set(running.runningVar);
    const expected = layer.eval().forward(x, shape, { save: true });
    const { output, saved } = batchNormInference(x, shape, { ...all, ...running });
    expectSameBits(output, expected);
    expect(saved).toBeNull();
    const kept = batchNormInference(x, shape, { ...all, ...running, save: true });
    expect(batchNormBackward(dy, tokenOf(kept.saved))).toEqual(layer.backward(dy));
    layer.train();
  });

  test("gradSums, coefficients and gradInput compose to backward, bit for bit", () => {
    const token = (): Saved<DType> => tokenOf(batchNormTraining(x, shape, all).saved);
    const whole = batchNormBackward(dy, token());
    const saved = token();
    const sums = batchNormGradSums(dy, saved);
    expect([sums.gradWeight, sums.gradBias]).toEqual([whole.gradWeight, whole.gradBias]);
    expectSameBits(batchNormGradInput(dy, saved, batchNormGradCoefficients(saved, sums)).gradInput, whole.gradInput);
  });
});

function concat<A extends Data>(parts: readonly A[]): A {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new (parts[0]!.constructor as new (size: number) => A)(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

describe.each(DTYPES)("synchronized over parts, %s", (dtype) => {
  const sizes = [3, 0, 5, 1];
  const shapeOf = (samples: number): number[] => [samples, 4, 6];
  const cut = (whole: ArrayOf<DType>): ArrayOf<DType>[] => {
    let at = 0;
    return sizes.map((samples) => whole.slice(at, (at += samples * 24)) as ArrayOf<DType>);
  };
  const x = normals(dtype, 9 * 24, 1);
  const dy = normals(dtype, 9 * 24, 2);
  const affine = { weight: parameters(dtype, 4, 0.5), bias: parameters(dtype, 4, -1) };

  test.each(["none", "relu"] as const)(
    "moments, sums and gradients of the whole batch, activation %s",
    (activation) => {
      const parts = cut(x).map((data, i) => ({ x: data, dy: cut(dy)[i]!, shape: shapeOf(sizes[i]!) }));
      const merged = parts.map((part) => batchNormMoments(part.x, part.shape)).reduce(mergeMoments);
      expect(merged.count).toBe(54);
      const forwards = parts.map((part) =>
        batchNormTraining(part.x, part.shape, { ...affine, activation, moments: merged }),
      );
      const sums = forwards.map(({ saved }, i) => batchNormGradSums(parts[i]!.dy, tokenOf(saved)));
      const add = (of: "sumG" | "sumGX"): Float64Array =>
        sums.reduce((total, part) => total.map((value, c) => value + part[of][c]!), new Float64Array(4));
      const total: GradSums = { sumG: add("sumG"), sumGX: add("sumGX") };
      const gradients = forwards.map(
        ({ saved }, i) =>
          batchNormGradInput(parts[i]!.dy, tokenOf(saved), batchNormGradCoefficients(tokenOf(saved), total)).gradInput,
      );
      const local = (of: "gradWeight" | "gradBias"): Data =>
        sums.reduce((all, part) => all.map((value, c) => value + part[of]![c]!) as Data, new Float64Array(4) as Data);

      const problem = { dtype, shape: shapeOf(9), axis: 1, x, dy, ...affine, relu: activation === "relu" };
      const { y, dx, dweight, dbias, scale } = solve(problem);
      expectClose("output", dtype, concat(forwards.map(({ output }) => output)), y, scale.y);
      expectClose("gradInput", dtype, concat(gradients), dx, scale.dx);
      expectClose("gradWeight", dtype, local("gradWeight"), dweight, scale.dweight);
      expectClose("gradBias", dtype, local("gradBias"), dbias, scale.dbias);
      for (const { moments: used } of forwards) expect(used).toEqual(merged);
    },
  );
});

describe("math", () => {
  const a: ChannelMoments = { count: 3, mean: Float64Array.of(2, 0), m2: Float64Array.of(2, 6) };
  const b: ChannelMoments = { count: 1, mean: Float64Array.of(6, 4), m2: Float64Array.of(0, 0) };
  const none: ChannelMoments = { count: 0, mean: new Float64Array(2), m2: new Float64Array(2) };

  test("merging is exact where its values are", () => {
    // 1, 2, 3 and 6: mean 3, m2 14. m2 grows by δ²·na·nb/n = 16·3/4.
    const merged = { count: 4, sumSquaredWeights: 4, mean: Float64Array.of(3, 1), m2: Float64Array.of(14, 18) };
    expect(math.mergeMoments(a, b)).toEqual(merged);
    expect(mergeMoments).toBe(math.mergeMoments);
  });

  test("count 0 is the identity, on either side", () => {
    expect(math.mergeMoments(a, none)).toEqual({ ...a, sumSquaredWeights: 3 });
    expect(math.mergeMoments(none, a)).toEqual({ ...a, sumSquaredWeights: 3 });
    expect(math.mergeMoments(none, none)).toEqual({ ...none, sumSquaredWeights: 0 });
  });

  test("variance: biased, unbiased, of one value", () => {
    expect(math.variance(a, 0)).toEqual(Float64Array.of(2 / 3, 2));
    expect(math.variance(a)).toEqual(Float64Array.of(1, 3));
    expect(math.variance(b)).toEqual(Float64Array.of(0, 0));
  });

  test("running statistics round once", () => {
    const running = Float32Array.of(0.1, -3);
    const before = [...running];
    math.updateRunning(running, Float64Array.of(1 / 3, 1e-9), 0.3);
    expect(running).toEqual(Float32Array.from([0.7 * before[0]! + 0.3 * (1 / 3), 0.7 * before[1]! + 0.3 * 1e-9]));
  });
});
