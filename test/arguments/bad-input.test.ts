// Bad data and shapes of a forward: exact messages and codes, and nothing written.
import { describe, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { resizable } from "../support/foreign-arrays.js";
import { normals } from "../support/reference.js";
import {
  ALIAS,
  detached,
  DETACHED,
  expectRejected,
  OPTION,
  range,
  SHAPE,
  SINGLE_VALUE,
  type,
  TYPE,
  VALUE,
  type Loose,
  type Rejection,
} from "../support/rejected.js";

const GOOD = [2, 3, 4];
const x = normals("float32", 24, 2);
const gone = detached(24);
const { buffer } = resizable(new Float32Array(24));
const cut = new Float32Array(buffer, 0, 24);
buffer.resize(80);
const big = normals("float32", 64, 3);
const X = '"x" expected a typed array or a tensor { data, shape }';
const SAVING = '"out" must not be "x": the saved forward needs x (save: false gives it up)';

const DATA: readonly (readonly [unknown[], Rejection])[] = [
  [
    [
      [1, 2, 3],
      [1, 3],
    ],
    type(TYPE, `${X}, got an Array`),
  ],
  [[], type(TYPE, `${X}, got undefined`)],
  [[null, GOOD], type(TYPE, `${X}, got null`)],
  [[{}, GOOD], type(TYPE, `${X}, got an object`)],
  [[new ArrayBuffer(96), GOOD], type(TYPE, `${X}, got an object`)],
  [[new Float64Array(24), GOOD], type(TYPE, '"x" expected a Float32Array, got a Float64Array')],
  [[new Int32Array(24), GOOD], type(TYPE, '"x" expected a Float32Array, got an Int32Array')],
  [[x.subarray(1), GOOD], range(SHAPE, '"x" expected length 24, got 23')],
  [[new Float32Array(25), GOOD], range(SHAPE, '"x" expected length 24, got 25')],
  [[gone, GOOD], type(DETACHED, '"x" has a detached buffer')],
  [[gone, [0, 3, 4]], type(DETACHED, '"x" has a detached buffer')],
  [[cut, GOOD], type(DETACHED, '"x" has a buffer that was made too small for it')],
  [[cut, [0, 3, 4]], type(DETACHED, '"x" has a buffer that was made too small for it')],
];

const SHAPES: readonly (readonly [unknown[], Rejection])[] = [
  [[x], type(TYPE, '"shape" expected an array of sizes, got undefined')],
  [[x, 24], type(TYPE, '"shape" expected an array of sizes, got 24')],
  [[x, Int32Array.of(2, 3, -4)], range(VALUE, '"shape[2]" expected a non-negative integer, got -4')],
  [[x, BigInt64Array.of(2n, 3n, 4n)], type(TYPE, '"shape[0]" expected a number, got 2n')],
  [[x, { length: 3, 0: 2, 1: 3, 2: 4 }], type(TYPE, '"shape" expected an array of sizes, got an object')],
  [[x, [-2, 3, 4]], range(VALUE, '"shape[0]" expected a non-negative integer, got -2')],
  [[x, [2, 3, 4.5]], range(VALUE, '"shape[2]" expected a non-negative integer, got 4.5')],
  [[x, [2, NaN, 4]], range(VALUE, '"shape[1]" expected a non-negative integer, got NaN')],
  [
    [x, [2 ** 53, 3]],
    range(VALUE, '"shape[0]" expected a non-negative integer up to 9007199254740991, got 9007199254740992'),
  ],
  [[x, [2, "3", 4]], type(TYPE, '"shape[1]" expected a number, got "3"')],
  [[x, new Array(3)], type(TYPE, '"shape[0]" expected a number, got undefined')],
  [
    [x, [2 ** 27, 3, 2 ** 26]],
    range(SHAPE, '"shape" expected at most 2^53 - 1 elements, got [134217728, 3, 67108864]'),
  ],
  [[x, [3, 2, 4]], range(SHAPE, '"shape" expected 3 channels at axis 1, got 2 in [3, 2, 4]')],
  [[new Float32Array(0), [3, 0, 4]], range(SHAPE, '"shape" expected at least 1 channel at axis 1, got [3, 0, 4]')],
  [[x, [24]], range(SHAPE, '"shape" expected channels at axis 1, got rank 1: [24]')],
  [[x, []], range(SHAPE, '"shape" expected channels at axis 1, got rank 0: []')],
  [
    [x.subarray(0, 3), [1, 3, 1]],
    range(
      SINGLE_VALUE,
      'Expected more than 1 value per channel when training, got shape [1, 3, 1]; the option "singleValue" allows one',
    ),
  ],
];

const OUTSIDE = '"x" expected elements within its 24, got those from';

/** Tensors of [2, 3, 4] that lack something. */
const TENSORS: readonly (readonly [Record<string, unknown>, Rejection])[] = [
  [{ data: [1] }, type(TYPE, '"x" expected a Float32Array, got an Array')],
  [{ shape: null }, type(TYPE, '"x.shape" expected an array of sizes, got null')],
  [{ shape: undefined, dims: [2, 3, -4] }, range(VALUE, '"x.dims[2]" expected a non-negative integer, got -4')],
  [{ data: () => x }, type(TYPE, '"x.data" is a function: pass { data: x.data(), shape: x.shape }')],
  [
    { data: () => x, dataSync: () => x },
    type(TYPE, '"x.data" is a function: pass { data: x.dataSync(), shape: x.shape }'),
  ],
  ...["strides", "stride"].flatMap((key) =>
    [[1, 2, 7], Int32Array.of(1, 2, 7)].map((strides): [Record<string, unknown>, Rejection] => [
      { [key]: strides },
      range(SHAPE, `${OUTSIDE} 0 to 26: strides [1, 2, 7] and offset 0 for shape [2, 3, 4]`),
    ]),
  ),
  [
    { strides: [12, 4, 1], offset: 4 },
    range(SHAPE, `${OUTSIDE} 4 to 27: strides [12, 4, 1] and offset 4 for shape [2, 3, 4]`),
  ],
];

const UNDOABLE = '"save" "output" and a "weight" for each sample exclude each other';

const OPTIONS: readonly (readonly [unknown, Rejection])[] = [
  [true, type(TYPE, '"options" expected an object, got true')],
  [GOOD, type(TYPE, '"options" expected an object, got an Array')],
  [
    { training: true },
    type(
      OPTION,
      'unknown option "training", expected one of out, residual, save, maskedOutput, mask, sampleWeights, statistics, updateRunningStats, moments, weight, bias',
    ),
  ],
  [{ save: 1 }, type(TYPE, '"save" expected a boolean, got 1')],
  [{ out: big.subarray(0, 23) }, range(SHAPE, '"out" expected length 24, got 23')],
  [{ out: big.subarray(0, 25) }, range(SHAPE, '"out" expected length 24, got 25')],
  [{ out: new Float64Array(24) }, type(TYPE, '"out" expected a Float32Array, got a Float64Array')],
  [{ out: gone }, type(DETACHED, '"out" has a detached buffer')],
  [{ out: { data: big, shape: GOOD } }, type(TYPE, '"out" expected a Float32Array, got an object')],
  [{ out: x }, range(ALIAS, SAVING)],
  [{ weight: big }, range(SHAPE, '"weight" expected length 6 (samples × channels), got 64')],
  [{ bias: new Float32Array(3) }, range(SHAPE, '"bias" expected length 6 (samples × channels), got 3')],
  [{ weight: [1, 1, 1, 1, 1, 1] }, type(TYPE, '"weight" expected a Float32Array, got an Array')],
  [{ bias: gone }, type(DETACHED, '"bias" has a detached buffer')],
  [{ weight: big.subarray(0, 6), save: "output" }, range(OPTION, UNDOABLE)],
  [{ residual: big }, range(SHAPE, '"residual" expected length 24, got 64')],
  [{ residual: [1] }, type(TYPE, '"residual" expected a Float32Array, got an Array')],
  [{ residual: gone }, type(DETACHED, '"residual" has a detached buffer')],
  [{ residual: { data: x, shape: [4, 3, 2] } }, range(SHAPE, '"residual" expected shape [2, 3, 4], got [4, 3, 2]')],
  [{ out: big.subarray(0, 24), residual: big.subarray(1, 25) }, range(ALIAS, '"out" overlaps "residual" partly')],
];

function rejects(args: readonly unknown[], expected: Rejection): void {
  test(expected.message, () => {
    const layer = new BatchNorm(3);
    layer.forward(normals("float32", 24, 1), GOOD);
    expectRejected(() => (layer.forward as Loose).apply(layer, [...args]), [layer, x, big], expected);
  });
}

describe("data", () => {
  for (const [args, expected] of DATA) rejects(args, expected);
});
describe("shape", () => {
  for (const [args, expected] of SHAPES) rejects(args, expected);
});
describe("tensors", () => {
  for (const [fields, expected] of TENSORS) rejects([{ data: x, shape: GOOD, ...fields }], expected);
});
describe("options", () => {
  for (const [options, expected] of OPTIONS) rejects([x, GOOD, options], expected);
});

test("strides say nothing about an empty tensor", () => {
  new BatchNorm(3).forward({ data: new Float32Array(0), shape: [2, 3, 0], ...{ strides: [3, 1, 1] } });
});
