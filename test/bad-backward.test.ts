// Bad arguments of backward, its stateless parts and its tokens: exact messages, nothing written, the token still good.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormBackward, batchNormTraining, coefficients, gradInput, gradSums, mergeMoments, type Saved } from "../src/index.js";
import { normals, tokenOf } from "./support/reference.js";
import { expectRejected, range, type, type Rejection } from "./support/rejected.js";

const TYPE = "ERR_BATCHNORM_TYPE";
const VALUE = "ERR_BATCHNORM_VALUE";
const OPTION = "ERR_BATCHNORM_OPTION";
const SHAPE = "ERR_BATCHNORM_SHAPE";
const ALIAS = "ERR_BATCHNORM_ALIAS";
const SAVED = "ERR_BATCHNORM_SAVED";

type Loose = (...args: unknown[]) => unknown;
const dy = normals("float32", 24, 4);
const detached = new Float32Array(24);
structuredClone(detached, { transfer: [detached.buffer] });

interface Fixture {
  readonly layer: BatchNorm;
  readonly backward: Loose;
  readonly x: Float32Array;
  readonly out: Float32Array;
  readonly residual: Float32Array;
  /** 64 elements, to cut overlapping views from. */
  readonly big: Float32Array;
  readonly accumulate: { gradWeight: Float32Array; gradBias: Float32Array };
}

/** A layer of 3 features after a forward of [2, 3, 4], with ReLU and a residual. */
function fixture(withResidual = true): Fixture {
  const layer = new BatchNorm(3, { activation: "relu" });
  const x = normals("float32", 24, 1);
  const residual = normals("float32", 24, 2);
  layer.forward(x, [2, 3, 4], withResidual ? { residual } : {});
  return {
    layer, x, residual, out: normals("float32", 24, 3), big: normals("float32", 64, 5),
    backward: (layer.backward as Loose).bind(layer),
    accumulate: { gradWeight: Float32Array.of(1, 2, 3), gradBias: Float32Array.of(4, 5, 6) },
  };
}

const expectedGradients = (({ layer }) => layer.backward(dy))(fixture());

const cases: [string, (f: Fixture) => unknown, Rejection][] = [
  ["an Array", ({ backward }) => backward([1, 2]), type(TYPE, '"gradOutput" expected a Float32Array, got an Array')],
  ["nothing", ({ backward }) => backward(), type(TYPE, '"gradOutput" expected a Float32Array, got undefined')],
  ["another type", ({ backward }) => backward(new Float64Array(24)), type(TYPE, '"gradOutput" expected a Float32Array, got a Float64Array')],
  ["another length", ({ backward }) => backward(dy.subarray(1)), range(SHAPE, '"gradOutput" expected length 24, got 23')],
  ["another shape", ({ backward }) => backward({ data: dy, shape: [4, 3, 2] }), range(SHAPE, '"gradOutput" expected shape [2, 3, 4], got [4, 3, 2]')],
  ["detached", ({ backward }) => backward(detached), type("ERR_BATCHNORM_DETACHED", '"gradOutput" has a detached buffer')],
  ["strides", ({ backward }) => backward({ data: dy, shape: [2, 3, 4], strides: [1, 2, 6] }), range(SHAPE, '"gradOutput" expected contiguous data, got strides [1, 2, 6] for shape [2, 3, 4]')],
  ["data()", ({ backward }) => backward({ data: () => dy, shape: [2, 3, 4] }), type(TYPE, '"gradOutput.data" is a function: pass { data: gradOutput.data(), shape: gradOutput.shape }')],
  ["an unknown option", ({ backward }) => backward(dy, { output: 1 }), type(OPTION, 'unknown option "output", expected one of out, residualOut, saved, accumulate')],
  ["options of another kind", ({ backward }) => backward(dy, 3), type(TYPE, '"options" expected an object, got 3')],
  ["out too short", ({ backward, out }) => backward(dy, { out: out.subarray(1) }), range(SHAPE, '"out" expected length 24, got 23')],
  ["out detached", ({ backward }) => backward(dy, { out: detached }), type("ERR_BATCHNORM_DETACHED", '"out" has a detached buffer')],
  ["out is the residual", ({ backward, residual }) => backward(dy, { out: residual }), range(ALIAS, '"out" must not be "residual": the backward still reads it')],
  ["out is residualOut", ({ backward, out }) => backward(dy, { out, residualOut: out }), range(ALIAS, '"out" must not be "residualOut"')],
  ["out overlaps gradOutput", ({ backward, big }) => backward(big.subarray(0, 24), { out: big.subarray(8, 32) }), range(ALIAS, '"out" overlaps "gradOutput" partly')],
  ["residualOut is gradOutput", ({ backward }) => backward(dy, { residualOut: dy }), range(ALIAS, '"residualOut" must not be "gradOutput"')],
  ["residualOut is x", ({ backward, x }) => backward(dy, { residualOut: x }), range(ALIAS, '"residualOut" must not be "x"')],
  ["residualOut is the residual", ({ backward, residual }) => backward(dy, { residualOut: residual }), range(ALIAS, '"residualOut" must not be "residual": the backward still reads it')],
  ["residualOut too long", ({ backward, big }) => backward(dy, { residualOut: big }), range(SHAPE, '"residualOut" expected length 24, got 64')],
  ["accumulate of other channels", ({ backward, accumulate }) => backward(dy, { accumulate: { ...accumulate, gradBias: new Float32Array(2) } }), range(SHAPE, '"accumulate.gradBias" expected length 3, got 2')],
  ["accumulate of another type", ({ backward, accumulate }) => backward(dy, { accumulate: { ...accumulate, gradWeight: new Float64Array(3) } }), type(TYPE, '"accumulate.gradWeight" expected a Float32Array, got a Float64Array')],
  ["saved: a number", ({ backward }) => backward(dy, { saved: 1 }), type(SAVED, '"saved" expected the token of a forward, got 1')],
  ["saved: an array", ({ backward, x }) => backward(dy, { saved: x }), type(SAVED, '"saved" expected the token of a forward, got a Float32Array')],
  ["another type's token", ({ backward }) => backward(dy, { saved: batchNormTraining(new Float64Array(24), [2, 3, 4]).saved }), range(SAVED, '"saved" expected a float32 forward, got float64')],
  ["another layer's token", ({ backward }) => backward(dy, { saved: batchNormTraining(normals("float32", 24, 1), [3, 2, 4]).saved }), range(SHAPE, '"saved" expected 3 channels, got 2')],
];

test.each(cases)("backward: %s", (_, call, expected) => {
  const f = fixture();
  expectRejected(() => call(f), [f.layer, f.x, f.residual, f.out, f.big, f.accumulate, dy], expected);
  expect(f.layer.backward(dy)).toEqual(expectedGradients);
});

describe("tokens", () => {
  const none = '"saved" expected the token of a forward, got null: run forward (with save) before backward';

  test("none: before any forward, after its backward, and where nothing was saved", () => {
    const layer = new BatchNorm(3);
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    const x = normals("float32", 24, 1);
    layer.forward(x, [2, 3, 4]);
    layer.backward(dy);
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    layer.forward(x, [2, 3, 4], { save: false });
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    layer.eval().forward(x, [2, 3, 4]);
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    expectRejected(() => (batchNormBackward as Loose)(dy, null), [dy], type(SAVED, none));
    expectRejected(() => (batchNormBackward as Loose)(dy), [dy], type(SAVED, none.replace("null", "undefined")));
  });

  test("used ones, by layer and functions alike", () => {
    const used = range(SAVED, '"saved" was already used by a backward: run forward again');
    const uses: ((token: Saved<"float32">) => unknown)[] = [
      (token) => batchNormBackward(dy, token),
      (token) => gradInput(dy, token, coefficients(token, gradSums(dy, token))),
      (token) => new BatchNorm(3).backward(dy, { saved: token }),
    ];
    for (const use of uses) {
      const token = tokenOf(fixture().layer.saved);
      use(token);
      for (const again of uses) expectRejected(() => again(token), [token, dy], used);
      expectRejected(() => gradSums(dy, token), [token, dy], used);
    }
  });

  const forged: [string, Record<string, unknown>, Rejection][] = [
    ["shape", { shape: 24 }, type(TYPE, '"saved.shape" expected an array of sizes, got 24')],
    ["dtype", { dtype: "int8" }, range(VALUE, '"saved.dtype" expected one of "float32", "float64", got "int8"')],
    ["other dtype", { dtype: "float64" }, type(TYPE, '"saved.x" expected a Float64Array, got a Float32Array')],
    ["outer", { outer: 3 }, range(SHAPE, '"saved.x" expected length 36, got 24')],
    ["channels", { channels: 0 }, range(VALUE, '"saved.channels" expected a positive integer, got 0')],
    ["inner", { inner: -4 }, range(VALUE, '"saved.inner" expected a non-negative integer, got -4')],
    ["count", { count: 0.5 }, range(VALUE, '"saved.count" expected a non-negative integer, got 0.5')],
    ["mean", { mean: new Float64Array(2) }, range(SHAPE, '"saved.mean" expected length 3, got 2')],
    ["invStd", { invStd: [1, 1, 1] }, type(TYPE, '"saved.invStd" expected a Float64Array, got an Array')],
    ["x", { x: new Float32Array(23) }, range(SHAPE, '"saved.x" expected length 24, got 23')],
    ["detached x", { x: detached }, type("ERR_BATCHNORM_DETACHED", '"saved.x" has a detached buffer')],
    ["aux", { aux: new Float32Array(1) }, range(SHAPE, '"saved.aux" expected length 24, got 1')],
    ["no aux", { aux: null }, range(SAVED, '"saved" lacks the residual or output its ReLU needs')],
    ["no output", { aux: null, hasResidual: false, auxIsOutput: true }, range(SAVED, '"saved" lacks the residual or output its ReLU needs')],
    ["flags", { frozen: 1 }, type(TYPE, '"saved.frozen" expected a boolean, got 1')],
    ["activation", { activation: "gelu" }, range(VALUE, '"saved.activation" expected one of "none", "relu", got "gelu"')],
  ];
  test.each(forged)("one with a wrong %s", (_, fields, expected) => {
    const f = fixture();
    const token = { ...tokenOf(f.layer.saved), ...fields };
    const { out } = f;
    const watched = [f.layer, f.x, out, dy, token];
    expectRejected(() => f.backward(dy, { saved: token, out }), watched, expected);
    expectRejected(() => (batchNormBackward as Loose)(dy, token, { out }), watched, expected);
    expectRejected(() => (gradSums as Loose)(dy, token), watched, expected);
  });
});

describe("stateless parts", () => {
  const sums = { sumG: new Float64Array(3), sumGX: new Float64Array(3) };
  const tables = { gradShift: new Float64Array(3), gradSlope: new Float64Array(3), gradScale: new Float64Array(3) };
  const parts: [string, (token: Saved<"float32">) => unknown, Rejection][] = [
    ["gradSums' length", (token) => gradSums(dy.subarray(2), token), range(SHAPE, '"gradOutput" expected length 24, got 22')],
    ["gradSums' option", (token) => (gradSums as Loose)(dy, token, { out: dy }), type(OPTION, 'unknown option "out", expected one of backend')],
    ["sums of other channels", (token) => coefficients(token, { ...sums, sumG: new Float64Array(4) }), range(SHAPE, '"sumG" expected length 3, got 4')],
    ["sums of float32", (token) => (coefficients as Loose)(token, { ...sums, sumGX: new Float32Array(3) }), type(TYPE, '"sumGX" expected a Float64Array, got a Float32Array')],
    ["coefficients of other channels", (token) => gradInput(dy, token, { ...tables, gradSlope: new Float64Array(2) }), range(SHAPE, '"gradSlope" expected length 3, got 2')],
    ["a coefficient missing", (token) => (gradInput as Loose)(dy, token, { gradShift: tables.gradShift, gradScale: tables.gradScale }), type(TYPE, '"gradSlope" expected a Float64Array, got undefined')],
    ["gradInput's out", (token) => gradInput(dy, token, tables, { out: new Float32Array(3) }), range(SHAPE, '"out" expected length 24, got 3')],
    ["residualOut without a residual", (token) => gradInput(dy, token, tables, { residualOut: new Float32Array(24) }), range(OPTION, '"residualOut" needs a forward with a residual')],
  ];
  test.each(parts)("%s", (_, call, expected) => {
    const { layer } = fixture(false);
    const token = tokenOf(layer.saved);
    expectRejected(() => call(token), [layer, token, sums, tables, dy], expected);
    expect(layer.backward(dy)).toEqual(fixture(false).layer.backward(dy));
  });

  test("moments of other channels are not merged", () => {
    const part = (channels: number) => ({ count: 2, mean: new Float64Array(channels), m2: new Float64Array(channels) });
    expectRejected(() => mergeMoments(part(3), part(2)), [], range(SHAPE, '"b" expected moments of 3 channels, got 2'));
  });
});
