// Several channel axes and per-activation statistics: as one axis of their product, and as the textbook has it.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormTraining,
  batchNormMoments,
  type BatchNormOptions,
  type AxisOptions,
} from "../../src/index.js";
import {
  expectClose,
  expectSameBits,
  normals,
  parameters,
  sizeOf,
  tokenOf,
  usableBackends,
} from "../support/reference.js";
import { expectRejected, range, SHAPE, SINGLE_VALUE, type Rejection } from "../support/rejected.js";
import { gradientsOf, statistics } from "../support/textbook.js";

/** The shape, where its channels are, those axes resolved, and the same tensor with the channels on axis 1. */
const CASES: readonly (readonly [
  readonly number[],
  AxisOptions,
  readonly number[],
  readonly [number, number, number],
])[] = [
  [[6, 3, 4, 5], { axis: [1, 2, 3] }, [1, 2, 3], [6, 60, 1]],
  [[6, 3, 4, 5], { layout: "per-activation" }, [1, 2, 3], [6, 60, 1]],
  [[6, 3, 4, 5], { axis: [1, -2, -1] }, [1, 2, 3], [6, 60, 1]],
  [[6, 3, 4, 5], { axis: [1, 2] }, [1, 2], [6, 12, 5]],
  [[6, 3, 4, 5], { axis: [-2, -1] }, [2, 3], [18, 20, 1]],
  [[6, 3, 4, 17], { axis: [0, 1] }, [0, 1], [1, 18, 68]],
  [[6, 3, 1, 4], { axis: [1, 3] }, [1, 3], [6, 12, 1]],
  [[6, 3, 4, 5], { axis: [2] }, [2], [18, 4, 5]],
  [[3, 2, 1, 2, 5], { axis: [1, 2, 3] }, [1, 2, 3], [3, 4, 5]],
  [[40, 7], { layout: "per-activation" }, [1], [40, 7, 1]],
  [[9, 2, 2, 2, 3], { layout: "per-activation" }, [1, 2, 3, 4], [9, 24, 1]],
];

/** Positions of each channel's values, by the coordinates of every element. */
function positionsOf(shape: readonly number[], axes: readonly number[]): number[][] {
  const channels: number[][] = Array.from({ length: sizeOf(axes.map((axis) => shape[axis]!)) }, () => []);
  for (let p = 0; p < sizeOf(shape); p++) {
    const coordinates = shape.map((size, axis) => Math.floor(p / sizeOf(shape.slice(axis + 1))) % size);
    channels[axes.reduce((c, axis) => c * shape[axis]! + coordinates[axis]!, 0)]!.push(p);
  }
  return channels;
}

function layerOf(channels: number, options: BatchNormOptions<"float64">): BatchNorm<"float64"> {
  const layer = new BatchNorm<"float64">(channels, { dtype: "float64", ...options });
  layer.weight!.set(parameters("float64", channels, 0.5));
  layer.bias!.set(parameters("float64", channels, -1));
  return layer;
}

describe.each(CASES)("%j %j", (shape, where, axes, flat) => {
  const channels = flat[1];
  const x = normals("float64", sizeOf(shape), 1);
  const dy = normals("float64", sizeOf(shape), 2);

  test.each(usableBackends)("%s: the bits of one axis of their product", (backend) => {
    const several = layerOf(channels, { ...where, backend });
    const one = layerOf(channels, { axis: 1, backend });
    expectSameBits(several.forward(x, shape), one.forward(x, flat));
    expect(several.backward(dy)).toEqual(one.backward(dy));
    expect(several.stateDict()).toEqual(one.stateDict());
    expectSameBits(several.clone().eval().forward(x, shape), one.eval().forward(x, flat));
    expect(batchNormMoments(x, shape, where)).toEqual(batchNormMoments(x, flat));
  });

  test("statistics, parameters and gradients in row-major order of the axes", () => {
    const affine = { weight: parameters("float64", channels, 0.5), bias: parameters("float64", channels, -1) };
    const { output, saved, moments: used } = batchNormTraining(x, shape, { ...where, ...affine });
    const { gradInput, gradWeight, gradBias } = batchNormBackward(dy, tokenOf(saved));
    positionsOf(shape, axes).forEach((at, c) => {
      const { mean, m2 } = statistics(x, at);
      const r = 1 / Math.sqrt(m2 / at.length + 1e-5);
      const { dweight, dbias, dx } = gradientsOf(x, dy, at, mean, r, affine.weight[c]!, false);
      const expected = [...at.map((p) => (x[p]! - mean) * r * affine.weight[c]! + affine.bias[c]!), ...dx];
      const got = [...at.map((p) => output[p]!), ...at.map((p) => gradInput[p]!)];
      const all = [...expected, mean, m2 / at.length, dweight, dbias];
      const ours = [...got, used.mean[c]!, used.m2[c]! / used.count, gradWeight![c]!, gradBias![c]!];
      const scale = Float64Array.from(all, (value) => 100 + Math.abs(value));
      expectClose(`channel ${c}`, "float64", Float64Array.from(ours), Float64Array.from(all), scale);
    });
  });
});

test("a batch of another size, and an empty one", () => {
  const layer = new BatchNorm(60, { layout: "per-activation" });
  layer.forward(normals("float32", 120, 1), [2, 3, 4, 5]);
  expect(layer.forward(normals("float32", 180, 1), [3, 60]).length).toBe(180);
  expect(layer.forward(new Float32Array(0), [0, 3, 4, 5]).length).toBe(0);
  expect(layer.numBatchesTracked).toBe(2);
});

const x = normals("float32", 120, 1);
test("a shape may be a typed array, and a result's shape is an ordinary one", () => {
  const x = normals("float32", 24, 1);
  const expected = new BatchNorm(3).forward({ data: x, shape: [4, 3, 2] });
  expect(new BatchNorm(3).forward({ data: x, shape: Int32Array.of(4, 3, 2) })).toEqual(expected);
  expect(new BatchNorm(3).forward(x, Uint8Array.of(4, 3, 2))).toEqual(expected.data);
  expect(batchNormTraining(x, Float64Array.of(4, 3, 2)).output).toEqual(expected.data);
});

const BAD: readonly (readonly [AxisOptions, readonly number[], Rejection])[] = [
  [{ axis: [1, 3] }, [2, 3, 4, 5], range(SHAPE, '"shape" expected 60 channels at axes 1, 3, got 15 in [2, 3, 4, 5]')],
  [
    { axis: [-1, 1] },
    [2, 3, 4, 5],
    range(SHAPE, '"axis" expected axes in ascending order, got 3, 1 of rank 4: [2, 3, 4, 5]'),
  ],
  [
    { axis: [2, 1] },
    [2, 3, 4, 5],
    range(SHAPE, '"axis" expected axes in ascending order, got 2, 1 of rank 4: [2, 3, 4, 5]'),
  ],
  [{ axis: [1, 1] }, [2, 60], range(SHAPE, '"axis" expected axes in ascending order, got 1, 1 of rank 2: [2, 60]')],
  [{ axis: [1, 2] }, [2, 60], range(SHAPE, '"shape" expected channels at axes 1, 2, got rank 2: [2, 60]')],
  [{ axis: [4] }, [2, 60], range(SHAPE, '"shape" expected channels at axis 4, got rank 2: [2, 60]')],
  [
    { layout: "per-activation" },
    [120],
    range(SHAPE, '"shape" expected channels at every axis but the first, got rank 1: [120]'),
  ],
  [
    { layout: "per-activation" },
    [3, 4, 10],
    range(SHAPE, '"shape" expected 60 channels at every axis but the first, got 40 in [3, 4, 10]'),
  ],
  [{ axis: [1, 2] }, [2, 0, 60], range(SHAPE, '"shape" expected at least 1 channel at axes 1, 2, got [2, 0, 60]')],
  [
    { axis: [1, 2] },
    [0, 2 ** 30, 2 ** 30],
    range(SHAPE, `"shape" expected 60 channels at axes 1, 2, got ${2 ** 60} in [0, ${2 ** 30}, ${2 ** 30}]`),
  ],
  [
    { layout: "per-activation" },
    [1, 60],
    range(
      SINGLE_VALUE,
      'Expected more than 1 value per channel when training, got shape [1, 60]; the option "singleValue" allows one',
    ),
  ],
];

for (const [where, shape, expected] of BAD) {
  test(expected.message, () => {
    const layer = new BatchNorm(60, where);
    expectRejected(() => layer.forward(x.subarray(0, sizeOf(shape)), shape), [layer, x], expected);
  });
}

test("channels beyond 2^53 of an empty tensor", () => {
  const expected = range(SHAPE, `"shape" expected at most 2^53 - 1 elements, got [0, ${2 ** 30}, ${2 ** 30}]`);
  expectRejected(() => batchNormMoments(x.subarray(0, 0), [0, 2 ** 30, 2 ** 30], { axis: [1, 2] }), [x], expected);
});
