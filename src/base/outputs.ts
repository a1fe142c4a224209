// Large arrays that a kernel writes whole: they need no zeros before.
import { lengthOf, tagOf } from "./check.js";
import { builtin } from "./environment.js";
import { messageOf, rangeError } from "./errors.js";
import { allocate, isStoredIn16Bits, type Data, type DType } from "./types.js";

/**
 * Sizes in bytes that Node clears by writing zeros. Smaller arrays cost more as a Buffer, and for larger ones the system
 * gives pages that are clear.
 */
const CLEARED = { from: 2 ** 20, to: 2 ** 25 };

/** Memory of a size without its zeros, or null where it is not to be had: outside of Node, or none is left. */
function unclearedBuffer(bytes: number): ArrayBuffer | null {
  if (bytes < CLEARED.from || bytes > CLEARED.to) return null;
  try {
    const { buffer, byteOffset } = builtin("node:buffer").Buffer.allocUnsafeSlow(bytes);
    // A realm of node:vm has an ArrayBuffer of its own, and other engines may give a piece of a larger buffer.
    return buffer instanceof ArrayBuffer && byteOffset === 0 && buffer.byteLength === bytes ? buffer : null;
  } catch {
    return null;
  }
}

export function bytesOf(dtype: DType): number {
  return isStoredIn16Bits(dtype) ? 2 : dtype === "float32" ? 4 : 8;
}

/** A class of typed arrays, over memory of any kind. */
type View = new (buffer: ArrayBufferLike, offset: number, length: number) => Data;

/** An array of a type over a part of a buffer. */
export function viewOf(dtype: DType, buffer: ArrayBufferLike, offset: number, length: number): Data {
  const Class = isStoredIn16Bits(dtype) ? Uint16Array : dtype === "float32" ? Float32Array : Float64Array;
  return new (Class as View)(buffer, offset, length);
}

/**
 * Makes an array for an output, of any contents: every element must be written before a caller sees it. Inference of
 * 32x64x56x56 into a new one took 1.4 ms, and 2.5 into an array of zeros.
 */
export function allocateOutput(dtype: DType, length: number): Data {
  const buffer = unclearedBuffer(bytesOf(dtype) * length);
  return buffer === null ? allocate(dtype, length) : viewOf(dtype, buffer, 0, length);
}

/** The kinds of arrays of floats, and a type whose elements are as large. */
export const SIZED_LIKE: ReadonlyMap<unknown, DType> = new Map([
  ["Float32Array", "float32"],
  ["Float64Array", "float64"],
  ["Float16Array", "float16"],
  ["Uint16Array", "float16"],
]);

/** The same for an array of the kind of another, and of its length unless another one is asked for. */
export function allocateLike<T extends Data>(data: T, length = lengthOf(data)): T {
  return allocateOutput(SIZED_LIKE.get(tagOf(data))!, length) as T;
}

/** Makes an array in shared memory, which threads can write to; an ordinary one where there is no shared memory. */
export function sharedOutput(dtype: DType, length: number): Data {
  if (typeof SharedArrayBuffer !== "function") return allocateOutput(dtype, length);
  try {
    return viewOf(dtype, new SharedArrayBuffer(bytesOf(dtype) * length), 0, length);
  } catch (error) {
    throw rangeError("ERR_BATCHNORM_MEMORY", `cannot allocate ${length} elements of ${dtype}: ${messageOf(error)}`);
  }
}
