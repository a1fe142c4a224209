// What loadStateDict takes: the forms in which people have a state, prefixes, and states that fit in part.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  toBfloat16Bits,
  toFloat16Bits,
  type DType,
  type StateDict,
  type StateSource,
} from "../../src/index.js";
import { random } from "../../src/verify/data.js";

const CHANNELS = 3;
/** Exact in float16 and bfloat16. */
const VALUES = { weight: [1.5, -2, 0.25], bias: [0, -0.5, 3], running_mean: [-1, 0, 96], running_var: [0, 0.125, 2] };
type Table = keyof typeof VALUES;
const TABLES = Object.keys(VALUES) as Table[];

/** What a layer holds, as plain numbers. */
function heldBy<D extends DType>(layer: BatchNorm<D>): unknown {
  const { num_batches_tracked, ...tables } = layer.stateDict();
  return {
    ...Object.fromEntries(
      Object.entries(tables as Record<string, ArrayLike<number>>).map(([key, table]) => [key, Array.from(table)]),
    ),
    num_batches_tracked,
  };
}

function load<D extends DType>(dtype: D, state: unknown, options?: object): BatchNorm<D> {
  const layer = new BatchNorm<D>(CHANNELS, { dtype });
  layer.loadStateDict(state as StateSource, options);
  return layer;
}

const stateOf = (form: (values: number[]) => unknown): Record<string, unknown> =>
  Object.fromEntries(TABLES.map((name) => [name, form(VALUES[name])]));

const inJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const proxied = <T extends object>(target: T): T => new Proxy(target, {});

const FORMS: readonly [string, (values: number[]) => unknown][] = [
  ["Float32Array", (values) => Float32Array.from(values)],
  ["Float64Array", (values) => Float64Array.from(values)],
  ["Array", (values) => values],
  ["frozen Array", (values) => Object.freeze([...values])],
  ["{ data, shape }", (values) => ({ data: Float32Array.from(values), shape: [CHANNELS] })],
  ["{ data, dims } of an Array", (values) => ({ data: values, dims: [CHANNELS] })],
  ["{ data, shape, strides }", (values) => ({ data: values, shape: [CHANNELS], strides: [1], offset: 0 })],
  ["an object of getters", (values) => new (class { get data(): number[] { return values; } get dims(): number[] { return [CHANNELS]; } })()], // prettier-ignore
  ["JSON of a Float32Array", (values) => inJson(Float32Array.from(values))],
  ["JSON of a tensor", (values) => inJson({ data: Float32Array.from(values), shape: [CHANNELS] })],
  ["a view in a larger buffer", (values) => Float32Array.of(7, 7, ...values, 7).subarray(2, 2 + CHANNELS)],
  ["a proxy of a Float64Array", (values) => proxied(Float64Array.from(values))],
  ["shared memory", (values) => { const a = new Float32Array(new SharedArrayBuffer(12)); a.set(values); return a; }], // prettier-ignore
];

describe.each(FORMS)("%s", (_, form) => {
  test.each<DType>(["float32", "float64", "float16", "bfloat16"])("in a layer of %s", (dtype) => {
    const layer = load(dtype, { ...stateOf(form), num_batches_tracked: 5 });
    expect(heldBy(layer)).toEqual({ ...VALUES, num_batches_tracked: 5 });
    const Expected = dtype === "float64" ? Float64Array : Float32Array;
    for (const table of [layer.weight, layer.runningVar]) expect(table).toBeInstanceOf(Expected);
  });
});

describe("16 bits", () => {
  test.each([
    ["float16", toFloat16Bits],
    ["bfloat16", toBfloat16Bits],
  ] as const)("a Uint16Array holds the type of a layer of %s", (dtype, bitsOf) => {
    const bits = (values: number[]): Uint16Array => bitsOf(Float32Array.from(values));
    expect(heldBy(load(dtype, stateOf(bits)))).toEqual({ ...VALUES, num_batches_tracked: 0 });
    const tensor = (values: number[]): object => ({ data: bits(values), dims: [CHANNELS] });
    expect(heldBy(load(dtype, stateOf(tensor)))).toEqual({ ...VALUES, num_batches_tracked: 0 });
  });

  const { Float16Array } = globalThis as { Float16Array?: { from(values: number[]): object } };
  test.skipIf(!Float16Array)("a Float16Array is float16 in a layer of any type", () => {
    for (const dtype of ["float32", "float64", "float16", "bfloat16"] as const) {
      const layer = load(
        dtype,
        stateOf((values) => Float16Array!.from(values)),
      );
      expect(heldBy(layer)).toEqual({ ...VALUES, num_batches_tracked: 0 });
    }
  });
});

describe("counters", () => {
  const forms: readonly [string, unknown][] = [
    ["a number", 5],
    ["a bigint", 5n],
    ["a BigInt64Array", BigInt64Array.of(5n)],
    ["a BigUint64Array", BigUint64Array.of(5n)],
    ["an Int32Array", Int32Array.of(5)],
    ["a Float64Array", Float64Array.of(5)],
    ["an Array", [5]],
    ["JSON of an Int32Array", inJson(Int32Array.of(5))],
    ["a tensor without axes", { data: BigInt64Array.of(5n), shape: [] }],
    ["a tensor without axes, with dims", { data: [5], dims: [] }],
    ["a tensor of one axis", { data: BigInt64Array.of(5n), dims: [1] }],
    ["the largest", BigInt(Number.MAX_SAFE_INTEGER)],
  ];
  test.each(forms)("%s", (name, counter) => {
    const layer = load("float32", { ...stateOf((values) => values), num_batches_tracked: counter });
    expect(layer.numBatchesTracked).toBe(name === "the largest" ? Number.MAX_SAFE_INTEGER : 5);
  });

  test("an absent one is 0, as torch reads checkpoints of before 0.4.1", () => {
    const layer = new BatchNorm(CHANNELS);
    for (const counter of [{}, { num_batches_tracked: undefined }]) {
      layer.numBatchesTracked = 9;
      expect(layer.loadStateDict({ ...stateOf((values) => values), ...counter })).toEqual({
        missingKeys: [],
        unexpectedKeys: [],
      });
      expect(layer.numBatchesTracked).toBe(0);
    }
  });

  test("-0 is 0", () => {
    const layer = load("float32", { ...stateOf((values) => values), num_batches_tracked: -0 });
    expect(Object.is(layer.numBatchesTracked, 0)).toBe(true);
    layer.numBatchesTracked = -0;
    expect(Object.is(layer.numBatchesTracked, 0)).toBe(true);
  });
});

test("a state in JSON is the state, to the bit", () => {
  const next = random(5);
  for (const dtype of ["float32", "float64"] as const) {
    const layer = new BatchNorm<DType>(64, { dtype });
    for (const table of [layer.weight, layer.bias, layer.runningMean, layer.runningVar])
      table!.forEach((_, c) => (table![c] = next() * 10 ** (60 * next() - 30)));
    layer.numBatchesTracked = 12;
    const other = new BatchNorm<DType>(64, { dtype });
    other.loadStateDict(JSON.parse(JSON.stringify(layer.stateDict())) as StateSource);
    expect(other.stateDict()).toEqual(layer.stateDict());
    const arrays = JSON.stringify(layer.stateDict(), (_, value: unknown) =>
      ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
    );
    const third = new BatchNorm<DType>(64, { dtype });
    third.loadStateDict(JSON.parse(arrays) as StateSource);
    expect(third.stateDict()).toEqual(layer.stateDict());
  }
});

test("float64 values are rounded to nearest, and infinite ones stay", () => {
  const layer = load("float32", {
    weight: [1 + 2 ** -24, 1 + 3 * 2 ** -24, 1e-60], // ties to even, underflow
    bias: [NaN, -Infinity, -0],
    running_mean: [3.4028235677973362e38, Infinity, 0.1], // less than half a step above the largest float32
    running_var: Float64Array.of(Infinity, 0, 1e-60),
  });
  expect(heldBy(layer)).toEqual({
    weight: [1, 1 + 2 ** -22, 0],
    bias: [NaN, -Infinity, -0],
    running_mean: [3.4028234663852886e38, Infinity, Math.fround(0.1)],
    running_var: [Infinity, 0, 0],
    num_batches_tracked: 0,
  });
});

test("tables that are the layer's own, exchanged", () => {
  const layer = load(
    "float32",
    stateOf((values) => values),
  );
  const { weight, bias, runningMean, runningVar } = layer;
  layer.loadStateDict({ weight: bias, bias: weight, running_mean: runningMean, running_var: runningVar });
  expect(heldBy(layer)).toMatchObject({ weight: VALUES.bias, bias: VALUES.weight });
});

describe("containers and prefixes", () => {
  const model = (prefix: string): Record<string, unknown> =>
    Object.fromEntries(Object.entries(stateOf((values) => values)).map(([key, value]) => [prefix + key, value]));
  const expected = { ...VALUES, num_batches_tracked: 0 };

  test.each<[string, (state: Record<string, unknown>) => unknown]>([
    ["a Map", (state) => new Map(Object.entries(state))],
    ["a proxy", proxied],
    ["an object without a prototype", (state) => Object.assign(Object.create(null) as object, state)],
    ["a frozen object", (state) => Object.freeze(state)],
  ])("%s", (_, container) => {
    expect(heldBy(load("float32", container(model(""))))).toEqual(expected);
    const many = container({ ...model("bn1."), ...model("module.bn1."), "fc.weight": [1, 2], epoch: 3 });
    for (const prefix of ["bn1.", "module.bn1."]) expect(heldBy(load("float32", many, { prefix }))).toEqual(expected);
  });

  test("only entries with the prefix are this layer's", () => {
    const layer = new BatchNorm(CHANNELS);
    const state = { ...model("bn1."), "bn1.extra": 1, extra: 2, "bn10.weight": 3 };
    expect(layer.loadStateDict(state, { prefix: "bn1.", strict: false })).toEqual({
      missingKeys: [],
      unexpectedKeys: ["bn1.extra"],
    });
    expect(heldBy(layer)).toEqual(expected);
  });

  test("names that every object has are entries only where the state has them", () => {
    const state = Object.assign(Object.create({ weight: [9, 9, 9] }) as StateSource, model(""));
    expect(heldBy(load("float32", state))).toEqual(expected);
  });
});

describe("strict: false", () => {
  test("what the state lacks stays, and what the layer lacks is ignored", () => {
    const layer = load("float32", { ...stateOf((values) => values), num_batches_tracked: 4 });
    const keys = layer.loadStateDict({ bias: [7, 8, 9], gamma: [1, 1, 1] }, { strict: false });
    expect(keys).toEqual({ missingKeys: ["weight", "running_mean", "running_var"], unexpectedKeys: ["gamma"] });
    expect(heldBy(layer)).toEqual({ ...VALUES, bias: [7, 8, 9], num_batches_tracked: 4 });
  });

  test("running statistics without a counter set it to 0, and a counter alone is taken", () => {
    const layer = load("float32", { ...stateOf((values) => values), num_batches_tracked: 4 });
    layer.loadStateDict({ num_batches_tracked: 6 }, { strict: false });
    expect(layer.numBatchesTracked).toBe(6);
    layer.loadStateDict({ running_mean: [1, 2, 3] }, { strict: false });
    expect(heldBy(layer)).toEqual({ ...VALUES, running_mean: [1, 2, 3], num_batches_tracked: 0 });
  });

  test("a layer without parameters and statistics takes nothing", () => {
    const layer = new BatchNorm(CHANNELS, { affine: false, trackRunningStats: false });
    const state: StateDict<"float32"> = load(
      "float32",
      stateOf((values) => values),
    ).stateDict();
    expect(layer.loadStateDict(state, { strict: false })).toEqual({
      missingKeys: [],
      unexpectedKeys: [...TABLES, "num_batches_tracked"],
    });
    expect(layer.stateDict()).toEqual({});
    expect(layer.numBatchesTracked).toBe(0);
  });
});
