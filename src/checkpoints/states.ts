// What is to be saved: layers and states, flattened to named arrays.
import { plainOf } from "../base/arrays.js";
import {
  checkAttached,
  checkElements,
  checkInteger,
  checkOneOf,
  describe,
  isFloat16Array,
  isRecord,
  lengthOf,
  tagOf,
} from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import type { Data, DType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import { readEntries } from "../layer/state-keys.js";
import { readOperand } from "../values/plan.js";
import { TENSOR_ARRAYS, countOf, type TensorArray, type TensorDType } from "./tensors.js";

/**
 * What `save` takes: a layer, a state dict, or an object or `Map` whose values are such. The keys of an inner one are
 * put behind the key of the outer one, so that `{ "bn1.": bn }` has `bn1.weight` and so on. A state may hold any
 * tensors, as typed arrays or `{ data, shape, dtype }`. A `Uint16Array` needs the `dtype`, and a number is a counter.
 */
export type SavedStates = BatchNorm<DType> | object | ReadonlyMap<string, unknown>;

/** An array under its name in the file. */
export interface NamedArray {
  readonly name: string;
  readonly dtype: TensorDType;
  readonly shape: readonly number[];
  readonly data: TensorArray;
}

const DTYPES = Object.keys(TENSOR_ARRAYS) as readonly TensorDType[];

function counterOf(name: string, value: number | bigint): NamedArray {
  const count = typeof value === "bigint" ? value : BigInt(checkInteger(name, value, 0));
  if (count < 0n || count >= 2n ** 63n)
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected a non-negative integer below 2^63, got ${count}`);
  return { name, dtype: "int64", shape: [], data: BigInt64Array.of(count) };
}

/** The element type that an array has by itself. */
function dtypeOf(name: string, tag: string): TensorDType {
  const own = DTYPES.filter((dtype) => TENSOR_ARRAYS[dtype].name === tag);
  const [only] = tag === "Uint8Array" ? (["uint8"] as const) : own;
  if (only !== undefined && (own.length === 1 || only === "uint8")) return only;
  const hint = own.length > 1 ? `: pass { data, shape, dtype } with one of ${own.join(", ")}` : "";
  throw typeError(
    "ERR_BATCHNORM_TYPE",
    `"${name}" expected an array whose elements have a known type, got ${tag}${hint}`,
  );
}

function arrayOf(name: string, value: unknown): NamedArray {
  const operand = readOperand(name, value);
  if (tagOf(operand.data) === undefined)
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a typed array, got ${describe(operand.data)}`);
  checkAttached(name, operand.data as Data);
  const isHalf = isFloat16Array(operand.data);
  const data = isHalf ? plainOf(checkElements(name, operand.data, "float16")) : (operand.data as TensorArray);
  const given = isRecord(value) ? fieldOf(value, "dtype") : undefined;
  const named = given ?? (isHalf ? "float16" : undefined);
  const dtype = named === undefined ? dtypeOf(name, tagOf(data)!) : checkOneOf(`${name}.dtype`, named, DTYPES);
  const { name: expected } = TENSOR_ARRAYS[dtype];
  if (expected !== tagOf(data))
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a ${expected} of ${dtype}, got ${describe(data)}`);
  const shape = operand.shape ?? [lengthOf(data)];
  if (countOf(shape) !== lengthOf(data)) {
    const text = `"${name}" expected ${countOf(shape)} elements for shape [${shape.join(", ")}], got ${lengthOf(data)}`;
    throw rangeError("ERR_BATCHNORM_SHAPE", text);
  }
  return { name, dtype, shape, data };
}

function entriesOf(value: object): ReadonlyMap<string, unknown> {
  const isLayer = typeof fieldOf(value, "stateDict") === "function";
  return readEntries(isLayer ? (value as BatchNorm<DType>).stateDict() : value);
}

function arraysAt(name: string, value: unknown, depth: number): readonly NamedArray[] {
  if (typeof value === "number" || typeof value === "bigint") return [counterOf(name, value)];
  if (!isRecord(value) || fieldOf(value, "data") !== undefined) return [arrayOf(name, value)];
  if (depth > 1) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a typed array, got an object`);
  return [...entriesOf(value)].flatMap(([key, inner]) => arraysAt(name + key, inner, depth + 1));
}

/** All arrays of a layer, a state, or several under prefixes. */
export function arraysOf(states: unknown): readonly NamedArray[] {
  if (!isRecord(states))
    throw typeError(
      "ERR_BATCHNORM_TYPE",
      `"states" expected a layer, a state or an object of them, got ${describe(states)}`,
    );
  const arrays = [...entriesOf(states)].flatMap(([key, inner]) => arraysAt(key, inner, 1));
  const names = new Set<string>();
  for (const { name } of arrays) {
    if (names.has(name)) throw rangeError("ERR_BATCHNORM_VALUE", `two entries have the name "${name}"`);
    names.add(name);
  }
  return arrays;
}
