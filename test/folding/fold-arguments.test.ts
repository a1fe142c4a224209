// What a fold refuses, what it reads of layers and states, and that it rounds once.
import { expect, test } from "vitest";
import { BatchNorm, type DType } from "../../src/index.js";
import {
  foldIntoConv,
  foldIntoConvTranspose,
  foldIntoLinear,
  foldIntoNextConv,
  foldIntoNextLinear,
  scaleShift,
} from "../../src/fold.js";
import { roundToOdd, widen } from "../../src/base/storage.js";
import { random } from "../../src/verify/data.js";
import {
  OPTION,
  SHAPE,
  STATE,
  TYPE,
  VALUE,
  expectRejected,
  range,
  type,
  type Loose,
  type Rejection,
} from "../support/rejected.js";

const ramp = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => i + 1);
const tensor = (...shape: number[]): { data: Float32Array; shape: number[] } => ({
  data: ramp(shape.reduce((a, b) => a * b, 1)),
  shape,
});
const state = (more: object = {}): object => ({ running_mean: [1, 2], running_var: [4, 9], ...more });
const bn = new BatchNorm(2);
const bits = { data: new Uint16Array(4), shape: [2, 2] };

const CASES: readonly (readonly [string, unknown, readonly unknown[], Rejection])[] = [
  ["no layer", foldIntoLinear, [5, bn], type(TYPE, "the layer expected an object { weight, bias }, got 5")],
  [
    "an array",
    foldIntoLinear,
    [{ weight: ramp(4) }, bn],
    type(TYPE, '"weight" expected a tensor { data, shape }, got a Float32Array'),
  ],
  ["no weight", foldIntoLinear, [{}, bn], type(TYPE, '"weight" expected a tensor { data, shape }, got undefined')],
  [
    "integers",
    foldIntoLinear,
    [{ weight: { data: new Int8Array(4), shape: [2, 2] } }, bn],
    type(TYPE, '"weight" expected a Float32Array, Float64Array, Float16Array or Uint16Array, got an Int8Array'),
  ],
  [
    "bits alone",
    foldIntoLinear,
    [{ weight: bits }, bn],
    type(TYPE, '"dtype" expected "float16" or "bfloat16", which a Uint16Array does not say itself, got undefined'),
  ],
  [
    "a wrong length",
    foldIntoLinear,
    [{ weight: { data: ramp(5), shape: [2, 2] } }, bn],
    range(SHAPE, '"weight" expected length 4, got 5'),
  ],
  [
    "a rank of a convolution",
    foldIntoLinear,
    [{ weight: tensor(2, 2, 1) }, bn],
    range(SHAPE, '"weight" expected 2 axes, got [2, 2, 1]'),
  ],
  [
    "a rank of a linear layer",
    foldIntoConv,
    [{ weight: tensor(2, 2) }, bn],
    range(SHAPE, '"weight" expected at least 3 axes, got [2, 2]'),
  ],
  [
    "a wrong bias",
    foldIntoLinear,
    [{ weight: tensor(2, 2), bias: ramp(3) }, bn],
    range(SHAPE, '"bias" expected length 2, got 3'),
  ],
  [
    "other channels",
    foldIntoLinear,
    [{ weight: tensor(3, 2) }, bn],
    range(SHAPE, '"bn" expected 3 channels, the output channels of the weight, got 2'),
  ],
  [
    "other channels behind",
    foldIntoNextLinear,
    [{ weight: tensor(2, 3) }, bn],
    range(SHAPE, '"bn" expected 3 channels, the input channels of the weight, got 2'),
  ],
  [
    "groups that do not divide",
    foldIntoConv,
    [{ weight: tensor(2, 2, 1) }, bn, { groups: 3 }],
    range(SHAPE, '"weight" expected channels that 3 groups divide, got [2, 2, 1]'),
  ],
  [
    "groups of a transposed one",
    foldIntoConvTranspose,
    [{ weight: tensor(3, 1, 1) }, bn, { groups: 2 }],
    range(SHAPE, '"weight" expected channels that 2 groups divide, got [3, 1, 1]'),
  ],
  [
    "a kernel",
    foldIntoNextConv,
    [{ weight: tensor(2, 2, 3, 3) }, bn],
    range(SHAPE, '"weight" expected a kernel of 1 position, got 9: its padding has no shift'),
  ],
  [
    "no groups",
    foldIntoConv,
    [{ weight: tensor(2, 2, 1) }, bn, { groups: 0 }],
    range(VALUE, '"groups" expected a positive integer, got 0'),
  ],
  [
    "groups of Keras",
    foldIntoConvTranspose,
    [{ weight: tensor(1, 2, 2) }, bn, { groups: 2, convention: "keras" }],
    range(OPTION, '"groups" and the convention "keras" exclude each other here'),
  ],
  [
    "groups of depthwise",
    foldIntoConv,
    [{ weight: tensor(1, 2, 1) }, bn, { groups: 2, convention: "keras-depthwise" }],
    range(OPTION, '"groups" and the convention "keras-depthwise" exclude each other here'),
  ],
  [
    "a convention that there is not",
    foldIntoLinear,
    [{ weight: tensor(2, 2) }, bn, { convention: "onnx" }],
    range(VALUE, '"convention" expected one of "torch", "keras", got "onnx"'),
  ],
  [
    "groups of a linear layer",
    foldIntoLinear,
    [{ weight: tensor(2, 2) }, bn, { groups: 1 }],
    type(OPTION, 'unknown option "groups", expected one of eps, prefix, convention, dtype'),
  ],
  ["no normalization", scaleShift, [undefined], type(TYPE, '"bn" expected a layer or a state, got undefined')],
  ["a prefix", scaleShift, [state(), { prefix: 5 }], type(TYPE, '"prefix" expected a string, got 5')],
  ["an eps", scaleShift, [state(), { eps: -1 }], range(VALUE, '"eps" expected a finite number ≥ 0, got -1')],
  [
    "no statistics",
    scaleShift,
    [new BatchNorm(2, { trackRunningStats: false })],
    range(STATE, '"bn" expected running statistics, and has no "running_mean"'),
  ],
  [
    "no variance",
    scaleShift,
    [state({ running_var: undefined })],
    range(STATE, '"bn" expected running statistics, and has no "running_var"'),
  ],
  [
    "another prefix",
    scaleShift,
    [state(), { prefix: "bn1." }],
    range(STATE, '"bn" expected running statistics, and has no "bn1.running_mean"'),
  ],
  ["a short bias", scaleShift, [state({ bias: [1] })], range(SHAPE, '"bias" expected length 2, got 1')],
  [
    "a mean of NaN",
    scaleShift,
    [state({ running_mean: [1, NaN] })],
    range(VALUE, '"running_mean[1]" expected a finite number, got NaN'),
  ],
  [
    "an infinite weight",
    scaleShift,
    [state({ weight: [Infinity, 1] })],
    range(VALUE, '"weight[0]" expected a finite number, got Infinity'),
  ],
  [
    "a bias of NaN",
    scaleShift,
    [state({ bias: [NaN, 1] })],
    range(VALUE, '"bias[0]" expected a finite number, got NaN'),
  ],
  [
    "a variance of NaN",
    scaleShift,
    [state({ running_var: [NaN, 1] })],
    range(VALUE, '"running_var[0]" expected a number ≥ 0, got NaN'),
  ],
  [
    "a negative variance",
    scaleShift,
    [state({ running_var: [1, -1] })],
    range(VALUE, '"running_var[1]" expected a number ≥ 0, got -1'),
  ],
  [
    "a variance of 0 and no eps",
    scaleShift,
    [state({ running_var: [1, 0] }), { eps: 0 }],
    range(VALUE, '"running_var[1]" + eps expected a positive number, got 0'),
  ],
  [
    "an overflow",
    foldIntoLinear,
    [{ weight: { data: Float32Array.of(1, 2 ** 127), shape: [2, 1] } }, state({ weight: [1, 9] }), { eps: 0 }],
    range(VALUE, `"weight[1]" expected a number that float32 can hold after the fold, got ${3 * 2 ** 127}`),
  ],
];

test.each(CASES)("%s", (_, call, args, expected) => {
  const watched = args.filter((one) => typeof one === "object" && one !== null);
  expectRejected(() => (call as Loose)(...args), watched, expected);
});

test("the map of a layer, of its state, and of JSON is the same", () => {
  const layer = new BatchNorm(2, { eps: 1 });
  layer.runningMean!.set([1, -2]);
  layer.runningVar!.set([3, 8]);
  layer.weight!.set([4, 9]);
  layer.bias!.set([0.5, 1]);
  const expected = { scale: Float64Array.of(2, 3), shift: Float64Array.of(-1.5, 7) };
  expect(scaleShift(layer)).toEqual(expected);
  expect(scaleShift(layer.stateDict(), { eps: 1 })).toEqual(expected);
  expect(scaleShift(JSON.parse(JSON.stringify(layer.stateDict())) as object, { eps: 1 })).toEqual(expected);
  const model = new Map(Object.entries(layer.stateDict()).map(([name, value]) => [`bn1.${name}`, value as unknown]));
  expect(scaleShift(model, { eps: 1, prefix: "bn1." })).toEqual(expected);
  expect(scaleShift(layer, { eps: 0 }).scale[1]).toBe(9 / Math.sqrt(8));
  // Without parameters γ is 1 and β is 0; without an option ε of a state is 1e-5.
  expect(scaleShift(state()).scale[0]).toBe(1 / Math.sqrt(4 + 1e-5));
  expect(scaleShift(state({ running_var: [Infinity, 1] })).scale[0]).toBe(0);
});

test("what is infinite or NaN in a weight stays so", () => {
  const data = Float32Array.of(Infinity, NaN, -Infinity, 1);
  const folded = foldIntoLinear({ weight: { data, shape: [2, 2] }, bias: Float32Array.of(NaN, 1) }, bn);
  expect(Array.from(folded.weight.data, Number.isFinite)).toEqual([false, false, false, true]);
  expect(folded.bias[0]).toBeNaN();
  expect(foldIntoNextLinear({ weight: { data, shape: [2, 2] } }, bn).bias[0]).toBeNaN();
});

test("a bias keeps its own type", () => {
  const given = { weight: { data: Uint16Array.of(0x3f80, 0x4000), dims: [2, 1] }, bias: Float64Array.of(1, 2) };
  const folded = foldIntoLinear(given, state({ weight: [2, 3] }), { dtype: "bfloat16", eps: 0 });
  expect(folded.bias).toEqual(Float64Array.of(0, 2 - 2 + 0));
  expect(folded.weight).toEqual({ data: Uint16Array.of(0x3f80, 0x4000), dims: [2, 1] });
});

/** All finite values of a type, by size. */
function valuesOf(dtype: DType): Float64Array {
  const all = widen(
    dtype,
    Uint16Array.from({ length: 0x10000 }, (_, i) => i),
  );
  return Float64Array.from(all.filter((value) => Number.isFinite(value))).sort();
}

test.each(["float16", "bfloat16"] as const)("%s values are rounded once", (dtype) => {
  const values = valuesOf(dtype);
  const next = random(5);
  const scale = new Float64Array(1);
  for (let trial = 0; trial < 2000; trial++) {
    const at = 2 + Math.floor(next() * (values.length - 4));
    const [low, high] = [values[at]!, values[at + 1]!];
    if (low === 0 || high === 0) continue;
    // Close to a tie, so that a rounding to float32 on the way would make it one.
    const middle = (low + high) / 2;
    const step = trial % 3 === 0 ? 0 : (trial % 3 === 1 ? 1 : -1) * (high - low) * 2 ** -30;
    scale[0] = middle + step;
    const one = dtype === "float16" ? 0x3c00 : 0x3f80;
    const norm = { running_mean: [0], running_var: [1], weight: Array.from(scale) };
    const { weight } = foldIntoLinear({ weight: { data: Uint16Array.of(one), shape: [1, 1] } }, norm, {
      dtype,
      eps: 0,
    });
    const isEven = (value: number): boolean => (bitsIn(dtype, value) & 1) === 0;
    const nearest = step === 0 ? (isEven(low) ? low : high) : step > 0 ? high : low;
    expect(widen(dtype, weight.data)[0], String(scale[0])).toBe(nearest);
  }
});

const tables = new Map<DType, Map<number, number>>();
function bitsIn(dtype: DType, value: number): number {
  const all = (): [number, number][] =>
    Array.from(
      widen(
        dtype,
        Uint16Array.from({ length: 0x10000 }, (_, i) => i),
      ),
      (one, i) => [one, i],
    );
  const table = tables.get(dtype) ?? new Map(all());
  tables.set(dtype, table);
  return table.get(value)!;
}

test("a rounding to odd keeps what is exact, infinite or NaN", () => {
  for (const value of [0, -0, 1, -3.5, Infinity, -Infinity, NaN]) expect(roundToOdd(value)).toBe(value);
  expect(roundToOdd(1 + 2 ** -40)).toBe(1 + 2 ** -23);
  expect(roundToOdd(-1 - 2 ** -40)).toBe(-1 - 2 ** -23);
  expect(roundToOdd(1 - 2 ** -40)).toBe(1 - 2 ** -24);
  expect(roundToOdd(2 ** -1000)).toBe(2 ** -149);
  expect(roundToOdd(-(2 ** 1000))).toBe(-(2 ** 128) + 2 ** 104);
});
