// Memory for copies of arrays that JavaScript could take away while a kernel runs.
import { weakly, type Holder } from "../../base/environment.js";
import { messageOf, rangeError } from "../../base/errors.js";

/** Memory that only the library and its kernels see. A kernel may give it another buffer of the same bytes. */
export interface CallMemory {
  readonly buffer: ArrayBufferLike;
}

type Growable = new (bytes: number, options: { readonly maxByteLength: number }) => SharedArrayBuffer;

/** Growable memory comes in pages that the system clears when they are touched. Other memory is cleared at once, by us. */
export function makeShared(bytes: number): CallMemory {
  return { buffer: new (SharedArrayBuffer as unknown as Growable)(bytes, { maxByteLength: bytes }) };
}

const MOST_FREE = 8;

export class MemoryPool {
  /** Memory that a call has given back. The garbage collector may take it, so that a burst of calls keeps none. */
  #free: Holder<CallMemory>[] = [];

  /** `make` throws where there is no memory left. */
  constructor(private readonly make: (bytes: number) => CallMemory) {}

  /** Memory of any contents. Of what is free, the smallest that is at most twice as large serves. */
  take(bytes: number): CallMemory {
    const found = this.#free
      .flatMap((holder) => holder.deref() ?? [])
      .sort((a, b) => a.buffer.byteLength - b.buffer.byteLength)
      .find(({ buffer: { byteLength } }) => byteLength >= bytes && byteLength <= 2 * bytes);
    if (!found) return this.#make(bytes);
    this.#free = this.#free.filter((holder) => holder.deref() !== found);
    return found;
  }

  give(memory: CallMemory): void {
    this.#free = [...this.#free.filter((holder) => holder.deref() !== undefined), weakly(memory)].slice(-MOST_FREE);
  }

  #make(bytes: number): CallMemory {
    try {
      return this.make(bytes);
    } catch (error) {
      throw rangeError("ERR_BATCHNORM_MEMORY", `cannot allocate ${bytes} bytes: ${messageOf(error)}`);
    }
  }
}
