// Bad arguments of the stateless forward functions, backends that cannot be used, and modes that cannot be set.
import { expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
} from "../../src/index.js";
import { normals } from "../support/reference.js";
import { errorOf, expectRejected, OPTION, range, SHAPE, type, TYPE, VALUE } from "../support/rejected.js";
import type { Loose, Rejection } from "../support/rejected.js";

const GOOD = [2, 3, 4];
const x = normals("float32", 24, 2);
const table = new Float32Array(3);
const own = { count: 8, mean: new Float64Array(3), m2: new Float64Array(3) };
const LAYOUT = "layout, axis, dtype, backend, threads";
const AFFINE = `weight, bias, eps, activation, out, residual, save, maskedOutput, mask, sampleWeights, ${LAYOUT}`;

const TRAINING: readonly (readonly [unknown, Rejection])[] = [
  [
    { weight: new Float32Array(4) },
    range(SHAPE, '"weight" expected length 3 (channels) or 6 (samples × channels), got 4'),
  ],
  [{ weight: new Int32Array(3) }, type(TYPE, '"weight" expected a Float32Array, got an Int32Array')],
  [{ weight: Promise.resolve(table) }, type(TYPE, '"weight" expected a Float32Array, got a Promise: await it')],
  [{ residual: Promise.resolve(x) }, type(TYPE, '"residual" expected a Float32Array, got a Promise: await it')],
  [{ bias: new Float64Array(3) }, type(TYPE, '"bias" expected a Float32Array, got a Float64Array')],
  [{ eps: -1 }, range(VALUE, '"eps" expected a finite number ≥ 0, got -1')],
  [{ threads: 1.5 }, range(VALUE, '"threads" expected a positive integer, got 1.5')],
  [{ layout: "channels-last", axis: 1 }, range(OPTION, '"layout" and "axis" exclude each other')],
  [{ momentum: 1 }, type(OPTION, `unknown option "momentum", expected one of ${AFFINE}, moments`)],
  [{ moments: null }, type(TYPE, '"moments" expected an object, got null')],
  [{ moments: { ...own, mean: new Float64Array(4) } }, range(SHAPE, '"moments.mean" expected length 3, got 4')],
  [{ moments: { ...own, m2: table } }, type(TYPE, '"moments.m2" expected a Float64Array, got a Float32Array')],
  [{ moments: { ...own, count: 0 } }, range(VALUE, '"moments.count" expected a positive number, got 0')],
];
const INFERENCE: readonly (readonly [unknown, Rejection])[] = [
  [{ runningVar: table }, type(TYPE, '"runningMean" expected a Float32Array, got undefined')],
  [{ runningMean: table, runningVar: table.slice(1) }, range(SHAPE, '"runningVar" expected length 3, got 2')],
  [{ moments: own }, type(OPTION, `unknown option "moments", expected one of ${AFFINE}, runningMean, runningVar`)],
];
const MOMENTS: readonly (readonly [unknown, Rejection])[] = [
  [{ eps: 1 }, type(OPTION, `unknown option "eps", expected one of ${LAYOUT}, mask, sampleWeights`)],
  [{ axis: -4 }, range(SHAPE, '"shape" expected channels at axis -4, got rank 3: [2, 3, 4]')],
];

for (const [call, cases] of [
  [batchNormTraining as Loose, TRAINING],
  [batchNormInference as Loose, INFERENCE],
  [batchNormMoments as Loose, MOMENTS],
] as const) {
  for (const [options, expected] of cases) {
    test(expected.message, () => {
      expectRejected(() => call(x, GOOD, options), [x, table, own], expected);
    });
  }
}

test("their x", () => {
  const expected = type(
    TYPE,
    '"x" expected a Float32Array, Float64Array, Float16Array or Uint16Array, got a Uint8Array',
  );
  for (const call of [batchNormTraining, batchNormInference, batchNormMoments]) {
    expectRejected(() => (call as Loose)(new Uint8Array(24), GOOD), [], expected);
  }
});

test("an x that is not there yet", () => {
  const tensor = "a typed array or a tensor { data, shape }";
  for (const call of [batchNormTraining, batchNormInference, batchNormMoments]) {
    const promised = type(TYPE, `"x" expected ${tensor}, got a Promise: await it`);
    expectRejected(() => (call as Loose)(Promise.resolve(x), GOOD), [], promised);
    const kinds = "a Float32Array, Float64Array, Float16Array or Uint16Array";
    const data = type(TYPE, `"x" expected ${kinds}, got a Promise: await it`);
    expectRejected(() => (call as Loose)({ data: Promise.resolve(x), shape: GOOD }), [], data);
  }
  const given = type(TYPE, '"gradOutput" expected a Float32Array, got a Promise: await it');
  const { saved } = batchNormTraining(x, GOOD);
  expectRejected(() => (batchNormBackward as Loose)(Promise.resolve(x), saved), [saved], given);
});

test("moments of other channels are not merged", () => {
  const expected = range(SHAPE, '"second.mean" expected length 3, got 2');
  const two = { count: 2, mean: new Float64Array(2), m2: new Float64Array(2) };
  expectRejected(() => mergeMoments(own, two), [own, two], expected);
});

test("a backend that cannot be used, at first use", () => {
  const backend = process.arch === "arm64" ? "native/avx2" : "native/neon";
  const layer = new BatchNorm(3, { backend });
  const { reason } = errorOf(() => layer.backend) as { reason: string };
  expect(reason).toMatch(/./);
  const message = `backend "${backend}" cannot be used: ${reason}`;
  const expected: Rejection = { error: "BackendUnavailableError", code: "ERR_BATCHNORM_BACKEND", message };
  expectRejected(() => layer.forward(x, GOOD), [layer, x], expected);
  expectRejected(() => batchNormTraining(x, GOOD, { backend }), [x], expected);
});

test.each<[string, unknown, Rejection]>([
  ["eps", -1, range(VALUE, '"eps" expected a finite number ≥ 0, got -1')],
  ["eps", "1e-5", type(TYPE, '"eps" expected a number, got "1e-5"')],
  ["training", "no", type(TYPE, '"training" expected a boolean, got "no"')],
  ["momentum", NaN, range(VALUE, '"momentum" expected a number in [0, 1], got NaN')],
  ["numBatchesTracked", 0.5, range(VALUE, '"numBatchesTracked" expected a non-negative integer, got 0.5')],
])("%s, assigned %o", (name, value, expected) => {
  const layer = new BatchNorm(3);
  expectRejected(() => Object.assign(layer, { [name]: value }), [layer], expected);
});

test("eps may be changed between two forwards", () => {
  const layer = new BatchNorm(3);
  layer.eps = 0.5;
  expect(layer.clone().forward(x, GOOD)).toEqual(new BatchNorm(3, { eps: 0.5 }).forward(x, GOOD));
});

test("frozen", () => {
  const layer = new BatchNorm(3);
  const kind = type(TYPE, '"frozen" expected a boolean, got 1');
  expectRejected(() => Object.assign(layer, { frozen: 1 }), [layer], kind);
  const without = new BatchNorm(3, { trackRunningStats: false });
  const message = '"frozen" needs running statistics, got trackRunningStats: false';
  expectRejected(() => (without.frozen = true), [without], range(VALUE, message));
});

test("numBatchesTracked of a layer without running statistics is 0", () => {
  const without = new BatchNorm(3, { trackRunningStats: false });
  const message = '"numBatchesTracked" needs running statistics, got trackRunningStats: false';
  expectRejected(() => (without.numBatchesTracked = 1), [without], range(VALUE, message));
  without.numBatchesTracked = 0;
  without.resetRunningStats();
  expect(without.numBatchesTracked).toBe(0);
});
