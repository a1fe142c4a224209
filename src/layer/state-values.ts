// The entries of a state: numbers in whatever holds them, which are read once, checked and copied.
import { plainOf } from "../base/arrays.js";
import {
  checkArray,
  checkAttached,
  checkElements,
  checkInteger,
  checkLength,
  checkVariance,
  describe,
  isFloat16Array,
  KIND,
  lengthOf,
  tagOf,
} from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { widen } from "../base/storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type DType, type Floats } from "../base/types.js";
import { readOperand } from "../values/plan.js";

type List = ArrayLike<unknown>;

/**
 * Reads a list of `length` elements: a typed array, which is returned itself, an Array, or the object {"0": …, "1": …}
 * that JSON makes of a typed array.
 */
function readList(name: string, value: unknown, length: number): List {
  const isTyped = tagOf(value) !== undefined;
  if (isTyped) checkAttached(name, value as Data);
  const list = isTyped || Array.isArray(value) ? (value as List) : elementsOf(name, value);
  const got = isTyped ? lengthOf(list) : checkLength(name, list as unknown[]);
  if (got !== length) throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${length}, got ${got}`);
  return isTyped ? list : Array.from({ length }, (_, i) => list[i]);
}

/** The values of an object whose keys are "0", "1" and so on. */
function elementsOf(name: string, value: unknown): unknown[] {
  const entries: [string, unknown][] = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (entries.length === 0 || entries.some(([key], i) => key !== String(i))) {
    const expected = "an array of numbers or a tensor { data, shape }";
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected ${expected}, got ${describe(value)}`);
  }
  return entries.map(([, element]) => element);
}

/** Reads a list of `length` elements, or a tensor of one axis. Of a single element the tensor may have no axes. */
function readTensor(name: string, value: unknown, length: number): List {
  const { data, shape } = readOperand(name, value);
  const isVector = shape?.length === 1 && shape[0] === length;
  if (shape && !isVector && !(shape.length === 0 && length === 1))
    throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected shape [${length}], got [${shape.join(", ")}]`);
  return readList(name, data, length);
}

/** The values of a typed array. Those of 16 bits are widened exactly. */
function valuesOf(name: string, array: unknown, dtype: DType): List {
  const isFloat16 = isFloat16Array(array);
  if (!isFloat16 && tagOf(array) !== KIND.float16) return checkArray(name, array, [KIND.float32, KIND.float64]);
  const stored = isFloat16 ? "float16" : dtype;
  if (isStoredIn16Bits(stored)) return widen(stored, plainOf(checkElements(name, array, stored)) as Uint16Array);
  throw typeError(
    "ERR_BATCHNORM_TYPE",
    `"${name}" is a Uint16Array, and a layer of dtype ${dtype} cannot know what its bits mean: convert it with fromFloat16Bits or fromBfloat16Bits`,
  );
}

/** Checks one value and rounds it to the type of the table. A variance below 0 may round to −0. */
function setValue(name: string, table: Floats, c: number, value: unknown, isVariance: boolean): void {
  if (typeof value !== "number") {
    const hint = value === null ? " (JSON writes NaN and infinite numbers as null)" : "";
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}[${c}]" expected a number, got ${describe(value)}${hint}`);
  }
  if (isVariance) checkVariance(name, c, value);
  table[c] = value;
  if (!Number.isFinite(table[c]) && Number.isFinite(value))
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}[${c}]" expected a number that float32 can hold, got ${value}`);
}

/** A new table of the layer's type, in which values of a wider type are rounded to nearest. */
export function readTable(
  name: string,
  value: unknown,
  { dtype, numFeatures }: { readonly dtype: DType; readonly numFeatures: number },
  isVariance: boolean,
): Floats {
  const list = readTensor(name, value, numFeatures);
  const values = tagOf(list) === undefined ? list : valuesOf(name, list, dtype);
  const table = allocate(floatTypeOf(dtype), numFeatures);
  for (let c = 0; c < numFeatures; c++) setValue(name, table, c, values[c], isVariance);
  return table;
}

/** A counter: a number or bigint, or one of either in any array, or in a tensor of the shape [] or [1]. */
export function readCount(name: string, value: unknown, min = 0): number {
  const count = typeof value === "object" && value !== null ? readTensor(name, value, 1)[0] : value;
  return checkInteger(name, typeof count === "bigint" ? Number(count) : count, min);
}
