// Shared memory for copies of arrays that JavaScript could take away while a kernel runs.
import { weakly, type Holder } from "../../base/environment.js";
import { messageOf, rangeError } from "../../base/errors.js";

type Growable = new (bytes: number, options: { readonly maxByteLength: number }) => SharedArrayBuffer;

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
