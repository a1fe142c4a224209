// The types every layer shares: element types and the arrays that hold them.
import { messageOf, rangeError } from "./errors.js";

/** All element types. */
export const DTYPES = ["float32", "float64", "float16", "bfloat16"] as const;
/**
 * The element type of x, of the output and of their gradients.
 *
 * - `"float32"` and `"float64"` are computed in their own precision.
 * - `"float16"` is IEEE 754 binary16. `"bfloat16"` is the upper half of a float32. Both are stored in 16 bits and
 *   widened to float32 for all arithmetic. Each stored value is rounded once, to nearest, ties to even.
 *
 * Sums and statistics are float64 for every element type. `ParametersOf` names the type of the parameters.
 */
export type DType = (typeof DTYPES)[number];

/**
 * The members of a Float16Array that this package relies on. Engines have the class since ECMAScript 2025. TypeScript
 * has a name for it since version 5.8, so it is described here for older compilers.
 */
export interface Float16Values {
  /** The size of one element in bytes, which is 2. */
  readonly BYTES_PER_ELEMENT: number;
  /** The buffer that holds the elements. */
  readonly buffer: ArrayBufferLike;
  /** The length of the array in bytes. */
  readonly byteLength: number;
  /** The offset of the first element in the buffer, in bytes. */
  readonly byteOffset: number;
  /** The number of elements. */
  readonly length: number;
  /** The name of the class, which tells the array from a Uint16Array. */
  readonly [Symbol.toStringTag]: "Float16Array";
  [index: number]: number;
}

/** The typed array that holds elements of type `D`. A 16-bit element is held as its bits. */
export type BitsOf<D extends DType> = {
  /** A Float32Array holds float32 elements. */
  float32: Float32Array;
  /** A Float64Array holds float64 elements. */
  float64: Float64Array;
  /** A Uint16Array holds the bits of float16 elements. */
  float16: Uint16Array;
  /** A Uint16Array holds the bits of bfloat16 elements. */
  bfloat16: Uint16Array;
}[D];

/**
 * The typed array in which a caller may pass elements of type `D`. float16 elements may be in a Uint16Array, or in a
 * Float16Array if the engine has that class. A call that was given a Float16Array returns one.
 */
export type ArrayOf<D extends DType> = BitsOf<D> | (D extends "float16" ? Float16Values : never);

/**
 * The typed array that holds the parameters and the running statistics for data of type `D`, with one element per
 * channel. It is a Float64Array for float64 data and a Float32Array for all other data. Sample weights and the
 * gradients of the parameters have this type too.
 */
export type ParametersOf<D extends DType> = D extends "float64" ? Float64Array : Float32Array;

/** The element type of the parameters and the running statistics: float64 for float64 data, else float32. */
export type FloatType = "float32" | "float64";

/** An array of float32 or float64 elements. */
export type Floats = Float32Array | Float64Array;

/** An array of elements of any type. A Uint16Array holds the bits of 16-bit elements. */
export type Data = Floats | Uint16Array;

/**
 * The element type that an array `A` stands for. A Uint16Array may hold either 16-bit type, so the option `dtype` has
 * to say which one.
 */
export type DTypeOf<A> = A extends Float32Array
  ? "float32"
  : A extends Float64Array
    ? "float64"
    : A extends Float16Values
      ? "float16"
      : "float16" | "bfloat16";

/** A compiled WebAssembly module: `WebAssembly.Module` where the program's `lib` has that type, as DOM has. */
export type WasmModule = typeof globalThis extends {
  /** The namespace of that `lib`. */
  WebAssembly: {
    /** The class of modules. */
    Module: {
      /** An instance. */
      prototype: infer Module;
    };
  };
}
  ? Module
  : object;

/** Rounds a float64 once to the type that the data are computed in. V8 inlines it, unlike a function in a variable. */
export function round(isFloat32: boolean, value: number): number {
  return isFloat32 ? Math.fround(value) : value;
}

/** Says whether elements are stored in 16 bits. */
export function isStoredIn16Bits(dtype: DType): dtype is "float16" | "bfloat16" {
  return dtype === "float16" || dtype === "bfloat16";
}

/** The type in which data of this type are computed, and which their parameters have. */
export function floatTypeOf(dtype: DType): FloatType {
  return dtype === "float64" ? "float64" : "float32";
}

/** Makes an array of `length` zeros. */
export function allocate(dtype: FloatType, length: number): Floats;
export function allocate(dtype: DType, length: number): Data;
export function allocate(dtype: DType, length: number): Data {
  try {
    if (isStoredIn16Bits(dtype)) return new Uint16Array(length);
    return dtype === "float32" ? new Float32Array(length) : new Float64Array(length);
  } catch (error) {
    throw rangeError("ERR_BATCHNORM_MEMORY", `cannot allocate ${length} elements of ${dtype}: ${messageOf(error)}`);
  }
}
