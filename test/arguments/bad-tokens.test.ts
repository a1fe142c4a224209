// Tokens that are missing, used or forged, and bad arguments of the stateless backward parts: exact messages, nothing written.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  type Saved,
} from "../../src/index.js";
import { normals, tokenOf } from "../support/reference.js";
import {
  detached,
  DETACHED,
  expectRejected,
  OPTION,
  range,
  SAVED,
  SHAPE,
  type,
  TYPE,
  VALUE,
} from "../support/rejected.js";
import type { Loose, Rejection } from "../support/rejected.js";

const GOOD = [2, 3, 4];
const dy = normals("float32", 24, 4);
const gone = detached(24);

/** A layer of 3 features after a forward with ReLU. */
function forwarded(withResidual = true): { layer: BatchNorm; residual: Float32Array } {
  const layer = new BatchNorm(3, { activation: "relu" });
  const residual = normals("float32", 24, 2);
  layer.forward(normals("float32", 24, 1), GOOD, withResidual ? { residual } : {});
  return { layer, residual };
}

describe("tokens", () => {
  const none =
    '"saved" expected the token of a forward, got null: run forward (in inference with "save" true) before backward' +
    '; if it ran more than once, pass the token of each forward as "saved"';

  test("none: before any forward, after its backward, and where nothing was saved", () => {
    const layer = new BatchNorm(3);
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    const x = normals("float32", 24, 1);
    layer.forward(x, GOOD);
    layer.backward(dy);
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    layer.forward(x, GOOD, { save: false });
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    layer.eval().forward(x, GOOD);
    expectRejected(() => layer.backward(dy), [layer, dy], type(SAVED, none));
    expectRejected(() => (batchNormBackward as Loose)(dy, null), [dy], type(SAVED, none));
    expectRejected(() => (batchNormBackward as Loose)(dy), [dy], type(SAVED, none.replace("null", "undefined")));
  });

  test("used ones, by layer and functions alike", () => {
    const used = range(SAVED, '"saved" was already used by a backward: run forward again');
    const uses: ((token: Saved<"float32">) => unknown)[] = [
      (token) => batchNormBackward(dy, token),
      (token) => batchNormGradInput(dy, token, batchNormGradCoefficients(token, batchNormGradSums(dy, token))),
      (token) => new BatchNorm(3).backward(dy, { saved: token }),
    ];
    for (const use of uses) {
      const token = tokenOf(forwarded().layer.saved);
      use(token);
      for (const again of uses) expectRejected(() => again(token), [token, dy], used);
      expectRejected(() => batchNormGradSums(dy, token), [token, dy], used);
    }
  });

  const forged: [Record<string, unknown>, Rejection][] = [
    [{ shape: 24 }, type(TYPE, '"saved.shape" expected an array of sizes, got 24')],
    [
      { dtype: "int8" },
      range(VALUE, '"saved.dtype" expected one of "float32", "float64", "float16", "bfloat16", got "int8"'),
    ],
    [{ dtype: "float64" }, type(TYPE, '"saved.x" expected a Float64Array, got a Float32Array')],
    [{ outer: 3 }, range(SAVED, '"saved" expected a shape of 36 elements, got [2, 3, 4]')],
    [{ channels: 0 }, range(VALUE, '"saved.channels" expected a positive integer, got 0')],
    [{ inner: -4 }, range(VALUE, '"saved.inner" expected a non-negative integer, got -4')],
    [{ count: -1 }, range(VALUE, '"saved.count" expected a finite number ≥ 0, got -1')],
    ...[-1, NaN, Infinity].map((bad): [Record<string, unknown>, Rejection] => [
      { sampleWeights: Float32Array.of(1, 1, 1, 1, bad, 1, 1, 1) },
      range(VALUE, `"saved.sampleWeights" expected finite numbers ≥ 0, got ${bad}`),
    ]),
    [
      { sampleWeights: Float32Array.of(1, -1) },
      range(VALUE, '"saved.sampleWeights" expected finite numbers ≥ 0, got -1'),
    ],
    [{ life: undefined }, type(SAVED, '"saved" expected the token of a forward, got an object')],
    [{ life: new Float32Array(1) }, type(TYPE, '"saved.life" expected a Uint8Array, got a Float32Array')],
    [{ memory: 1 }, type(TYPE, '"saved.memory[0]" expected a Uint8Array, got 1')],
    [{ memory: [null] }, type(TYPE, '"saved.memory[0]" expected a Uint8Array, got null')],
    [{ checksum: "1" }, range(SAVED, '"saved" refers to data that changed between forward and backward')],
    [{ sampleWeights: new Float32Array(9) }, range(SHAPE, '"saved.sampleWeights" expected length 8, got 9')],
    [{ sampleWeights: new Float32Array(4) }, range(SHAPE, '"saved.sampleWeights" expected length 8, got 4')],
    [
      { sampleWeights: new Float64Array(8) },
      type(TYPE, '"saved.sampleWeights" expected a Float32Array, got a Float64Array'),
    ],
    [{ maskedOutput: "none" }, range(VALUE, '"saved.maskedOutput" expected one of "normalize", "zero", got "none"')],
    [{ mean: new Float64Array(2) }, range(SHAPE, '"saved.mean" expected length 3, got 2')],
    [{ invStd: [1, 1, 1] }, type(TYPE, '"saved.invStd" expected a Float64Array, got an Array')],
    [{ x: new Float32Array(23) }, range(SHAPE, '"saved.x" expected length 24, got 23')],
    [{ x: gone }, type(DETACHED, '"saved.x" has a detached buffer')],
    [{ residualOrOutput: new Float32Array(1) }, range(SHAPE, '"saved.residualOrOutput" expected length 24, got 1')],
    [{ residualOrOutput: null }, range(SAVED, '"saved" lacks the residual or output its activation needs')],
    [
      { residualOrOutput: null, hasResidual: false, holdsOutput: true },
      range(SAVED, '"saved" lacks the residual or output its activation needs'),
    ],
    [{ isPart: 1 }, type(TYPE, '"saved.isPart" expected a boolean, got 1')],
    [{ fixedStatistics: 1 }, type(TYPE, '"saved.fixedStatistics" expected a boolean, got 1')],
    [{ xIsOutput: 0 }, type(TYPE, '"saved.xIsOutput" expected a boolean, got 0')],
    [{ xIsOutput: true }, range(SAVED, '"saved" holds an output that no input can be made of')],
    [
      { activation: "gelu" },
      range(
        VALUE,
        '"saved.activation" expected one of "none", "relu", "leaky-relu", "relu6", "hard-sigmoid", "hard-swish", ' +
          '"squared-relu", got "gelu"',
      ),
    ],
  ];
  for (const [fields, expected] of forged) {
    test(`forged: ${expected.message}`, () => {
      const { layer, residual } = forwarded();
      const token = { ...tokenOf(layer.saved), ...fields };
      const out = normals("float32", 24, 3);
      const watched = [layer, residual, out, dy, token];
      expectRejected(() => (layer.backward as Loose).call(layer, dy, { saved: token, out }), watched, expected);
      expectRejected(() => (batchNormBackward as Loose)(dy, token, { out }), watched, expected);
      expectRejected(() => (batchNormGradSums as Loose)(dy, token), watched, expected);
    });
  }
});

describe("stateless parts", () => {
  const sums = { sumG: new Float64Array(3), sumGX: new Float64Array(3) };
  const tables = { gradShift: new Float64Array(3), gradSlope: new Float64Array(3), gradScale: new Float64Array(3) };
  const parts: [(token: Saved<"float32">) => unknown, Rejection][] = [
    [(token) => batchNormGradSums(dy.subarray(2), token), range(SHAPE, '"gradOutput" expected length 24, got 22')],
    [
      (token) => (batchNormGradSums as Loose)(dy, token, { out: dy }),
      type(OPTION, 'unknown option "out", expected one of backend, threads'),
    ],
    [(token) => (batchNormGradCoefficients as Loose)(token, null), type(TYPE, '"sums" expected an object, got null')],
    [
      (token) => (batchNormGradInput as Loose)(dy, token, null),
      type(TYPE, '"coefficients" expected an object, got null'),
    ],
    [
      (token) => batchNormGradCoefficients(token, { ...sums, sumG: new Float64Array(4) }),
      range(SHAPE, '"sumG" expected length 3, got 4'),
    ],
    [
      (token) => (batchNormGradCoefficients as Loose)(token, { ...sums, sumGX: new Float32Array(3) }),
      type(TYPE, '"sumGX" expected a Float64Array, got a Float32Array'),
    ],
    [
      (token) => batchNormGradInput(dy, token, { ...tables, gradSlope: new Float64Array(2) }),
      range(SHAPE, '"gradSlope" expected length 3, got 2'),
    ],
    [
      (token) => (batchNormGradInput as Loose)(dy, token, { gradShift: tables.gradShift, gradScale: tables.gradScale }),
      type(TYPE, '"gradSlope" expected a Float64Array, got undefined'),
    ],
    [
      (token) => batchNormGradInput(dy, token, tables, { out: new Float32Array(3) }),
      range(SHAPE, '"out" expected length 24, got 3'),
    ],
    [
      (token) => batchNormGradInput(dy, token, tables, { residualOut: new Float32Array(24) }),
      range(OPTION, '"residualOut" needs a forward with a residual'),
    ],
  ];
  for (const [call, expected] of parts) {
    test(expected.message, () => {
      const { layer } = forwarded(false);
      const token = tokenOf(layer.saved);
      expectRejected(() => call(token), [layer, token, sums, tables, dy], expected);
      expect(layer.backward(dy)).toEqual(forwarded(false).layer.backward(dy));
    });
  }
});
