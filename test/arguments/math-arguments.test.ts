// Arguments of `batchnorm/math`: exact messages, nothing written. And what a weight of 0 means.
import { expect, test } from "vitest";
import { mergeMoments, updateRunning, variance } from "../../src/math.js";
import { expectRejected, range, SHAPE, type, TYPE, VALUE, type Loose, type Rejection } from "../support/rejected.js";

const moments = { count: 4, mean: Float64Array.of(1, 2), m2: Float64Array.of(4, 8) };
const running = Float32Array.of(5, 6);
const batch = Float64Array.of(1, 2);

const CASES: readonly (readonly [unknown, readonly unknown[], Rejection])[] = [
  [updateRunning, [running, Float64Array.of(1), 0.1], range(SHAPE, '"batch" expected length 2, got 1')],
  [updateRunning, [[0, 0], batch, 0.1], type(TYPE, '"running" expected a Float32Array or Float64Array, got an Array')],
  [updateRunning, [running, [1, 2], 0.1], type(TYPE, '"batch" expected a Float64Array, got an Array')],
  [updateRunning, [running, batch, "0.1"], type(TYPE, '"momentum" expected a number, got "0.1"')],
  [updateRunning, [running, batch], type(TYPE, '"momentum" expected a number, got undefined')],
  [updateRunning, [running, batch, 1.5], range(VALUE, '"momentum" expected a number in [0, 1], got 1.5')],
  [variance, [{}], type(TYPE, '"moments.mean" expected a Float64Array, got undefined')],
  [variance, [undefined], type(TYPE, '"moments" expected an object, got undefined')],
  [variance, [moments, -5], range(VALUE, '"correction" expected a finite number ≥ 0, got -5')],
  [variance, [moments, NaN], range(VALUE, '"correction" expected a finite number ≥ 0, got NaN')],
  [
    variance,
    [{ ...moments, m2: Float64Array.of(1, -1) }],
    range(VALUE, '"moments.m2[1]" expected a number ≥ 0, got -1'),
  ],
  [mergeMoments, [moments, undefined], type(TYPE, '"second" expected an object, got undefined')],
  [mergeMoments, [undefined, moments], type(TYPE, '"first" expected an object, got undefined')],
  [
    mergeMoments,
    [moments, { count: 4, mean: [1, 2], m2: [1, 1] }],
    type(TYPE, '"second.mean" expected a Float64Array, got an Array'),
  ],
  [
    mergeMoments,
    [moments, { ...moments, m2: Float64Array.of(NaN, 1) }],
    range(VALUE, '"second.m2[0]" expected a number ≥ 0, got NaN'),
  ],
];

test.each(CASES)("%# %o", (call, args, expected) => {
  expectRejected(() => (call as Loose)(...args), [...args, running], expected);
});

test("momentum 0 keeps a running statistic, and 1 replaces it, whatever the other is", () => {
  const kept = Float32Array.of(5, 6);
  updateRunning(kept, Float64Array.of(NaN, Infinity), 0);
  expect([...kept]).toEqual([5, 6]);
  const replaced = Float32Array.of(NaN, Infinity);
  updateRunning(replaced, Float64Array.of(1, 2), 1);
  expect([...replaced]).toEqual([1, 2]);
});
