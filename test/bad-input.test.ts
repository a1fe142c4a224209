// Bad arguments of construction and forward: exact messages and codes, and nothing written.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormInference,
  batchNormTraining,
  moments,
  type BatchNormOptions,
  type ForwardOptions,
} from "../src/index.js";
import { normals } from "./support/reference.js";
import { expectRejected, range, type, type Rejection } from "./support/rejected.js";

const TYPE = "ERR_BATCHNORM_TYPE";
const VALUE = "ERR_BATCHNORM_VALUE";
const OPTION = "ERR_BATCHNORM_OPTION";
const SHAPE = "ERR_BATCHNORM_SHAPE";
const ALIAS = "ERR_BATCHNORM_ALIAS";

/** Arguments as plain JavaScript passes them. */
type Loose = (...args: unknown[]) => unknown;

describe("new BatchNorm", () => {
  const wrong: [unknown, Rejection][] = [
    [0, range(VALUE, '"numFeatures" expected a positive integer, got 0')],
    [-1, range(VALUE, '"numFeatures" expected a positive integer, got -1')],
    [2.5, range(VALUE, '"numFeatures" expected a positive integer, got 2.5')],
    [NaN, range(VALUE, '"numFeatures" expected a positive integer, got NaN')],
    [2 ** 53, range(VALUE, '"numFeatures" expected a positive integer, got 9007199254740992')],
    ["3", type(TYPE, '"numFeatures" expected a number, got "3"')],
    [undefined, type(TYPE, '"numFeatures" expected a number, got undefined')],
    [3n, type(TYPE, '"numFeatures" expected a number, got 3n')],
  ];
  test.each(wrong)("%s features", (numFeatures, expected) => {
    expectRejected(() => new BatchNorm(numFeatures as number), [], expected);
  });

  const names =
    "eps, momentum, decay, affine, weight, bias, trackRunningStats, layout, axis, dtype, activation, singleValue, reuse, backend, threads";
  const backendNames = [
    "native",
    "native/avx512",
    "native/avx2",
    "native/sse2",
    "native/neon",
    "native/scalar",
    "wasm",
    "oracle",
  ];
  const options: [unknown, Rejection][] = [
    [{ eps: -1e-5 }, range(VALUE, '"eps" expected a finite number ≥ 0, got -0.00001')],
    [{ eps: NaN }, range(VALUE, '"eps" expected a finite number ≥ 0, got NaN')],
    [{ eps: Infinity }, range(VALUE, '"eps" expected a finite number ≥ 0, got Infinity')],
    [{ eps: null }, type(TYPE, '"eps" expected a number, got null')],
    [{ momentum: -0.1 }, range(VALUE, '"momentum" expected a number in [0, 1], got -0.1')],
    [{ momentum: 1.1 }, range(VALUE, '"momentum" expected a number in [0, 1], got 1.1')],
    [{ momentum: NaN }, range(VALUE, '"momentum" expected a number in [0, 1], got NaN')],
    [{ momentum: "0.1" }, type(TYPE, '"momentum" expected a number, got "0.1"')],
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
    [{ layout: "NCHW" }, range(VALUE, '"layout" expected one of "channels-first", "channels-last", got "NCHW"')],
    [{ layout: 1 }, type(TYPE, '"layout" expected one of "channels-first", "channels-last", got 1')],
    [{ axis: 0.5 }, range(VALUE, '"axis" expected an integer, got 0.5')],
    [{ axis: "1" }, type(TYPE, '"axis" expected a number, got "1"')],
    [{ dtype: "float16" }, range(VALUE, '"dtype" expected one of "float32", "float64", got "float16"')],
    [{ dtype: Float32Array }, type(TYPE, '"dtype" expected a string, got a function')],
    [{ activation: "gelu" }, range(VALUE, '"activation" expected one of "none", "relu", got "gelu"')],
    [{ singleValue: true }, type(TYPE, '"singleValue" expected a string, got true')],
    [
      { singleValue: "skip", trackRunningStats: false },
      range(OPTION, '"singleValue" "skip" needs "trackRunningStats"'),
    ],
    [{ reuse: 1 }, type(TYPE, '"reuse" expected a boolean, got 1')],
    [{ threads: 0 }, range(VALUE, '"threads" expected a positive integer, got 0')],
    [
      { backend: "gpu" },
      range(VALUE, `"backend" expected one of ${backendNames.map((name) => `"${name}"`).join(", ")}, got "gpu"`),
    ],
    [{ epsilon: 1 }, type(OPTION, `unknown option "epsilon", expected one of ${names}`)],
    [{ epsilon: undefined }, type(OPTION, `unknown option "epsilon", expected one of ${names}`)],
    [null, type(TYPE, '"options" expected an object, got null')],
    [1e-5, type(TYPE, '"options" expected an object, got 0.00001')],
    [[], type(TYPE, '"options" expected an object, got an Array')],
    [() => 1, type(TYPE, '"options" expected an object, got a function')],
  ];
  test.each(options)("%j", (given, expected) => {
    expectRejected(() => new BatchNorm(3, given as BatchNormOptions<"float32">), [], expected);
  });

  test("undefined options are the defaults", () => {
    expect(
      new BatchNorm(3, { eps: undefined, layout: undefined, axis: 2 } as unknown as BatchNormOptions<"float32">).eps,
    ).toBe(1e-5);
  });
});

/** A layer of 3 features with a past, and arrays for a forward of [2, 3, 4]. */
function fixture(options: BatchNormOptions<"float32"> = {}): {
  layer: BatchNorm;
  forward: Loose;
  x: Float32Array;
  out: Float32Array;
  all: unknown[];
} {
  const layer = new BatchNorm(3, options);
  layer.forward(normals("float32", 24, 1), [2, 3, 4]);
  const x = normals("float32", 24, 2);
  const out = normals("float32", 24, 3);
  return { layer, x, out, forward: (layer.forward as Loose).bind(layer), all: [layer, x, out] };
}

const big = new Float32Array(64);
const detached = new Float32Array(24);
structuredClone(detached, { transfer: [detached.buffer] });

describe("forward", () => {
  const x = normals("float32", 24, 2);
  const xs: [string, unknown[], Rejection][] = [
    [
      "an Array",
      [
        [1, 2, 3],
        [1, 3],
      ],
      type(TYPE, '"x" expected a Float32Array, a Float64Array or a tensor { data, shape }, got an Array'),
    ],
    [
      "nothing",
      [],
      type(TYPE, '"x" expected a Float32Array, a Float64Array or a tensor { data, shape }, got undefined'),
    ],
    [
      "null",
      [null, [2, 3, 4]],
      type(TYPE, '"x" expected a Float32Array, a Float64Array or a tensor { data, shape }, got null'),
    ],
    [
      "a Float64Array",
      [new Float64Array(24), [2, 3, 4]],
      type(TYPE, '"x" expected a Float32Array, got a Float64Array'),
    ],
    ["an Int32Array", [new Int32Array(24), [2, 3, 4]], type(TYPE, '"x" expected a Float32Array, got an Int32Array')],
    ["too short", [x.subarray(1), [2, 3, 4]], range(SHAPE, '"x" expected length 24, got 23')],
    ["too long", [new Float32Array(25), [2, 3, 4]], range(SHAPE, '"x" expected length 24, got 25')],
    ["detached", [detached, [2, 3, 4]], type("ERR_BATCHNORM_DETACHED", '"x" has a detached buffer')],
    ["detached and empty", [detached, [0, 3, 4]], type("ERR_BATCHNORM_DETACHED", '"x" has a detached buffer')],
    ["no shape", [x], type(TYPE, '"shape" expected an array of sizes, got undefined')],
    ["a number for a shape", [x, 24], type(TYPE, '"shape" expected an array of sizes, got 24')],
    ["a typed shape", [x, Int32Array.of(2, 3, 4)], type(TYPE, '"shape" expected an array of sizes, got an Int32Array')],
    ["a negative size", [x, [-2, 3, 4]], range(VALUE, '"shape[0]" expected a non-negative integer, got -2')],
    ["a fractional size", [x, [2, 3, 4.5]], range(VALUE, '"shape[2]" expected a non-negative integer, got 4.5')],
    ["NaN for a size", [x, [2, NaN, 4]], range(VALUE, '"shape[1]" expected a non-negative integer, got NaN')],
    [
      "2^53 for a size",
      [x, [2 ** 53, 3]],
      range(VALUE, '"shape[0]" expected a non-negative integer, got 9007199254740992'),
    ],
    ["a string for a size", [x, [2, "3", 4]], type(TYPE, '"shape[1]" expected a number, got "3"')],
    ["a hole for a size", [x, [2, 3, , 4]], type(TYPE, '"shape[2]" expected a number, got undefined')], // eslint-disable-line no-sparse-arrays
    [
      "2^53 elements",
      [x, [2 ** 27, 3, 2 ** 26]],
      range(SHAPE, '"shape" expected at most 2^53 - 1 elements, got [134217728, 3, 67108864]'),
    ],
    ["other channels", [x, [3, 2, 4]], range(SHAPE, '"shape" expected 3 channels at axis 1, got 2 in [3, 2, 4]')],
    [
      "no channels",
      [new Float32Array(0), [3, 0, 4]],
      range(SHAPE, '"shape" expected at least 1 channel at axis 1, got [3, 0, 4]'),
    ],
    ["no such axis", [x, [24]], range(SHAPE, '"shape" expected a channel axis 1, got [24]')],
    ["rank 0", [x, []], range(SHAPE, '"shape" expected a channel axis 1, got []')],
    [
      "one value per channel",
      [x.subarray(0, 3), [1, 3, 1]],
      range("ERR_BATCHNORM_SINGLE_VALUE", "Expected more than 1 value per channel when training, got shape [1, 3, 1]"),
    ],
    ["no object for options", [x, [2, 3, 4], true], type(TYPE, '"options" expected an object, got true')],
    [
      "an unknown option",
      [x, [2, 3, 4], { training: true }],
      type(OPTION, 'unknown option "training", expected one of out, residual, save'),
    ],
    ["save: 1", [x, [2, 3, 4], { save: 1 }], type(TYPE, '"save" expected a boolean, got 1')],
    [
      "a tensor and a shape",
      [{ data: x, shape: [2, 3, 4] }, [2, 3, 4]],
      type(TYPE, '"options" expected an object, got an Array'),
    ],
    [
      "a tensor of other data",
      [{ data: [1], shape: [2, 3, 4] }],
      type(TYPE, '"x" expected a Float32Array, got an Array'),
    ],
    [
      "a tensor's bad size",
      [{ data: x, dims: [2, 3, -4] }],
      range(VALUE, '"x.dims[2]" expected a non-negative integer, got -4'),
    ],
    [
      "data()",
      [{ data: () => x, shape: [2, 3, 4] }],
      type(TYPE, '"x.data" is a function: pass { data: x.data(), shape: x.shape }'),
    ],
    [
      "dataSync()",
      [{ data: () => x, dataSync: () => x, shape: [2, 3, 4] }],
      type(TYPE, '"x.data" is a function: pass { data: x.dataSync(), shape: x.shape }'),
    ],
    [
      "strides",
      [{ data: x, shape: [2, 3, 4], strides: [1, 2, 6] }],
      range(SHAPE, '"x" expected contiguous data, got strides [1, 2, 6] for shape [2, 3, 4]'),
    ],
    [
      "ndarray's stride",
      [{ data: x, shape: [2, 3, 4], stride: [24, 8, 2] }],
      range(SHAPE, '"x" expected contiguous data, got strides [24, 8, 2] for shape [2, 3, 4]'),
    ],
    [
      "an offset",
      [{ data: x, shape: [2, 3, 4], strides: [12, 4, 1], offset: 4 }],
      range(SHAPE, '"x" expected contiguous data from offset 0, got offset 4'),
    ],
  ];
  test.each(xs)("%s", (_, args, expected) => {
    const { forward, all } = fixture();
    expectRejected(() => forward(...args), [...all, x], expected);
  });

  const outputs: [string, (x: Float32Array, out: Float32Array) => ForwardOptions<"float32">, Rejection][] = [
    ["out too short", (_, out) => ({ out: out.subarray(1) }), range(SHAPE, '"out" expected length 24, got 23')],
    ["out too long", () => ({ out: new Float32Array(25) }), range(SHAPE, '"out" expected length 24, got 25')],
    [
      "out of another kind",
      () => ({ out: new Float64Array(24) as unknown as Float32Array }),
      type(TYPE, '"out" expected a Float32Array, got a Float64Array'),
    ],
    ["out detached", () => ({ out: detached }), type("ERR_BATCHNORM_DETACHED", '"out" has a detached buffer')],
    [
      "out is x",
      (given) => ({ out: given }),
      range(ALIAS, '"out" must not be "x": the saved forward needs x (save: false gives it up)'),
    ],
    [
      "residual too short",
      (_, out) => ({ residual: out.subarray(1) }),
      range(SHAPE, '"residual" expected length 24, got 23'),
    ],
    [
      "residual an Array",
      () => ({ residual: [1] as unknown as Float32Array }),
      type(TYPE, '"residual" expected a Float32Array, got an Array'),
    ],
    [
      "residual of another shape",
      (_, out) => ({ residual: { data: out, shape: [4, 3, 2] } }),
      range(SHAPE, '"residual" expected shape [2, 3, 4], got [4, 3, 2]'),
    ],
    [
      "residual detached",
      () => ({ residual: detached }),
      type("ERR_BATCHNORM_DETACHED", '"residual" has a detached buffer'),
    ],
    [
      "out overlaps residual",
      () => ({ out: big.subarray(0, 24), residual: big.subarray(1, 25) }),
      range(ALIAS, '"out" overlaps "residual" partly'),
    ],
  ];
  test.each(outputs)("%s", (_, options, expected) => {
    const { layer, x, out, all } = fixture();
    expectRejected(() => layer.forward(x, [2, 3, 4], options(x, out)), [...all, big], expected);
  });

  test("a backend that cannot be used, at first use", () => {
    const backend = process.arch === "arm64" ? "native/avx2" : "native/neon";
    const layer = new BatchNorm(3, { backend });
    const { x, all } = fixture();
    let reason = "";
    try {
      void layer.backend;
    } catch (error) {
      ({ reason } = error as { reason: string });
    }
    expect(reason).not.toBe("");
    const expected: Rejection = {
      error: "BackendUnavailableError",
      code: "ERR_BATCHNORM_BACKEND",
      message: `backend "${backend}" cannot be used: ${reason}`,
    };
    expectRejected(() => layer.forward(x, [2, 3, 4]), [...all, layer], expected);
  });

  test("frozen", () => {
    const { layer, all } = fixture();
    expectRejected(() => Object.assign(layer, { frozen: 1 }), all, type(TYPE, '"frozen" expected a boolean, got 1'));
    const without = new BatchNorm(3, { trackRunningStats: false });
    expectRejected(
      () => (without.frozen = true),
      [without],
      range(VALUE, '"frozen" needs running statistics, got a layer with trackRunningStats: false'),
    );
  });
});

describe("stateless forward functions", () => {
  const x = normals("float32", 24, 2);
  const table = new Float32Array(3);
  const training = batchNormTraining as Loose;
  const affine = "weight, bias, eps, activation, out, residual, save, layout, axis, backend, threads";
  const own = { count: 8, mean: new Float64Array(3), m2: new Float64Array(3) };
  const calls: [string, () => unknown, Rejection][] = [
    [
      "weight",
      () => training(x, [2, 3, 4], { weight: new Float32Array(4) }),
      range(SHAPE, '"weight" expected length 3, got 4'),
    ],
    [
      "bias",
      () => training(x, [2, 3, 4], { bias: new Float64Array(3) }),
      type(TYPE, '"bias" expected a Float32Array, got a Float64Array'),
    ],
    ["eps", () => training(x, [2, 3, 4], { eps: -1 }), range(VALUE, '"eps" expected a finite number ≥ 0, got -1')],
    [
      "threads",
      () => training(x, [2, 3, 4], { threads: 1.5 }),
      range(VALUE, '"threads" expected a positive integer, got 1.5'),
    ],
    [
      "momentum",
      () => training(x, [2, 3, 4], { momentum: 1 }),
      type(OPTION, `unknown option "momentum", expected one of ${affine}, moments`),
    ],
    [
      "moments of other channels",
      () => training(x, [2, 3, 4], { moments: { ...own, mean: new Float64Array(4) } }),
      range(SHAPE, '"moments.mean" expected length 3, got 4'),
    ],
    [
      "moments of float32",
      () => training(x, [2, 3, 4], { moments: { ...own, m2: table } }),
      type(TYPE, '"moments.m2" expected a Float64Array, got a Float32Array'),
    ],
    [
      "moments of nothing",
      () => training(x, [2, 3, 4], { moments: { ...own, count: 0 } }),
      range(VALUE, '"moments.count" expected a positive integer, got 0'),
    ],
    [
      "no running mean",
      () => (batchNormInference as Loose)(x, [2, 3, 4], { runningVar: table }),
      type(TYPE, '"runningMean" expected a Float32Array, got undefined'),
    ],
    [
      "running variance",
      () => (batchNormInference as Loose)(x, [2, 3, 4], { runningMean: table, runningVar: new Float32Array(2) }),
      range(SHAPE, '"runningVar" expected length 3, got 2'),
    ],
    [
      "moments' option",
      () => (moments as Loose)(x, [2, 3, 4], { eps: 1 }),
      type(OPTION, 'unknown option "eps", expected one of layout, axis, backend, threads'),
    ],
    [
      "moments' x",
      () => (moments as Loose)(new Uint8Array(24), [2, 3, 4]),
      type(TYPE, '"x" expected a Float32Array, got a Uint8Array'),
    ],
  ];
  test.each(calls)("%s", (_, call, expected) => {
    expectRejected(call, [x, table, own], expected);
  });
});
