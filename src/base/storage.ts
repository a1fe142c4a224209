// 16-bit storage in plain JavaScript, one element at a time: what the oracle computes on, what callers convert with, and
// what native/storage.h and assembly/storage.ts repeat.
import { plainOf } from "./arrays.js";
import { checkElements } from "./check.js";
import type { Data, DType, Float16Values } from "./types.js";

const word = new Uint32Array(1);
const single = new Float32Array(word.buffer);

function floatOf(bits: number): number {
  word[0] = bits;
  return single[0]!;
}

function bitsOf(value: number): number {
  single[0] = value;
  return word[0]!;
}

/** The float32 of a binary16, exactly. */
function widenHalf(half: number): number {
  const magnitude = half & 0x7fff;
  const sign = half & 0x8000 ? -1 : 1;
  if (magnitude >= 0x7c00) return magnitude > 0x7c00 ? NaN : sign * Infinity;
  if (magnitude < 0x0400) return sign * magnitude * 2 ** -24;
  return sign * floatOf((magnitude << 13) + (112 << 23));
}

/** Rounded to nearest, ties to even; NaN stays one. */
function narrowHalf(value: number): number {
  const bits = bitsOf(value);
  const magnitude = bits & 0x7fffffff;
  const sign = (bits >>> 16) & 0x8000;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  // The sum with 1/2 is rounded to multiples of 2^-24, which are its last bits.
  if (magnitude < 0x38800000) return sign | (bitsOf(floatOf(magnitude) + 0.5) - 0x3f000000);
  return sign | ((magnitude - (112 << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

function widenBFloat(bfloat: number): number {
  return floatOf(bfloat << 16);
}

function narrowBFloat(value: number): number {
  const bits = bitsOf(value);
  const isNaN = (bits & 0x7fffffff) > 0x7f800000;
  return (isNaN ? bits | 0x400000 : bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** float32 values of 16-bit ones, exactly. */
export function widen(dtype: DType, from: Uint16Array, to: Float32Array = new Float32Array(from.length)): Float32Array {
  const convert = dtype === "float16" ? widenHalf : widenBFloat;
  for (let i = 0; i < to.length; i++) to[i] = convert(from[i]!);
  return to;
}

/** 16-bit values of float32 ones, rounded to nearest, ties to even. */
export function narrow(dtype: DType, from: Float32Array, to: Uint16Array = new Uint16Array(from.length)): Uint16Array {
  const convert = dtype === "float16" ? narrowHalf : narrowBFloat;
  for (let i = 0; i < to.length; i++) to[i] = convert(from[i]!);
  return to;
}

/**
 * The float32 beside a float64 whose rounding to 16 bits is that of the float64: the last bit of an inexact one is odd, so
 * that it is no tie and lies on the same side of every tie.
 */
export function roundToOdd(value: number): number {
  const near = Math.fround(value);
  const bits = bitsOf(near);
  if (near === value || Number.isNaN(value) || (bits & 1) === 1) return near;
  return floatOf(Math.abs(value) > Math.abs(near) ? bits + 1 : bits - 1);
}

/** float64 values as elements of a type. Each is rounded once. */
export function storeAs(dtype: DType, values: Float64Array): Data {
  if (dtype === "float32") return Float32Array.from(values);
  if (dtype === "float64") return values.slice();
  return narrow(dtype, Float32Array.from(values, roundToOdd));
}

/** The largest value that is stored as 0: the mask of a ReLU is made of what is stored. */
export function largestZero(dtype: DType): number {
  return dtype === "float16" ? 2 ** -25 : dtype === "bfloat16" ? 2 ** -134 : 0;
}

/**
 * Rounds float32 values to float16 (IEEE 754 binary16), to nearest, ties to even. A magnitude of 65520 or more becomes
 * infinity. NaN stays NaN, without its payload. Every backend rounds so.
 *
 * @param values The values.
 * @returns A new array with the bits of each value.
 * @throws TypeError if `values` is not a Float32Array (`ERR_BATCHNORM_TYPE`). Convert other arrays with
 * `Float32Array.from` first. That rounds as well, so the result may differ from that of a single rounding.
 */
export function toFloat16Bits(values: Float32Array): Uint16Array {
  return narrow("float16", plainOf(checkElements("values", values, "float32")) as Float32Array);
}

/**
 * Returns the float32 values of float16 elements (IEEE 754 binary16). They are exact. NaN stays NaN, without its
 * payload.
 *
 * @param bits The bits of each element, or a Float16Array.
 * @returns A new array with the value of each element.
 * @throws TypeError if `bits` is neither a Uint16Array nor a Float16Array (`ERR_BATCHNORM_TYPE`).
 */
export function fromFloat16Bits(bits: Uint16Array | Float16Values): Float32Array {
  return widen("float16", plainOf(checkElements("bits", bits, "float16")) as Uint16Array);
}

/**
 * Rounds float32 values to bfloat16, which is the upper half of a float32, to nearest, ties to even. NaN stays NaN.
 * Every backend rounds so.
 *
 * @param values The values.
 * @returns A new array with the bits of each value.
 * @throws TypeError if `values` is not a Float32Array (`ERR_BATCHNORM_TYPE`). Convert other arrays with
 * `Float32Array.from` first. That rounds as well, so the result may differ from that of a single rounding.
 */
export function toBfloat16Bits(values: Float32Array): Uint16Array {
  return narrow("bfloat16", plainOf(checkElements("values", values, "float32")) as Float32Array);
}

/**
 * Returns the float32 values of bfloat16 elements. They are exact. NaN stays NaN.
 *
 * @param bits The bits of each element.
 * @returns A new array with the value of each element.
 * @throws TypeError if `bits` is not a Uint16Array (`ERR_BATCHNORM_TYPE`).
 */
export function fromBfloat16Bits(bits: Uint16Array): Float32Array {
  return widen("bfloat16", plainOf(checkElements("bits", bits, "bfloat16")) as Uint16Array);
}
