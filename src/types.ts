// The types every layer shares: element types and the arrays that hold them.

/** Element type of the data. Statistics and parameters use the same type; sums are always float64. */
export const DTYPES = ["float32", "float64"] as const;
export type DType = (typeof DTYPES)[number];

/** The typed array that holds elements of type `D`. */
export type ArrayOf<D extends DType> = D extends "float32" ? Float32Array : Float64Array;

/** Any data array. */
export type Data = Float32Array | Float64Array;

/** The element type of an array. */
export type DTypeOf<A extends Data> = A extends Float32Array ? "float32" : "float64";

/** T(value): a float64 rounded once to the data's type. As a function in a variable, V8 would not inline it. */
export function round(isFloat32: boolean, value: number): number {
  return isFloat32 ? Math.fround(value) : value;
}

/** A fresh, zeroed array of `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf<D>;
export function allocate(dtype: DType, length: number): Data {
  return dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
}
