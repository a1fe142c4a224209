// The header of a safetensors file: what it says, checked against the size of the file, and how it is written.
import { MOST_AXES } from "../base/axes.js";
import { rangeError } from "../base/errors.js";
import { parseMembers, quoted, textOf, type Json, type JsonObject } from "./json-text.js";
import type { NamedArray } from "./states.js";
import { bytesPerElement, countOf, TENSOR_ARRAYS, type TensorDType } from "./tensors.js";

/** The names of element types in files. The writer sorts tensors by the order of the types, largest elements first. */
const CODES: Readonly<Record<TensorDType, string>> = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  float8_e5m2: "F8_E5M2",
  float8_e4m3: "F8_E4M3",
  float8_e8m0: "F8_E8M0",
  int16: "I16",
  uint16: "U16",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  uint32: "U32",
  float32: "F32",
  float64: "F64",
  int64: "I64",
  uint64: "U64",
};

const DTYPES = Object.keys(TENSOR_ARRAYS) as readonly TensorDType[];
const METADATA = "__metadata__";

/** A tensor as the header describes it. Offsets count from the end of the header. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly tensors: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

const fail = (name: string, expected: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", `${quoted(name)} in the header expected ${expected}`);
};

const isObject = (value: Json): value is JsonObject => value instanceof Map;

function sizesOf(name: string, key: string, value: Json | undefined): readonly number[] {
  const isSize = (size: Json): boolean => Number.isSafeInteger(size) && (size as number) >= 0;
  if (!Array.isArray(value) || !(value as Json[]).every(isSize)) fail(name, `"${key}" to be an array of sizes`);
  return value as readonly number[];
}

function entryOf(name: string, value: Json): TensorEntry {
  if (!isObject(value)) return fail(name, "an object");
  const dtype = DTYPES.find((one) => CODES[one] === value.get("dtype"));
  if (dtype === undefined) return fail(name, `"dtype" to be one of ${Object.values(CODES).join(", ")}`);
  const shape = sizesOf(name, "shape", value.get("shape"));
  if (shape.length > MOST_AXES) fail(name, `at most ${MOST_AXES} axes, got ${shape.length}`);
  const offsets = sizesOf(name, "data_offsets", value.get("data_offsets"));
  const [begin, end] = offsets as readonly [number, number];
  if (offsets.length !== 2 || begin > end) fail(name, `"data_offsets" to be a begin and an end`);
  const bytes = countOf(shape) * bytesPerElement(dtype);
  if (end - begin !== bytes) fail(name, `${bytes} bytes for its shape of ${CODES[dtype]}, got ${end - begin}`);
  return { name, dtype, shape, begin, end };
}

function metadataOf(value: Json): ReadonlyMap<string, string> {
  if (!isObject(value) || ![...value.values()].every((text) => typeof text === "string"))
    return fail(METADATA, "an object of strings");
  return value as ReadonlyMap<string, string>;
}

/** The tensors fill the file without overlaps and gaps. `size` is null where the end of the file is not known. */
function checkCover(tensors: readonly TensorEntry[], size: number | null): void {
  let end = 0;
  for (const tensor of [...tensors].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (tensor.begin !== end)
      fail(tensor.name, `to begin at ${end}, where the tensor before it ends, got ${tensor.begin}`);
    end = tensor.end;
  }
  if (size !== null && end !== size)
    throw rangeError("ERR_BATCHNORM_FILE", `the file expected ${end} bytes of elements by its header, got ${size}`);
}

/** Reads a header. `size` is the number of bytes behind it, or null. */
export function readHeader(bytes: Uint8Array, size: number | null): Header {
  const text = textOf(bytes);
  if (!text.startsWith("{"))
    throw rangeError("ERR_BATCHNORM_FILE", `the header expected "{" at its start: this is no safetensors file`);
  let metadata: ReadonlyMap<string, string> = new Map();
  const members = parseMembers(text, (name, value) => {
    if (name !== METADATA) return entryOf(name, value);
    metadata = metadataOf(value);
    return null;
  });
  const tensors = [...members.values()].filter((tensor) => tensor !== null);
  checkCover(tensors, size);
  return { tensors, metadata };
}

/** The order in which tensors are written, so that each begins at a multiple of the size of its elements. */
export function inOrder(arrays: readonly NamedArray[]): readonly NamedArray[] {
  const rank = ({ dtype }: NamedArray): number => DTYPES.indexOf(dtype);
  return [...arrays].sort((a, b) => rank(b) - rank(a) || (a.name < b.name ? -1 : 1));
}

/** The header of arrays that follow one another, padded with spaces to a multiple of 8 bytes. */
export function writeHeader(arrays: readonly NamedArray[], metadata: ReadonlyMap<string, string>): Uint8Array {
  let end = 0;
  const tensors = arrays.map(({ name, dtype, shape, data }): readonly [string, unknown] => {
    const begin = end;
    end += data.byteLength;
    return [name, { dtype: CODES[dtype], shape, data_offsets: [begin, end] }];
  });
  const about = metadata.size > 0 ? [[METADATA, Object.fromEntries(metadata)] as const] : [];
  // Not an object: its keys that are numbers would come first, and `__proto__` would be lost.
  const members = [...about, ...tensors].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const bytes = new TextEncoder().encode(`{${members.join(",")}}`);
  const padded = new Uint8Array(8 * Math.ceil(bytes.length / 8)).fill(0x20);
  padded.set(bytes);
  return padded;
}
