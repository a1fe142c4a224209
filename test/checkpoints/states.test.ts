// What `save` and `load` refuse of their arguments.
import { describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import * as json from "../../src/json.js";
import * as pytorch from "../../src/pytorch.js";
import { load, open, save } from "../../src/safetensors.js";
import {
  DETACHED,
  FILE,
  OPTION,
  SHAPE,
  STATE,
  TYPE,
  VALUE,
  detached,
  expectRejected,
  range,
  type,
  type Loose,
  type Rejection,
} from "../support/rejected.js";

const one = Float32Array.of(1);
const CASES: readonly (readonly [string, readonly unknown[], Rejection])[] = [
  ["no object", [5], type(TYPE, '"states" expected a layer, a state or an object of them, got 5')],
  ["an array", [one], type(TYPE, '"states" expected a layer, a state or an object of them, got a Float32Array')],
  ["text", [{ a: "x" }], type(TYPE, '"a" expected a typed array, got "x"')],
  ["an Array", [{ a: [1] }], type(TYPE, '"a" expected a typed array, got an Array')],
  ["a state too deep", [{ a: { b: { c: one } } }], type(TYPE, '"ab" expected a typed array, got an object')],
  [
    "bits alone",
    [{ a: Uint16Array.of(1) }],
    type(
      TYPE,
      '"a" expected an array whose elements have a known type, got Uint16Array: pass { data, shape, dtype } with one of uint16, float16, bfloat16',
    ),
  ],
  [
    "a clamped array",
    [{ a: Uint8ClampedArray.of(1) }],
    type(TYPE, '"a" expected an array whose elements have a known type, got Uint8ClampedArray'),
  ],
  ["a detached array", [{ a: detached(2) }], type(DETACHED, '"a" has a detached buffer')],
  [
    "a type of other elements",
    [{ a: { data: one, shape: [1], dtype: "float64" } }],
    type(TYPE, '"a" expected a Float64Array of float64, got a Float32Array'),
  ],
  ["a wrong shape", [{ a: { data: one, shape: [2] } }], range(SHAPE, '"a" expected 2 elements for shape [2], got 1')],
  ["a fraction", [{ a: 0.5 }], range(VALUE, '"a" expected a non-negative integer, got 0.5')],
  ["a negative counter", [{ a: -1n }], range(VALUE, '"a" expected a non-negative integer below 2^63, got -1')],
  [
    "a counter of 64 bits",
    [{ a: 2n ** 63n }],
    range(VALUE, `"a" expected a non-negative integer below 2^63, got ${2n ** 63n}`),
  ],
  ["a name twice", [{ "a.": { b: one }, "a.b": one }], range(VALUE, 'two entries have the name "a.b"')],
];

describe.each([
  ["safetensors", save as Loose],
  ["json", json.save as Loose],
  ["pytorch", pytorch.save as Loose],
])("%s refuses", (_, saver) => {
  test.each(CASES)("%s", (_, args, expected) => expectRejected(() => saver(...args), [], expected));
});

const OWN: readonly (readonly [string, () => unknown, Rejection])[] = [
  ["a reserved name", () => save({ __metadata__: one }), range(VALUE, 'no entry can have the name "__metadata__"')],
  [
    "metadata that is no text",
    () => save({}, { metadata: { a: 5 as never } }),
    type(TYPE, '"metadata.a" expected a string, got 5'),
  ],
  [
    "an option that there is not",
    () => save({}, { meta: {} } as object),
    type(OPTION, 'unknown option "meta", expected one of metadata'),
  ],
  [
    "integers in JSON",
    () => json.save({ a: Int8Array.of(1) }),
    type(TYPE, '"a" expected float32, float64 or a counter, got int8'),
  ],
];

test.each(OWN)("%s", (_, call, expected) => expectRejected(call, [], expected));

test("every kind of array is saved under its type", async () => {
  const arrays = {
    a: { data: Uint8Array.of(1), dims: [1], dtype: "float8_e4m3" },
    b: { data: Uint16Array.of(1, 2), shape: [2, 1], dtype: "bfloat16" },
    c: Uint8Array.of(1),
    d: Int8Array.of(-1),
    e: Int16Array.of(-1),
    f: Int32Array.of(-1),
    g: Uint32Array.of(1),
    h: BigInt64Array.of(-1n),
    i: BigUint64Array.of(2n ** 64n - 1n),
    j: Float64Array.of(0.1),
    k: 7,
    l: 8n,
  };
  const { tensors } = await open(save(arrays));
  const dtypes = Object.fromEntries([...tensors].map(([name, { dtype }]) => [name, dtype]));
  expect(dtypes).toEqual({
    a: "float8_e4m3",
    b: "bfloat16",
    c: "uint8",
    d: "int8",
    e: "int16",
    f: "int32",
    g: "uint32",
    h: "int64",
    i: "uint64",
    j: "float64",
    k: "int64",
    l: "int64",
  });
  expect(await tensors.get("i")!.read()).toEqual(arrays.i);
  expect(await tensors.get("l")!.read()).toEqual(BigInt64Array.of(8n));
  expect(tensors.get("b")!.shape).toEqual([2, 1]);
});

const file = save(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`bn${i}.`, new BatchNorm(1)])));
const LOADS: readonly (readonly [string, () => Promise<unknown>, Rejection])[] = [
  [
    "a file that is none",
    () => load(5 as never, ""),
    type(TYPE, '"file" expected bytes, a Blob, a file of fs.promises.open, a Response or a URL, got 5'),
  ],
  [
    "a path",
    () => load("model.safetensors" as never, ""),
    type(
      TYPE,
      '"file" expected bytes, a Blob, a file of fs.promises.open, a Response or a URL, got "model.safetensors": of a path, pass what readFile or open of node:fs/promises give',
    ),
  ],
  [
    "the URL of a file",
    () => load(new URL("file:///folder/model.safetensors"), ""),
    type(
      TYPE,
      '"file" expected a URL that can be fetched here, got file:///folder/model.safetensors: pass what readFile or open of node:fs/promises give',
    ),
  ],
  ["no prefix", () => load(file, undefined as never), type(TYPE, '"prefix" expected a string, got undefined')],
  [
    "an unknown prefix",
    () => load(file, "bn9."),
    range(
      STATE,
      'no batch normalization has the prefix "bn9."; pass one of the 9 prefixes: "bn0.", "bn1.", "bn2.", "bn3.", "bn4.", "bn5.", "bn6.", "bn7." and so on',
    ),
  ],
  [
    "a file without any",
    () => load(save({ a: one }), ""),
    range(STATE, 'no batch normalization has the prefix ""; the file has none'),
  ],
  [
    "an option that there is not",
    () => load(file, "bn0.", { epsilon: 1 } as object),
    type(OPTION, 'unknown option "epsilon", did you mean "eps"?'),
  ],
  [
    "integers in the place of numbers",
    () => load(save({ running_mean: Int32Array.of(1) }), ""),
    range(FILE, '"running_mean" expected elements of a floating-point type, got int32'),
  ],
  [
    "tables of other lengths",
    () => load(save({ ...new BatchNorm(2).stateDict(), bias: one }), ""),
    range(SHAPE, '"bias" expected shape [2], got [1]'),
  ],
  [
    "a variance below 0",
    () => load(save({ ...new BatchNorm(1).stateDict(), running_var: Float32Array.of(-1) }), ""),
    range(VALUE, '"running_var[0]" expected a number ≥ 0, got -1'),
  ],
  [
    "a negative counter",
    () => load(save({ ...new BatchNorm(1).stateDict(), num_batches_tracked: BigInt64Array.of(-1n) }), ""),
    range(VALUE, '"num_batches_tracked" expected a non-negative integer, got -1'),
  ],
  [
    "a counter beyond 2^53",
    () => load(save({ ...new BatchNorm(1).stateDict(), num_batches_tracked: 2n ** 53n }), ""),
    range(VALUE, `"num_batches_tracked" expected a non-negative integer up to ${2 ** 53 - 1}, got ${2 ** 53}`),
  ],
  [
    "a part of a layer",
    () => load(save({ running_mean: one, weight: one }), ""),
    range(STATE, 'the state does not fit the layer: missing: "bias", "running_var"'),
  ],
];

test.each(LOADS)("load refuses %s", async (_, call, expected) => {
  const error: unknown = await call().catch((reason: unknown) => reason);
  expectRejected(
    () => {
      throw error;
    },
    [],
    expected,
  );
});
