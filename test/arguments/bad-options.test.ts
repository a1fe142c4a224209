// Bad arguments of the constructor: exact messages and codes.
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions } from "../../src/index.js";
import { expectRejected, OPTION, range, type, TYPE, VALUE, type Rejection } from "../support/rejected.js";

const SIZES: readonly (readonly [unknown, Rejection])[] = [
  [0, range(VALUE, '"numFeatures" expected a positive integer, got 0')],
  [-1, range(VALUE, '"numFeatures" expected a positive integer, got -1')],
  [2.5, range(VALUE, '"numFeatures" expected a positive integer, got 2.5')],
  [NaN, range(VALUE, '"numFeatures" expected a positive integer, got NaN')],
  [2 ** 53, range(VALUE, '"numFeatures" expected a positive integer up to 9007199254740991, got 9007199254740992')],
  ["3", type(TYPE, '"numFeatures" expected a number, got "3"')],
  [undefined, type(TYPE, '"numFeatures" expected a number, got undefined')],
  [3n, type(TYPE, '"numFeatures" expected a number, got 3n')],
];

const NAMES =
  "eps, momentum, decay, correction, convention, affine, weight, bias, trackRunningStats, layout, axis, dtype, activation, singleValue, " +
  "onNonFinite, renorm, virtualBatchSize, virtualBatches, reuse, maxPending, backend, threads";
const LAYOUTS = '"layout" expected one of "channels-first", "channels-last", "per-activation"';
const ACTIVATIONS =
  'expected one of "none", "relu", "leaky-relu", "relu6", "hard-sigmoid", "hard-swish", "squared-relu"';
const BACKENDS = '"native", "native/avx512", "native/avx2", "native/sse2", "native/neon", "wasm", "oracle"';

const OPTIONS: readonly (readonly [unknown, Rejection])[] = [
  [{ eps: -1e-5 }, range(VALUE, '"eps" expected a finite number ≥ 0, got -0.00001')],
  [{ eps: NaN }, range(VALUE, '"eps" expected a finite number ≥ 0, got NaN')],
  [{ eps: Infinity }, range(VALUE, '"eps" expected a finite number ≥ 0, got Infinity')],
  [{ eps: null }, type(TYPE, '"eps" expected a number, got null')],
  [{ momentum: -0.1 }, range(VALUE, '"momentum" expected a number in [0, 1], got -0.1')],
  [{ momentum: 1.1 }, range(VALUE, '"momentum" expected a number in [0, 1], got 1.1')],
  [{ momentum: NaN }, range(VALUE, '"momentum" expected a number in [0, 1], got NaN')],
  [{ momentum: "0.1" }, type(TYPE, '"momentum" expected a number, a function or null, got "0.1"')],
  [{ decay: 2 }, range(VALUE, '"decay" expected a number in [0, 1], got 2')],
  [{ decay: null }, type(TYPE, '"decay" expected a number, got null')],
  [{ momentum: 0.1, decay: 0.9 }, range(OPTION, '"momentum" and "decay" exclude each other')],
  [{ momentum: null, decay: 0.9 }, range(OPTION, '"momentum" and "decay" exclude each other')],
  [{ affine: true, weight: false }, range(OPTION, '"affine" and "weight" exclude each other')],
  [{ affine: false, bias: true }, range(OPTION, '"affine" and "bias" exclude each other')],
  [{ layout: "channels-last", axis: 2 }, range(OPTION, '"layout" and "axis" exclude each other')],
  [{ affine: 1 }, type(TYPE, '"affine" expected a boolean, got 1')],
  [{ weight: new Float32Array(3) }, type(TYPE, '"weight" expected a boolean, got a Float32Array')],
  [{ bias: null }, type(TYPE, '"bias" expected a boolean, got null')],
  [{ trackRunningStats: "no" }, type(TYPE, '"trackRunningStats" expected a boolean, got "no"')],
  [{ layout: "NCHW" }, range(VALUE, '"layout" "NCHW" is called "channels-first" here')],
  [{ layout: "NDHWC" }, range(VALUE, '"layout" "NDHWC" is called "channels-last" here')],
  [{ layout: "channels_last" }, range(VALUE, '"layout" "channels_last" is called "channels-last" here')],
  [{ layout: "channelsFirst" }, range(VALUE, '"layout" "channelsFirst" is called "channels-first" here')],
  [{ layout: "last" }, range(VALUE, `${LAYOUTS}, got "last"`)],
  [{ layout: 1 }, type(TYPE, '"layout" expected a string, got 1')],
  [{ axis: 0.5 }, range(VALUE, '"axis" expected an integer, got 0.5')],
  [{ axis: "1" }, type(TYPE, '"axis" expected a number or an array of numbers, got "1"')],
  [{ axis: Int8Array.of(1) }, type(TYPE, '"axis" expected a number or an array of numbers, got an Int8Array')],
  [{ axis: [] }, range(VALUE, '"axis" expected at least one axis, got []')],
  [{ axis: [1, 2.5] }, range(VALUE, '"axis[1]" expected an integer, got 2.5')],
  [{ axis: [1, "2"] }, type(TYPE, '"axis[1]" expected a number, got "2"')],
  [{ axis: new Array(1) }, type(TYPE, '"axis[0]" expected a number, got undefined')],
  [{ axis: [2, 3], layout: "per-activation" }, range(OPTION, '"layout" and "axis" exclude each other')],
  [{ maxPending: 0 }, range(VALUE, '"maxPending" expected a positive integer, got 0')],
  [{ maxPending: 1.5 }, range(VALUE, '"maxPending" expected a positive integer, got 1.5')],
  [{ maxPending: "4" }, type(TYPE, '"maxPending" expected a number, got "4"')],
  [{ dtype: "int8" }, range(VALUE, '"dtype" expected one of "float32", "float64", "float16", "bfloat16", got "int8"')],
  [{ dtype: Float32Array }, type(TYPE, '"dtype" expected a string, got a function')],
  [{ activation: "leaky_relu" }, range(VALUE, `"activation" ${ACTIVATIONS}, got "leaky_relu"`)],
  [{ activation: "gelu" }, range(VALUE, `"activation" ${ACTIVATIONS}, got "gelu"`)],
  [{ activation: null }, type(TYPE, '"activation" expected a string or an object with a "type", got null')],
  [
    { activation: "prelu" },
    range(VALUE, '"activation" "prelu" needs parameters, as in { type: "prelu", slope: new Float32Array(1) }'),
  ],
  [
    { activation: "clamp" },
    range(VALUE, '"activation" "clamp" needs parameters, as in { type: "clamp", min: 0, max: 6 }'),
  ],
  [{ activation: { slope: 0.1 } }, type(TYPE, '"activation.type" expected a string, got undefined')],
  [{ activation: { type: "gelu" } }, range(VALUE, `"activation.type" ${ACTIVATIONS}, "clamp", "prelu", got "gelu"`)],
  [{ activation: { type: "relu", slope: 1 } }, type(OPTION, '"activation" of type "relu" has no "slope"')],
  [{ activation: { type: "prelu", max: 1 } }, type(OPTION, '"activation" of type "prelu" has no "max"')],
  [
    { activation: { type: "prelu" } },
    type(TYPE, '"activation.slope" expected a Float32Array or Float64Array, got undefined'),
  ],
  [
    { activation: { type: "prelu", slope: 0.25 } },
    type(TYPE, '"activation.slope" expected a Float32Array or Float64Array, got 0.25'),
  ],
  [{ activation: { type: "clamp" } }, type(TYPE, '"activation.max" expected a number, got undefined')],
  [
    { activation: { type: "clamp", max: Infinity } },
    range(VALUE, '"activation.max" expected a number in [-1e+30, 1e+30], got Infinity'),
  ],
  [
    { activation: { type: "clamp", min: NaN, max: 1 } },
    range(VALUE, '"activation.min" expected a number in [-1e+30, 1e+30], got NaN'),
  ],
  [
    { activation: { type: "clamp", min: 1, max: 1 } },
    range(VALUE, '"activation.max" expected a number greater than "min" 1, got 1'),
  ],
  [{ activation: { type: "leaky-relu", alpha: 1 } }, type(OPTION, 'unknown option "alpha", did you mean "slope"?')],
  [
    { activation: { type: "leaky-relu", slope: -0.1 } },
    range(VALUE, '"activation.slope" expected a number in [0, 1e+30], got -0.1'),
  ],
  [
    { activation: { type: "leaky-relu", slope: 1e-31 } },
    range(VALUE, '"activation.slope" expected 0 or a number of at least 1e-30, got 1e-31'),
  ],
  [{ singleValue: true }, type(TYPE, '"singleValue" expected a string, got true')],
  [{ singleValue: "skip", trackRunningStats: false }, range(OPTION, '"singleValue" "skip" needs "trackRunningStats"')],
  [{ reuse: 1 }, type(TYPE, '"reuse" expected a boolean, got 1')],
  [{ threads: 0 }, range(VALUE, '"threads" expected a positive integer, got 0')],
  [{ backend: "gpu" }, range(VALUE, `"backend" expected one of ${BACKENDS}, got "gpu"`)],
  [{ epsilon: 1 }, type(OPTION, 'unknown option "epsilon", did you mean "eps"?')],
  [{ epsilon: undefined }, type(OPTION, 'unknown option "epsilon", did you mean "eps"?')],
  [{ center: false }, type(OPTION, 'unknown option "center", did you mean "bias"?')],
  [{ gamma: 1 }, type(OPTION, 'unknown option "gamma", did you mean "weight"?')],
  [{ Weight: true }, type(OPTION, 'unknown option "Weight", did you mean "weight"?')],
  [{ wieght: true }, type(OPTION, 'unknown option "wieght", did you mean "weight"?')],
  [{ momentun: 0.1 }, type(OPTION, 'unknown option "momentun", did you mean "momentum"?')],
  [{ Axes: 1 }, type(OPTION, 'unknown option "Axes", did you mean "axis"?')],
  [{ trackRuningStats: true }, type(OPTION, 'unknown option "trackRuningStats", did you mean "trackRunningStats"?')],
  [{ moemtnum: 1 }, type(OPTION, `unknown option "moemtnum", expected one of ${NAMES}`)],
  [
    { track_running_stats: true },
    type(OPTION, 'unknown option "track_running_stats", did you mean "trackRunningStats"?'),
  ],
  [{ inplace: true }, type(OPTION, `unknown option "inplace", expected one of ${NAMES}`)],
  [null, type(TYPE, '"options" expected an object, got null')],
  [1e-5, type(TYPE, '"options" expected an object, got 0.00001')],
  [[], type(TYPE, '"options" expected an object, got an Array')],
  [Promise.resolve({}), type(TYPE, '"options" expected an object, got a Promise: await it')],
  [() => 1, type(TYPE, '"options" expected an object, got a function')],
];

describe("new BatchNorm", () => {
  for (const [numFeatures, expected] of SIZES) {
    test(expected.message, () => {
      expectRejected(() => new BatchNorm(numFeatures as number), [], expected);
    });
  }
  for (const [options, expected] of OPTIONS) {
    test(expected.message, () => {
      expectRejected(() => new BatchNorm(3, options as BatchNormOptions<"float32">), [], expected);
    });
  }

  test("undefined options are the defaults", () => {
    const options = { eps: undefined, layout: undefined, axis: 2 } as unknown as BatchNormOptions<"float32">;
    expect(new BatchNorm(3, options).eps).toBe(1e-5);
  });
});
