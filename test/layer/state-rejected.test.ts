// States that loadStateDict refuses: the message, and that the layer stays as it was.
import { describe, expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions, type DType, type StateSource } from "../../src/index.js";
import { DETACHED, OPTION, SHAPE, STATE, TYPE, VALUE, detached } from "../support/rejected.js";
import { errorOf, expectRejected, range, type, type Rejection } from "../support/rejected.js";
import { parameters } from "../support/reference.js";

/** A layer whose every table has values of its own. */
function layerOf<D extends DType = "float32">(options: BatchNormOptions<D> = {}): BatchNorm<D> {
  const layer = new BatchNorm<D>(3, options);
  layer.weight?.set(parameters("float32", 3, 2));
  layer.runningVar?.set(parameters("float32", 3, 3).map(Math.abs));
  if (layer.runningMean) layer.numBatchesTracked = 3;
  return layer;
}

const good = (): Record<string, unknown> => ({ ...new BatchNorm(3).stateDict(), weight: Float32Array.of(7, 8, 9) });

/** The call leaves the layer as it was, its counter included. */
function expectRefused<D extends DType>(
  layer: BatchNorm<D>,
  state: unknown,
  expected: Rejection,
  options?: unknown,
): void {
  const before = layer.stateDict({ extras: true });
  expectRejected(() => layer.loadStateDict(state as StateSource, options as object), [layer, state], expected);
  expect(layer.stateDict({ extras: true })).toEqual(before);
}

describe("values", () => {
  const table = "an array of numbers or a tensor { data, shape }";
  const cases: readonly [string, Record<string, unknown>, Rejection][] = [
    // Kinds
    ["a string", { bias: "x" }, type(TYPE, `"bias" expected ${table}, got "x"`)],
    ["null", { bias: null }, type(TYPE, `"bias" expected ${table}, got null`)],
    ["an empty object", { bias: {} }, type(TYPE, `"bias" expected ${table}, got an object`)],
    ["a gap", { bias: { 0: 1, 2: 1 } }, type(TYPE, `"bias" expected ${table}, got an object`)],
    ["no array in a tensor", { bias: { data: 5, shape: [3] } }, type(TYPE, `"bias" expected ${table}, got 5`)],
    [
      "data that must be called for",
      { bias: { data: () => 5, dataSync: () => 5, shape: [3] } },
      type(TYPE, '"bias.data" is a function: pass { data: bias.dataSync(), shape: bias.shape }'),
    ],
    [
      "integers",
      { bias: new Int32Array(3) },
      type(TYPE, '"bias" expected a Float32Array or Float64Array, got an Int32Array'),
    ],
    [
      "bigints",
      { bias: new BigInt64Array(3) },
      type(TYPE, '"bias" expected a Float32Array or Float64Array, got a BigInt64Array'),
    ],
    [
      "16 bits",
      { bias: new Uint16Array(3) },
      type(
        TYPE,
        '"bias" is a Uint16Array, and a layer of dtype float32 cannot know what its bits mean: convert it with fromFloat16Bits or fromBfloat16Bits',
      ),
    ],
    [
      "null of JSON",
      { running_mean: [0, 1, null] },
      type(TYPE, '"running_mean[2]" expected a number, got null (JSON writes NaN and infinite numbers as null)'),
    ],
    ["a nested Array", { bias: [[0, 1, 2], 1, 2] }, type(TYPE, '"bias[0]" expected a number, got an Array')],
    ["a hole", { bias: new Array(3) }, type(TYPE, '"bias[0]" expected a number, got undefined')],
    ["bigints in an Array", { bias: [1, 2n, 3] }, type(TYPE, '"bias[1]" expected a number, got 2n')],
    ["a detached array", { bias: detached(3) }, type(DETACHED, '"bias" has a detached buffer')],
    // Sizes
    ["a short array", { running_mean: new Float32Array(2) }, range(SHAPE, '"running_mean" expected length 3, got 2')],
    ["a long Array", { bias: [1, 2, 3, 4] }, range(SHAPE, '"bias" expected length 3, got 4')],
    ["an endless Array", { bias: new Array(2 ** 32 - 1) }, range(SHAPE, '"bias" expected length 3, got 4294967295')],
    ["long JSON", { bias: { 0: 1, 1: 1, 2: 1, 3: 1 } }, range(SHAPE, '"bias" expected length 3, got 4')],
    [
      "a tensor of two axes",
      { bias: { data: [1, 2, 3], shape: [1, 3] } },
      range(SHAPE, '"bias" expected shape [3], got [1, 3]'),
    ],
    ["a shape that lies", { bias: { data: [1, 2], dims: [3] } }, range(SHAPE, '"bias" expected length 3, got 2')],
    // Numbers
    [
      "a negative variance",
      { running_var: [1, 2, -1] },
      range(VALUE, '"running_var[2]" expected a number ≥ 0, got -1'),
    ],
    [
      "a variance of NaN",
      { running_var: Float64Array.of(1, NaN, 1) },
      range(VALUE, '"running_var[1]" expected a number ≥ 0, got NaN'),
    ],
    // Each rounds to −0 in float32.
    [
      "a small negative variance",
      { running_var: [1, -1e-60, 1] },
      range(VALUE, '"running_var[1]" expected a number ≥ 0, got -1e-60'),
    ],
    [
      "a small negative variance of float64",
      { running_var: Float64Array.of(1, 1, -Number.MIN_VALUE) },
      range(VALUE, '"running_var[2]" expected a number ≥ 0, got -5e-324'),
    ],
    [
      "what float32 cannot hold",
      { running_mean: [1e300, 0, 0] },
      range(VALUE, '"running_mean[0]" expected a number that float32 can hold, got 1e+300'),
    ],
    [
      "half a step above the largest float32",
      { bias: Float64Array.of(0, 3.4028235677973366e38, 0) },
      range(VALUE, '"bias[1]" expected a number that float32 can hold, got 3.4028235677973366e+38'),
    ],
  ];
  test.each(cases)("%s", (_, change, expected) => {
    expectRefused(layerOf(), { ...good(), ...change }, expected);
    const [name] = Object.keys(change);
    const prefixed = {
      "a.x": 1,
      ...Object.fromEntries(Object.entries(change).map(([key, value]) => [`b.${key}`, value])),
    };
    const message = expected.message.replaceAll(/(?<![.\w])(bias|running_\w+)(?=[".[]|\.)/g, "b.$1");
    expectRefused(layerOf(), prefixed, { ...expected, message }, { prefix: "b.", strict: false });
    expect(message).toContain(`b.${name!}`);
  });

  test("float64 layers hold what float32 cannot", () => {
    const layer = layerOf({ dtype: "float64" });
    layer.loadStateDict({ ...good(), bias: [1e300, 5e-324, 0] });
    expect(layer.bias).toEqual(Float64Array.of(1e300, 5e-324, 0));
  });
});

describe("counters", () => {
  const integer = "a non-negative integer";
  const cases: readonly [unknown, Rejection][] = [
    [-1, range(VALUE, `"num_batches_tracked" expected ${integer}, got -1`)],
    [0.5, range(VALUE, `"num_batches_tracked" expected ${integer}, got 0.5`)],
    [NaN, range(VALUE, `"num_batches_tracked" expected ${integer}, got NaN`)],
    [-1n, range(VALUE, `"num_batches_tracked" expected ${integer}, got -1`)],
    [
      2n ** 60n,
      range(VALUE, `"num_batches_tracked" expected ${integer} up to 9007199254740991, got 1152921504606847000`),
    ],
    [BigInt64Array.of(-4n), range(VALUE, `"num_batches_tracked" expected ${integer}, got -4`)],
    [Float32Array.of(1.5), range(VALUE, `"num_batches_tracked" expected ${integer}, got 1.5`)],
    ["5", type(TYPE, '"num_batches_tracked" expected a number, got "5"')],
    [["5"], type(TYPE, '"num_batches_tracked" expected a number, got "5"')],
    [null, type(TYPE, '"num_batches_tracked" expected a number, got null')],
    [[], range(SHAPE, '"num_batches_tracked" expected length 1, got 0')],
    [BigInt64Array.of(1n, 2n), range(SHAPE, '"num_batches_tracked" expected length 1, got 2')],
    [{ data: [1, 2], shape: [2] }, range(SHAPE, '"num_batches_tracked" expected shape [1], got [2]')],
    [{ data: [1, 2], shape: [] }, range(SHAPE, '"num_batches_tracked" expected length 1, got 2')],
  ];
  test.each(cases)("%o", (num_batches_tracked, expected) => {
    expectRefused(layerOf(), { ...good(), num_batches_tracked }, expected);
  });

  test("of skipped batches, and the version of the contract", () => {
    const most = range(VALUE, '"num_batches_skipped" expected at most 2, got 3');
    expectRefused(layerOf(), { ...good(), num_batches_tracked: 2, num_batches_skipped: 3 }, most);
    const version = range(VALUE, '"contract_version" expected a positive integer, got 0');
    expectRefused(layerOf(), { ...good(), contract_version: 0 }, version);
  });
});

describe("keys", () => {
  const start = "the state does not fit the layer: ";
  const required = '"weight", "bias", "running_mean", "running_var"';
  const array = [1, 1, 1];
  const named = (...names: string[]): Record<string, unknown> => Object.fromEntries(names.map((name) => [name, array]));
  const prefixed = (prefix: string): Record<string, unknown> =>
    named(...["weight", "bias", "running_mean", "running_var"].map((name) => prefix + name));

  const cases: readonly [string, unknown, string][] = [
    ["nothing", {}, `missing: ${required}`],
    ["an empty Map", new Map(), `missing: ${required}`],
    ["undefined", { ...good(), bias: undefined }, 'missing: "bias"'],
    ["one too many", { ...good(), extra: 1 }, 'unexpected: "extra"'],
    [
      "Keras",
      named("gamma", "beta", "moving_mean", "moving_variance"),
      `rename "gamma" to "weight", "beta" to "bias", "moving_mean" to "running_mean", "moving_variance" to "running_var"; missing: ${required}; unexpected: "gamma", "beta", "moving_mean", "moving_variance"`,
    ],
    [
      "variables of Keras",
      named("bn/gamma:0", "bn/beta:0", "bn/moving_mean:0", "bn/moving_variance:0"),
      `rename "bn/gamma:0" to "weight", "bn/beta:0" to "bias", "bn/moving_mean:0" to "running_mean", "bn/moving_variance:0" to "running_var"; missing: ${required}; unexpected: "bn/gamma:0", "bn/beta:0", "bn/moving_mean:0", "bn/moving_variance:0"`,
    ],
    [
      "ONNX",
      named("scale", "B", "input_mean", "input_var"),
      `rename "scale" to "weight", "B" to "bias", "input_mean" to "running_mean", "input_var" to "running_var"; missing: ${required}; unexpected: "scale", "B", "input_mean", "input_var"`,
    ],
    [
      "the fields of a layer",
      { weight: array, bias: array, runningMean: array, runningVar: array, numBatchesTracked: 3 },
      `rename "runningMean" to "running_mean", "runningVar" to "running_var", "numBatchesTracked" to "num_batches_tracked"; missing: "running_mean", "running_var"; unexpected: "runningMean", "runningVar", "numBatchesTracked"`,
    ],
    [
      "a prefix",
      prefixed("bn1."),
      `pass { prefix: "bn1." }; missing: ${required}; unexpected: "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"`,
    ],
    [
      "a prefix in a Map, without all entries",
      new Map(Object.entries(named("module.bn1.weight", "module.bn1.bias"))),
      `pass { prefix: "module.bn1." }; missing: ${required}; unexpected: "module.bn1.weight", "module.bn1.bias"`,
    ],
    [
      "two layers and others",
      { ...prefixed("a.bn."), ...prefixed("b.bn."), ...named("fc.weight", "fc.bias", "weightless") },
      `pass one of these as prefix: "a.bn.", "b.bn."; missing: ${required}; unexpected: ${["a", "b"]
        .flatMap((layer) => ["weight", "bias", "running_mean", "running_var"].map((name) => `"${layer}.bn.${name}"`))
        .join(", ")}, "fc.weight", "fc.bias", "weightless"`,
    ],
    [
      "a state in a state",
      { epoch: 3, state_dict: prefixed("bn1.") },
      `pass what is in "state_dict"; missing: ${required}; unexpected: "epoch", "state_dict"`,
    ],
    // One entry of another layer is no reason for its prefix.
    ["most entries", { ...good(), bias: undefined, "fc.bias": array }, 'missing: "bias"; unexpected: "fc.bias"'],
  ];
  test.each(cases)("%s", (_, state, message) => {
    expectRefused(layerOf(), state, range(STATE, start + message));
  });

  test.each<[string, BatchNormOptions<"float32">, string]>([
    ["no bias", { bias: false }, 'the layer was made without bias; unexpected: "bias"'],
    [
      "no parameters",
      { affine: false },
      'the layer was made without weight; the layer was made without bias; unexpected: "weight", "bias"',
    ],
    [
      "no statistics",
      { trackRunningStats: false },
      'the layer was made with trackRunningStats: false; unexpected: "running_mean", "running_var", "num_batches_tracked"',
    ],
  ])("a layer with %s", (_, options, message) => {
    expectRefused(layerOf(options), new BatchNorm(3).stateDict(), range(STATE, start + message));
  });

  test.each<[string, string, string]>([
    ["bn1", '"bn1."', 'unexpected: "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"'],
    ["bn2.", '"bn1."', ""],
  ])("a prefix %s that is not it", (prefix, right, unexpected) => {
    const missing = ["weight", "bias", "running_mean", "running_var"].map((name) => `"${prefix}${name}"`).join(", ");
    const message = [`pass { prefix: ${right} }`, `missing: ${missing}`, unexpected].filter(Boolean).join("; ");
    expectRefused(layerOf(), prefixed("bn1."), range(STATE, start + message), { prefix });
  });
});

describe("states and options that are none", () => {
  test.each<[unknown, string]>([
    ["state", '"state"'],
    [null, "null"],
    [undefined, "undefined"],
    [[1, 2], "an Array"],
    [new Float32Array(3), "a Float32Array"],
    [Promise.resolve({}), "a Promise: await it"],
  ])("%o", (state, got) => {
    expectRefused(layerOf(), state, type(TYPE, `"state" expected an object or a Map, got ${got}`));
  });

  test.each<[unknown, string]>([
    [Object.create(null), "an object"],
    [Symbol("weight"), "a symbol"],
    [7, "7"],
  ])("a Map with a key that is no string: %s", (key, name) => {
    const state = new Map<unknown, unknown>([...Object.entries(good()), [key, 1]]);
    const message = `the state does not fit the layer: unexpected: "${name}"`;
    expectRefused(layerOf(), state, range(STATE, message));
    expect(layerOf().loadStateDict(state as StateSource, { strict: false })).toEqual({
      missingKeys: [],
      unexpectedKeys: [name],
    });
  });

  test.each<[string, unknown, string]>([
    ["a proxy", new Proxy(new Map(), {}), "Method Map.prototype.entries called on incompatible"],
    ["no Map", { [Symbol.toStringTag]: "Map", length: 1 }, ""],
  ])("a Map that cannot be read: %s", (_, state, reason) => {
    const layer = layerOf();
    const before = layer.stateDict();
    const error = errorOf(() => layer.loadStateDict(state as StateSource, { strict: false })) as Error;
    expect(error).toMatchObject({ name: "TypeError", code: TYPE });
    expect(error.message).toContain(`"state" cannot be read: ${reason}`);
    expect(layer.stateDict()).toEqual(before);
  });

  const options: readonly [string, unknown, Rejection][] = [
    ["a number for prefix", { prefix: 1 }, type(TYPE, '"prefix" expected a string, got 1')],
    ["a number for strict", { strict: 0 }, type(TYPE, '"strict" expected a boolean, got 0')],
    ["another name", { strikt: false }, type(OPTION, 'unknown option "strikt", did you mean "strict"?')],
    ["no object", false, type(TYPE, '"options" expected an object, got false')],
  ];
  test.each(options)("%s", (_, given, expected) => {
    expectRefused(layerOf(), good(), expected, given);
  });

  test("of stateDict", () => {
    const layer = layerOf();
    const call = (given: unknown) => () => layer.stateDict(given as object);
    expectRejected(call({ extras: 1 }), [layer], type(TYPE, '"extras" expected a boolean, got 1'));
    expectRejected(call({ extra: true }), [layer], type(OPTION, 'unknown option "extra", did you mean "extras"?'));
  });
});

describe("before anything is written", () => {
  test("the last entry is wrong", () => {
    expectRefused(
      layerOf(),
      { ...good(), num_batches_tracked: -1 },
      range(VALUE, '"num_batches_tracked" expected a non-negative integer, got -1'),
    );
  });

  test("the layer's own memory is gone, or goes while the state is read", () => {
    const gone = type(DETACHED, '"bias" has a detached buffer');
    const transfer = (layer: BatchNorm): void =>
      void structuredClone(layer.bias, { transfer: [layer.bias!.buffer as ArrayBuffer] });
    const layer = layerOf();
    transfer(layer);
    expectRejected(() => layer.loadStateDict(good()), [layer.weight, layer.runningVar], gone);
    expectRejected(() => layer.stateDict(), [layer.weight], gone);
    expectRejected(() => layer.clone(), [layer.weight], gone);
    const other = layerOf();
    const trap = { get data() { return (transfer(other), [1, 2, 3]); }, shape: [3] }; // prettier-ignore
    expectRejected(() => other.loadStateDict({ ...good(), running_var: trap }), [other.weight, other.runningVar], gone);
  });

  test("each getter is read once, and what it throws comes out", () => {
    const layer = layerOf();
    let reads = 0;
    const state = { ...good(), get bias() { reads++; return [1, 2, 3]; } }; // prettier-ignore
    layer.loadStateDict(state);
    expect(reads).toBe(1);
    const own = new Error("own");
    const before = layer.stateDict();
    expect(errorOf(() => layer.loadStateDict({ ...good(), bias: { get data() { throw own; } } }))).toBe(own); // prettier-ignore
    expect(layer.stateDict()).toEqual(before);
  });
});
