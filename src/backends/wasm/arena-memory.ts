// Arenas: memories of their own for arrays that the WASM kernels work on where they are. Elsewhere, and to every other
// backend, such an array is like any other.
import { bufferOf, byteLengthOf, byteOffsetOf } from "../../base/check.js";
import { sequentialLength, type Control } from "../../kernels/control.js";
import { isStoredIn16Bits, type Data } from "../../base/types.js";
import { Instance, OVERREAD, PAGE, align } from "./instance.js";
import type { Call } from "./staging.js";

/** Room for the control block of some 50 000 columns, which takes no memory before it is used. */
const CONTROL_BYTES = 4 << 20;
const MOST_BYTES = 65_536 * PAGE;
/** The instance's own data, before the control block, is smaller. */
const FIXED_BYTES = CONTROL_BYTES + PAGE + OVERREAD;

/** The most an arena can hold: WASM addresses are 32 bits. */
export const MOST_ARENA_BYTES = MOST_BYTES - FIXED_BYTES;

/** [control block][arrays]. */
export class ArenaMemory {
  readonly #instance: Instance;
  readonly #begin: number;

  constructor(
    module: WebAssembly.Module,
    readonly bytes: number,
  ) {
    this.#instance = new Instance(module, Math.ceil((FIXED_BYTES + bytes) / PAGE));
    this.#begin = align(this.#instance.base + CONTROL_BYTES);
    owners.set(this.#instance.buffer, this);
  }

  get buffer(): ArrayBuffer {
    return this.#instance.buffer;
  }

  /** Byte offset in the buffer of a place in the arena. */
  address(offset: number): number {
    return this.#begin + offset;
  }

  /** The arrays stay, as arrays like any other. */
  dispose(): void {
    owners.delete(this.#instance.buffer);
  }

  /** An array made by hand may reach into the control block. */
  #holds(data: Data): boolean {
    const begin = byteOffsetOf(data);
    return begin >= this.#begin && begin + byteLengthOf(data) <= this.#begin + this.bytes;
  }

  /** Runs a call whose arrays all lie here, on the tensor as a whole; false where they do not, or are to be converted. */
  run(control: Control, { kernel, arrays, reads, writes, weights }: Call): boolean {
    const { extent } = control;
    if (isStoredIn16Bits(control.dtype)) return false;
    const controlBytes = align(8 * sequentialLength(extent, control.walk));
    if (controlBytes + (weights ? byteLengthOf(weights) : 0) > CONTROL_BYTES) return false;
    for (const data of arrays) if (data && (bufferOf(data) !== this.buffer || !this.#holds(data))) return false;
    const whole = { o: 0, c: 0, i: 0, extent, first: true, last: true };
    this.#instance.load(control, reads, whole);
    this.#instance.setBox(control, whole);
    const pointers = arrays.map((data) => (data ? byteOffsetOf(data) : 0));
    // Weights are never the caller's own array: they are copied behind the control block.
    if (weights) {
      const address = this.#instance.base + controlBytes;
      this.#instance.putWeights(control, address, weights);
      pointers.push(address);
    }
    this.#instance.run(kernel, control, pointers);
    this.#instance.save(control, writes, whole);
    this.#instance.saveCounters(control);
    return true;
  }
}

const owners = new WeakMap<ArrayBufferLike, ArenaMemory>();

/** Runs a call in the arena that holds all its arrays; false where there is none. */
export function runInArena(control: Control, call: Call): boolean {
  return owners.get(bufferOf(call.arrays[0]!))?.run(control, call) ?? false;
}
