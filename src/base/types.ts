// The types every layer shares: element types and the arrays that hold them.

/** Element types of the data. */
export const DTYPES = ["float32", "float64", "float16", "bfloat16"] as const;
/**
 * Element type of the data. float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32) are kept in 16 bits
 * and computed with as float32, which parameters and statistics then are; sums are always float64.
 */
export type DType = (typeof DTYPES)[number];

/** A Float16Array, where the engine has them (ECMAScript 2025); TypeScript before 5.8 has no name for it. */
export interface Float16Values {
  readonly BYTES_PER_ELEMENT: number;
  readonly buffer: ArrayBufferLike;
  readonly byteLength: number;
  readonly byteOffset: number;
  readonly length: number;
  readonly [Symbol.toStringTag]: "Float16Array";
  [index: number]: number;
}

/** The typed array that holds elements of type `D`, 16-bit ones as their bits. */
export type BitsOf<D extends DType> = {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
}[D];

/** The typed array that a caller may hold elements of type `D` in. */
export type ArrayOf<D extends DType> = BitsOf<D> | (D extends "float16" ? Float16Values : never);

/** The typed array that holds parameters and running statistics for data of type `D`. */
export type ParametersOf<D extends DType> = D extends "float64" ? Float64Array : Float32Array;

/** The type of parameters and running statistics. */
export type FloatType = "float32" | "float64";

/** Floats of any type. */
export type Floats = Float32Array | Float64Array;

/** Any data as kernels take it: 16-bit elements as their bits. */
export type Data = Floats | Uint16Array;

/** The element type of an array; of a Uint16Array, which may hold either 16-bit type, the one asked for. */
export type DTypeOf<A> = A extends Float32Array
  ? "float32"
  : A extends Float64Array
    ? "float64"
    : A extends Float16Values
      ? "float16"
      : "float16" | "bfloat16";

/** T(value): a float64 rounded once to the data's type. As a function in a variable, V8 would not inline it. */
export function round(isFloat32: boolean, value: number): number {
  return isFloat32 ? Math.fround(value) : value;
}

export function isStoredIn16Bits(dtype: DType): boolean {
  return dtype === "float16" || dtype === "bfloat16";
}

/** The type that data of a type are computed with, and that their parameters have. */
export function floatTypeOf(dtype: DType): FloatType {
  return dtype === "float64" ? "float64" : "float32";
}

/** A fresh, zeroed array of `length` elements. */
export function allocate(dtype: FloatType, length: number): Floats;
export function allocate(dtype: DType, length: number): Data;
export function allocate(dtype: DType, length: number): Data {
  if (isStoredIn16Bits(dtype)) return new Uint16Array(length);
  return dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
}
