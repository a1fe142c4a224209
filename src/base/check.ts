// Checks of single arguments. Values are read once, by internal tag and built-in getters, so that
// subclasses, proxies and arrays of other realms cannot answer twice.
import { rangeError, typeError } from "./errors.js";
import type { Data, DType, FloatType, Floats } from "./types.js";

const typedArray: object = Object.getPrototypeOf(Uint8Array.prototype) as object;

function builtInGetter<T>(key: PropertyKey): (value: unknown) => T {
  const { get } = Object.getOwnPropertyDescriptor(typedArray, key) as { get: () => T };
  return Function.prototype.call.bind(get) as (value: unknown) => T;
}

/** The kind of a typed array by its internal slot; undefined for anything else. */
export const tagOf = builtInGetter<string | undefined>(Symbol.toStringTag);
/** Length now: 0 for a detached array and for one that a shrunken buffer no longer covers. */
export const lengthOf = builtInGetter<number>("length");
export const bufferOf = builtInGetter<ArrayBufferLike>("buffer");
export const byteOffsetOf = builtInGetter<number>("byteOffset");
export const byteLengthOf = builtInGetter<number>("byteLength");

export const KIND = {
  float32: "Float32Array",
  float64: "Float64Array",
  float16: "Uint16Array",
  bfloat16: "Uint16Array",
} as const;

const FLOAT16 = "Float16Array";

/** Float16Arrays by the views of their bits: what a caller gave is what it gets back. */
const givenAs = new WeakMap<Data, object>();

/** The bits of a Float16Array as an array that every kernel takes. */
function bitsOf(value: object): Uint16Array {
  const data = value as Uint16Array;
  const bits = new Uint16Array(bufferOf(data) as ArrayBuffer, byteOffsetOf(data), lengthOf(data));
  givenAs.set(bits, value);
  return bits;
}

/** Whether a value is a Float16Array, which engines have since 2025. */
export function isFloat16Array(value: unknown): boolean {
  return tagOf(value) === FLOAT16;
}

/** The array that a caller knows `data` by; a new Float16Array of it where the call was made with such. */
export function asCaller(data: Data, inFloat16: boolean): unknown {
  const given = givenAs.get(data);
  if (given || !inFloat16) return given ?? data;
  const { Float16Array } = globalThis as unknown as {
    Float16Array: new (buffer: ArrayBufferLike, offset: number, length: number) => object;
  };
  return new Float16Array(bufferOf(data), byteOffsetOf(data), lengthOf(data));
}

/** Whether a value can be an object of fields: no array of any kind, and no Promise of one. */
export function isRecord(value: unknown): value is object {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject && tagOf(value) === undefined && !(value instanceof Promise);
}

/** What a value is, for messages. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an Array";
  const tag = tagOf(value);
  if (tag !== undefined) return `${tag.startsWith("I") ? "an" : "a"} ${tag}`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || typeof value === "boolean" || value === undefined) return String(value);
  if (value instanceof Promise) return "a Promise: await it";
  return typeof value === "bigint" ? `${value}n` : `${typeof value === "object" ? "an" : "a"} ${typeof value}`;
}

/** `ArrayBuffer.prototype.detached` came with Node 21; a view of a detached buffer is refused everywhere. */
function isDetached(array: Data | Uint8Array): boolean {
  if (lengthOf(array) > 0) return false;
  try {
    new Uint8Array(bufferOf(array));
    return false;
  } catch {
    return true;
  }
}

const keysOf = Function.prototype.call.bind((typedArray as { keys: () => unknown }).keys) as (
  value: unknown,
) => unknown;

/** Whether the buffer has become too small for the array, which has no elements then. */
function isBeyondBuffer(array: Data | Uint8Array): boolean {
  if (lengthOf(array) > 0) return false;
  try {
    keysOf(array);
    return false;
  } catch {
    return true;
  }
}

export function checkAttached(name: string, array: Data | Uint8Array): void {
  if (isDetached(array)) throw typeError("ERR_BATCHNORM_DETACHED", `"${name}" has a detached buffer`);
  if (isBeyondBuffer(array))
    throw typeError("ERR_BATCHNORM_DETACHED", `"${name}" has a buffer that was made too small for it`);
}

type Kind = (typeof KIND)[DType] | typeof FLOAT16;

/** The value as a typed array of one of these kinds, of any length. */
export function checkArray(name: string, value: unknown, kinds: readonly (typeof KIND)[FloatType][]): Floats;
export function checkArray(
  name: string,
  value: unknown,
  kinds: readonly ((typeof KIND)[FloatType] | "Uint8Array")[],
): Floats | Uint8Array;
export function checkArray(name: string, value: unknown, kinds: readonly Kind[]): Data;
export function checkArray(name: string, value: unknown, kinds: readonly string[]): Data | Uint8Array {
  if (!kinds.includes(tagOf(value) ?? ""))
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a ${kinds.join(" or ")}, got ${describe(value)}`);
  const array = value as Data | Uint8Array;
  checkAttached(name, array);
  return array;
}

/** The value as data of the given type and of any length, a Float16Array as its bits. */
export function checkElements(name: string, value: unknown, dtype: DType): Data {
  const given = checkArray(name, value, dtype === "float16" ? [KIND.float16, FLOAT16] : [KIND[dtype]]);
  return isFloat16Array(given) ? bitsOf(given) : given;
}

/** As `checkElements`; the length must be `length`. */
export function checkData(name: string, value: unknown, dtype: FloatType, length: number): Floats;
export function checkData(name: string, value: unknown, dtype: DType, length: number): Data;
export function checkData(name: string, value: unknown, dtype: DType, length: number): Data {
  const data = checkElements(name, value, dtype);
  const got = lengthOf(data);
  if (got !== length) throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${length}, got ${got}`);
  return data;
}

/** As `checkData`; null or undefined stay absent. */
export function checkOptionalData(name: string, value: unknown, dtype: FloatType, length: number): Floats | null;
export function checkOptionalData(name: string, value: unknown, dtype: DType, length: number): Data | null;
export function checkOptionalData(name: string, value: unknown, dtype: DType, length: number): Data | null {
  return value === undefined || value === null ? null : checkData(name, value, dtype, length);
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== "boolean")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a boolean, got ${describe(value)}`);
  return value;
}

export function checkNumber(name: string, value: unknown): number {
  if (typeof value !== "number")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a number, got ${describe(value)}`);
  return value;
}

export function checkInteger(name: string, value: unknown, min: number): number {
  const number = checkNumber(name, value);
  if (!Number.isSafeInteger(number) || number < min) {
    const what = min > 0 ? "a positive integer" : "a non-negative integer";
    const limit = number > Number.MAX_SAFE_INTEGER ? ` up to ${Number.MAX_SAFE_INTEGER}` : "";
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected ${what}${limit}, got ${number}`);
  }
  return number + 0; // -0 becomes 0
}

/** An element of a list, or the length of one, which a proxy may make anything of. Its name is only made for a message. */
export function checkSize(name: string, part: number | "length", size: unknown): number {
  if (Number.isSafeInteger(size) && (size as number) >= 0) return size as number;
  return checkInteger(part === "length" ? `${name}.length` : `${name}[${part}]`, size, 0);
}

export function checkInRange(name: string, value: unknown, min: number, max: number): number {
  const number = checkNumber(name, value);
  if (!(number >= min && number <= max)) {
    const range = max === Number.MAX_VALUE ? `a finite number ≥ ${min}` : `a number in [${min}, ${max}]`;
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected ${range}, got ${number}`);
  }
  return number;
}

export function checkVariance(name: string, c: number, value: number): void {
  if (!(value >= 0)) throw rangeError("ERR_BATCHNORM_VALUE", `"${name}[${c}]" expected a number ≥ 0, got ${value}`);
}

/**
 * Checks variances, or sums of squares: none may be negative or NaN, as a file that was read at a wrong offset has them.
 * Where there are means, those of data that were NaN or infinite allow NaN.
 */
export function checkVariances<T extends Floats>(name: string, table: T, means: Floats | null = null): T {
  const length = lengthOf(table);
  for (let c = 0; c < length; c++) {
    const isOfBadData = means !== null && Number.isNaN(table[c]) && !Number.isFinite(means[c]);
    if (!isOfBadData) checkVariance(name, c, table[c]!);
  }
  return table;
}

export function checkOneOf<T extends string>(name: string, value: unknown, values: readonly T[]): T {
  if (typeof value !== "string")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a string, got ${describe(value)}`);
  const found = values.find((candidate) => candidate === value);
  if (found === undefined) {
    const list = values.map((candidate) => JSON.stringify(candidate)).join(", ");
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected one of ${list}, got ${JSON.stringify(value)}`);
  }
  return found;
}

/** Whether memory cannot go away: nothing detaches or shrinks a SharedArrayBuffer. It may be of another realm. */
export function isShared(memory: unknown): memory is SharedArrayBuffer {
  return Object.prototype.toString.call(memory) === "[object SharedArrayBuffer]";
}
