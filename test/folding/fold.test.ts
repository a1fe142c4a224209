// A folded layer beside the pair that it replaces, both evaluated in float64: the error is within what the comments state.
import { describe, expect, test } from "vitest";
import { BatchNorm, type Data, type DType, type FloatType, type Tensor } from "../../src/index.js";
import {
  foldIntoConv,
  foldIntoConvTranspose,
  foldIntoLinear,
  foldIntoNextConv,
  foldIntoNextLinear,
  scaleShift,
} from "../../src/fold.js";
import { narrow, widen } from "../../src/base/storage.js";
import { allocate, isStoredIn16Bits } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import { convolve, permuted, product, type Convolution, type Signal } from "../support/convolution.js";

const DTYPES: readonly DType[] = ["float64", "float32", "float16", "bfloat16"];
const UNIT: Readonly<Record<DType, number>> = {
  float64: 2 ** -53,
  float32: 2 ** -24,
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
};

/** Values of a type, and what they are in float64. */
function drawn(dtype: DType, length: number, seed: number): Data {
  const next = gaussian(random(seed));
  const values = Array.from({ length }, () => next());
  if (isStoredIn16Bits(dtype)) return narrow(dtype, Float32Array.from(values));
  const data = allocate(dtype, length);
  data.set(values);
  return data;
}

function wide(dtype: DType, data: Data): Float64Array {
  return Float64Array.from(isStoredIn16Bits(dtype) ? widen(dtype, data as Uint16Array) : data);
}

/** A layer with parameters and statistics of its own; means are several standard deviations. */
function layerOf<D extends FloatType>(channels: number, dtype: D, seed: number): BatchNorm<D> {
  const layer = new BatchNorm(channels, { dtype, eps: 1e-3 });
  const draw = (more: number): Float64Array => drawn("float64", channels, seed + more) as Float64Array;
  layer.weight!.set(draw(1));
  layer.bias!.set(draw(2));
  layer.runningMean!.set(draw(3).map((value) => 5 * value));
  layer.runningVar!.set(draw(4).map((value) => value * value));
  return layer;
}

/** The terms of a bound, of positive numbers. */
const magnitudes = (values: ArrayLike<number>): Float64Array => Float64Array.from(values, Math.abs);

function normalized({ data, shape }: Signal, layer: BatchNorm<"float64">): Signal {
  const inner = product(shape.slice(1));
  const y = data.map((value, i) => {
    const c = Math.floor(i / inner);
    const deviation = Math.sqrt(layer.runningVar![c]! + layer.eps);
    return ((value - layer.runningMean![c]!) / deviation) * layer.weight![c]! + layer.bias![c]!;
  });
  return { data: y, shape };
}

const CASES = [
  { name: "rank 1", spatial: [7], kernel: [3], ins: 4, outs: 6, groups: 1 },
  { name: "rank 1, grouped", spatial: [6], kernel: [2], ins: 4, outs: 6, groups: 2 },
  { name: "rank 2", spatial: [5, 4], kernel: [3, 2], ins: 3, outs: 4, groups: 1 },
  { name: "rank 2, grouped", spatial: [4, 5], kernel: [2, 3], ins: 6, outs: 9, groups: 3 },
  { name: "rank 2, depthwise", spatial: [5, 5], kernel: [3, 3], ins: 4, outs: 4, groups: 4 },
  { name: "rank 2, depthwise with a multiplier", spatial: [4, 4], kernel: [3, 2], ins: 3, outs: 6, groups: 3 },
  { name: "rank 3", spatial: [3, 4, 3], kernel: [2, 3, 2], ins: 2, outs: 3, groups: 1 },
  { name: "rank 3, grouped", spatial: [3, 3, 2], kernel: [2, 1, 2], ins: 4, outs: 4, groups: 2 },
].flatMap((one) => [
  { ...one, stride: 1, padding: 0, hasBias: false },
  { ...one, stride: 2, padding: 1, hasBias: true },
]);

const titleOf = ({ name, hasBias }: (typeof CASES)[number]): string => `${name}, ${hasBias ? "with" : "without"} bias`;

/** |y' − y| ≤ u·(Σ|W'·x| + |b'|) + more·2⁻⁵³·(Σ|W'·x| + rest), with room for the rounding of the two evaluations. */
function expectWithin(got: Signal, expected: Signal, unit: number, sums: Float64Array, rests: Float64Array): void {
  expect(got.shape).toEqual(expected.shape);
  let largest = 0;
  got.data.forEach((value, i) => {
    const bound = unit * sums[i]! + 2 ** -47 * rests[i]!;
    largest = Math.max(largest, Math.abs(value - expected.data[i]!) / bound);
  });
  expect(largest).toBeLessThanOrEqual(1);
}

describe.each(DTYPES)("%s: a fold into what stands before", (dtype) => {
  const unit = UNIT[dtype];
  const options = isStoredIn16Bits(dtype) ? { dtype } : {};

  function check(one: (typeof CASES)[number], isTransposed: boolean): void {
    const { ins, outs, groups, kernel, spatial, hasBias } = one;
    const convolution: Convolution = one;
    const shape = isTransposed ? [ins, outs / groups, ...kernel] : [outs, ins / groups, ...kernel];
    const weight = drawn(dtype, product(shape), 1);
    const bias = hasBias ? drawn(dtype, outs, 2) : null;
    const layer = layerOf(outs, "float64", 3);
    const x: Signal = { data: drawn("float64", ins * product(spatial), 7) as Float64Array, shape: [ins, ...spatial] };
    const before = [weight.slice(), bias?.slice() ?? null];
    const tensor = { data: weight, shape } as Tensor<DType>;
    const fold = isTransposed ? foldIntoConvTranspose : foldIntoConv;
    const folded = fold({ weight: tensor, bias }, layer, { ...options, groups });
    expect([weight, bias]).toEqual(before);
    expect(folded.weight).toMatchObject({ shape });
    for (const array of [folded.weight.data, folded.bias]) expect(array.constructor).toBe(weight.constructor);
    const newWeight = wide(dtype, folded.weight.data as Data);
    const newBias = wide(dtype, folded.bias as Data);
    const run = (w: Float64Array, b: Float64Array | null, of = x): Signal =>
      convolve(convolution, of, w, b, isTransposed);
    const pair = normalized(run(wide(dtype, weight), bias && wide(dtype, bias)), layer);
    const positive = { ...x, data: magnitudes(x.data) };
    const { scale } = scaleShift(layer);
    const rest = newBias.map((_, c) => {
      const b = bias ? Math.abs(wide(dtype, bias)[c]!) : 0;
      return (b + Math.abs(layer.runningMean![c]!)) * Math.abs(scale[c]!) + Math.abs(layer.bias![c]!);
    });
    const sums = run(magnitudes(newWeight), magnitudes(newBias), positive);
    const rests = run(magnitudes(newWeight), rest, positive);
    expectWithin(run(newWeight, newBias), pair, unit, sums.data, rests.data);
  }

  test.each(CASES.map((one) => [titleOf(one), one] as const))("a convolution: %s", (_, one) => check(one, false));
  test.each(CASES.map((one) => [titleOf(one), one] as const))("transposed: %s", (_, one) => check(one, true));
});

describe.each(DTYPES)("%s: a fold into what stands behind", (dtype) => {
  const options = isStoredIn16Bits(dtype) ? { dtype } : {};
  const shapes = [
    { spatial: [], ins: 5, outs: 3, groups: 1 },
    { spatial: [4], ins: 4, outs: 6, groups: 2 },
    { spatial: [3, 2], ins: 4, outs: 3, groups: 1 },
    { spatial: [3, 2], ins: 3, outs: 6, groups: 3 },
    { spatial: [2, 3, 2], ins: 2, outs: 4, groups: 1 },
  ].flatMap((one) => [
    { ...one, hasBias: false },
    { ...one, hasBias: true },
  ]);

  test.each(shapes)("%o", ({ spatial, ins, outs, groups, hasBias }) => {
    const kernel = spatial.map(() => 1);
    const convolution: Convolution = { groups, ins, outs, kernel, stride: 1, padding: 0 };
    const shape = [outs, ins / groups, ...kernel];
    const weight = drawn(dtype, product(shape), 11);
    const bias = hasBias ? drawn(dtype, outs, 12) : null;
    const layer = layerOf(ins, "float64", 13);
    const x: Signal = { data: drawn("float64", ins * product(spatial), 17) as Float64Array, shape: [ins, ...spatial] };
    const tensor = { data: weight, shape } as Tensor<DType>;
    const folded =
      spatial.length === 0
        ? foldIntoNextLinear({ weight: tensor, bias }, layer, options)
        : foldIntoNextConv({ weight: tensor, bias }, layer, { ...options, groups });
    const newWeight = wide(dtype, folded.weight.data as Data);
    const newBias = wide(dtype, folded.bias as Data);
    const old = { weight: wide(dtype, weight), bias: bias && wide(dtype, bias) };
    const pair = convolve(convolution, normalized(x, layer), old.weight, old.bias);
    const positive = { ...x, data: magnitudes(x.data) };
    const { scale } = scaleShift(layer);
    const terms = scale.map((s, c) => Math.abs(layer.bias![c]!) + Math.abs(layer.runningMean![c]! * s));
    const ones: Signal = { data: terms, shape: [ins, ...kernel] };
    const rest = convolve(convolution, ones, magnitudes(old.weight), old.bias && magnitudes(old.bias)).data;
    const sums = convolve(convolution, positive, magnitudes(newWeight), magnitudes(newBias));
    const rests = convolve(convolution, positive, magnitudes(newWeight), rest);
    expectWithin(convolve(convolution, x, newWeight, newBias), pair, UNIT[dtype], sums.data, rests.data);
  });
});

test("a linear layer is a convolution without spatial axes", () => {
  const weight = drawn("float32", 12, 21) as Float32Array;
  const bias = drawn("float32", 3, 22) as Float32Array;
  const layer = layerOf(3, "float32", 23);
  const linear = foldIntoLinear({ weight: { data: weight, dims: [3, 4] }, bias }, layer);
  const conv = foldIntoConv({ weight: { data: weight, shape: [3, 4, 1] }, bias }, layer);
  expect(linear).toEqual({ weight: { data: conv.weight.data, dims: [3, 4] }, bias: conv.bias });
});

describe("the conventions differ in the order of axes alone", () => {
  const weight = drawn("float32", 6 * 2 * 3 * 2, 31) as Float32Array;
  const shape = [6, 2, 3, 2]; // [out, in/groups, k, k], or [in, out/groups, k, k]
  const [bn6, bn4, bn2] = [layerOf(6, "float32", 32), layerOf(4, "float32", 32), layerOf(2, "float32", 32)];
  const back = [3, 2, 0, 1]; // from [k, k, in, out] to [out, in, k, k]

  test.each([1, 2])("convolutions of Keras with %d groups", (groups) => {
    const torch = foldIntoConv({ weight: { data: weight, shape } }, bn6, { groups });
    const given = { weight: permuted(weight, shape, [2, 3, 1, 0]) };
    const keras = foldIntoConv(given, bn6, { groups, convention: "keras" });
    expect(permuted(keras.weight.data, keras.weight.shape, back)).toEqual(torch.weight);
    expect(keras.bias).toEqual(torch.bias);
    expect(foldIntoConv({ weight: { data: weight, shape } }, bn6, { groups, convention: "onnx" })).toEqual(torch);
  });

  test("depthwise convolutions of Keras", () => {
    const flat = [6, 1, 3, 2];
    const data = weight.slice(0, 36);
    const torch = foldIntoConv({ weight: { data, shape: flat } }, bn6, { groups: 3 });
    const split = permuted(data, [3, 2, 3, 2], [2, 3, 0, 1]); // [k, k, in, multiplier]
    const keras = foldIntoConv({ weight: split }, bn6, { convention: "keras-depthwise" });
    expect(permuted(keras.weight.data, keras.weight.shape, [2, 3, 0, 1]).data).toEqual(torch.weight.data);
    expect(keras.bias).toEqual(torch.bias);
  });

  test("transposed convolutions of Keras", () => {
    const torch = foldIntoConvTranspose({ weight: { data: weight, shape } }, bn2);
    const given = { weight: permuted(weight, shape, [2, 3, 1, 0]) };
    const keras = foldIntoConvTranspose(given, bn2, { convention: "keras" });
    expect(permuted(keras.weight.data, keras.weight.shape, back)).toEqual(torch.weight);
  });

  test("a transposed convolution with groups is none without", () => {
    const grouped = foldIntoConvTranspose({ weight: { data: weight, shape } }, bn4, { groups: 2 });
    const { scale } = scaleShift(bn4);
    // Input channel 3 is the first of the second group: its first output channel is 2.
    const first = 3 * 2 * 6;
    expect(grouped.weight.data[first]).toBe(Math.fround(weight[first]! * scale[2]!));
  });

  test("linear layers and kernels of one position of Keras, before and behind", () => {
    const [data, flat] = [weight.slice(0, 12), [6, 2]];
    const given = { weight: permuted(data, flat, [1, 0]) };
    for (const [fold, bn] of [[foldIntoLinear, bn6] as const, [foldIntoNextLinear, bn2] as const]) {
      const torch = fold({ weight: { data, shape: flat } }, bn);
      const keras = fold(given, bn, { convention: "keras" });
      expect(permuted(keras.weight.data, keras.weight.shape, [1, 0])).toEqual(torch.weight);
      expect(keras.bias).toEqual(torch.bias);
    }
    const torch = foldIntoNextConv({ weight: { data, shape: [6, 2, 1] } }, bn4, { groups: 2 });
    const one = { weight: permuted(data, [6, 2, 1], [2, 1, 0]) };
    const keras = foldIntoNextConv(one, bn4, { groups: 2, convention: "keras" });
    expect(permuted(keras.weight.data, keras.weight.shape, [2, 1, 0])).toEqual(torch.weight);
    expect(keras.bias).toEqual(torch.bias);
  });
});
