// The hand-written loops that the library is compared with, against the library.
import { expect, test } from "vitest";
import { batchNormBackward, batchNormInference, batchNormTraining } from "../../src/index.js";
import { checkResult, relativeDifference, toleranceFor } from "../../bench/peers/check.js";
import { backward } from "../../bench/peers/plain-backward.js";
import { forward, inference, statistics } from "../../bench/peers/plain.js";
import type { Layout } from "../../src/base/axes.js";
import { gaussian, random } from "../../src/verify/data.js";
import { extentOf, shapeIn, type NetworkShape } from "../../bench/shapes.js";

const EPS = 1e-5;
const LAYOUTS: readonly Layout[] = ["channels-first", "channels-last"];
const SHAPES = [
  [8, 16, 8, 8],
  [3, 5, 7],
  [20, 6],
] as const;

function normals(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, gaussian(random(seed)));
}

test.each(SHAPES.flatMap((shape) => LAYOUTS.map((layout) => [shape, layout] as const)))(
  "%j %s: forward, inference and backward are the oracle's but for rounding",
  (sizes, layout) => {
    const network: NetworkShape = { name: "", shape: [...sizes], operations: [] };
    const [shape, extent] = [shapeIn(network, layout), extentOf(network, layout)];
    const length = shape.reduce((a, b) => a * b, 1);
    const [x, dy, out] = [normals(length, 1).map((value) => 3 + value), normals(length, 2), new Float32Array(length)];
    const [weight, bias, runningMean] = [3, 4, 5].map((seed) => normals(extent.channels, seed)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const runningVar = normals(extent.channels, 6).map((value) => 1 + value * value);
    const options = { layout, weight, bias, eps: EPS, backend: "oracle" } as const;

    const training = batchNormTraining(x, shape, options);
    forward(x, out, extent, weight, bias, EPS);
    expect(relativeDifference(out, training.output)).toBeLessThan(1e-6);

    inference(x, out, extent, weight, bias, runningMean, runningVar, EPS);
    const expected = batchNormInference(x, shape, { ...options, runningMean, runningVar }).output;
    expect(relativeDifference(out, expected)).toBeLessThan(1e-6);

    const { mean, variance } = statistics(x, extent);
    const invStd = Float32Array.from(variance, (value) => 1 / Math.sqrt(value + EPS));
    const gradients = backward(x, dy, out, extent, weight, Float32Array.from(mean), invStd);
    const ours = batchNormBackward(dy, training.saved);
    expect(relativeDifference(out, ours.gradInput)).toBeLessThan(2e-6);
    expect(relativeDifference(gradients.gradWeight, ours.gradWeight!)).toBeLessThan(2e-6);
    expect(relativeDifference(gradients.gradBias, ours.gradBias!)).toBeLessThan(1e-6);
  },
);

test("a result that is off is told: by how much, and where", () => {
  const expected = { out: Float32Array.of(1, -4, 2), gradWeight: Float32Array.of(8) };
  const check = (out: readonly number[], gradWeight = 8): ReturnType<typeof checkResult> =>
    checkResult({ out: Float32Array.from(out), gradWeight: Float32Array.of(gradWeight) }, expected, toleranceFor(1));
  expect(check([1, -4, 2])).toEqual({ error: 0 });
  expect(check([1, -4, 2.0001]).error).toBeCloseTo(2.5e-5, 6);
  expect(check([1, -4, 2.004])).toMatchObject({ wrong: "its out differs from ours by 1.0e-3 of the largest value" });
  expect(check([1, -4, 2], -8)).toEqual({
    error: 2,
    wrong: "its gradWeight differs from ours by 2.0e+0 of the largest value",
  });
  expect(check([NaN, -4, 2]).error).toBe(Infinity);
  expect(check([1, -4]).error).toBe(Infinity);
});

test("an unbiased variance is noticed on shape F", () => {
  const count = 512;
  expect(1 - Math.sqrt((count - 1) / count)).toBeGreaterThan(toleranceFor(count));
});
