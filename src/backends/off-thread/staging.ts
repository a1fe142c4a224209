// Shared memory for copies of arrays that JavaScript could take away while a kernel runs.
import { weakly, type Holder } from "../../base/environment.js";
import { messageOf, rangeError } from "../../base/errors.js";
import { isStoredIn16Bits, type Data, type DType } from "../../base/types.js";

/** A class of typed arrays, over shared memory. */
type SharedView = new (buffer: SharedArrayBuffer, offset: number, length: number) => Data;
type Growable = new (bytes: number, options: { readonly maxByteLength: number }) => SharedArrayBuffer;

/** Whether memory cannot go away: nothing detaches or shrinks a SharedArrayBuffer. It may be of another realm. */
export function isShared(buffer: ArrayBufferLike): boolean {
  return Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]";
}

export function viewOf(dtype: DType, buffer: ArrayBufferLike, offset: number, length: number): Data {
  const View = isStoredIn16Bits(dtype) ? Uint16Array : dtype === "float32" ? Float32Array : Float64Array;
  return new (View as unknown as SharedView)(buffer as SharedArrayBuffer, offset, length);
}

export function bytesOf(dtype: DType): number {
  return isStoredIn16Bits(dtype) ? 2 : dtype === "float32" ? 4 : 8;
}

/** Memory that a call has given back. The garbage collector may take it, so that a burst of calls keeps none. */
let free: Holder<SharedArrayBuffer>[] = [];
const MOST_FREE = 8;

/** Growable memory comes in pages that the system clears when they are touched. Other memory is cleared at once, by us. */
function allocate(bytes: number): SharedArrayBuffer {
  try {
    return new (SharedArrayBuffer as unknown as Growable)(bytes, { maxByteLength: bytes });
  } catch (error) {
    throw rangeError("ERR_BATCHNORM_MEMORY", `cannot allocate ${bytes} shared bytes: ${messageOf(error)}`);
  }
}

/** Shared memory of any contents. Of what is free, the smallest that is at most twice as large serves. */
export function takeMemory(bytes: number): SharedArrayBuffer {
  const found = free
    .flatMap((holder) => holder.deref() ?? [])
    .sort((a, b) => a.byteLength - b.byteLength)
    .find(({ byteLength }) => byteLength >= bytes && byteLength <= 2 * bytes);
  if (!found) return allocate(bytes);
  free = free.filter((holder) => holder.deref() !== found);
  return found;
}

export function giveMemory(buffer: SharedArrayBuffer): void {
  free = [...free.filter((holder) => holder.deref() !== undefined), weakly(buffer)].slice(-MOST_FREE);
}
