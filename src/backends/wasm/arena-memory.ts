// Arenas: memories for arrays that the WASM kernels work on where they are. Elsewhere, and to every other backend, such
// an array is like any other.
import { fill } from "../../base/arrays.js";
import { bufferOf, byteLengthOf, byteOffsetOf } from "../../base/check.js";
import { weakly, type Holder } from "../../base/environment.js";
import { stagedLength, type Control } from "../../kernels/control.js";
import { isStoredIn16Bits, type Data } from "../../base/types.js";
import type { Call } from "./calls.js";
import { Instance, OVERREAD, PAGE, align } from "./instance.js";
import { CONTROL, Sharing, wholeOf } from "./sharing.js";
import { moduleForThreads } from "./threads.js";

/** Room for the control block of some 20 000 columns. In a memory of the arena's own, it is free until it is used. */
const CONTROL_BYTES = 4 << 20;
const MOST_BYTES = 65_536 * PAGE;

/** The part of a memory that is an arena's. */
interface Range {
  readonly begin: number;
  readonly end: number;
  /** Where the control block stands, if not behind the module's own data. */
  readonly control?: number;
  /** Bytes for it. */
  readonly controlBytes: number;
}

/** Where the arrays of an arena begin, in a memory of its own. `ownBytes` are the module's own data. */
function beginOfArrays(ownBytes: number, isShared: boolean): number {
  return (isShared ? CONTROL : align(ownBytes)) + CONTROL_BYTES;
}

/** The most bytes that an arena can have: WASM addresses are 32 bits. */
export function mostArenaBytes(ownBytes: number, isShared: boolean): number {
  return MOST_BYTES - OVERREAD - beginOfArrays(ownBytes, isShared);
}

/** Bytes for the control block in a part of so many bytes, which the caller could use otherwise. */
export function controlBytesIn(bytes: number): number {
  return Math.min(CONTROL_BYTES, Math.max(PAGE, align(bytes / 16)));
}

/** [module's data][control block][arrays]. In a shared memory every thread has the first. */
export class ArenaMemory {
  readonly #instance: Instance;
  readonly #controlBytes: number;
  readonly #begin: number;
  /** Bytes for arrays. */
  readonly bytes: number;
  /** From here on, no array has been given out yet, so that all bytes are 0. */
  #clean: number;
  #sharing: Sharing | null = null;

  private constructor(
    module: WebAssembly.Module,
    private readonly memory: WebAssembly.Memory,
    { begin, end, control, controlBytes }: Range,
  ) {
    this.#instance = new Instance(module, memory, begin, control);
    this.#controlBytes = controlBytes;
    this.#begin = this.#instance.base + controlBytes;
    this.bytes = Math.min(end, this.#instance.buffer.byteLength - OVERREAD) - this.#begin;
    this.#clean = this.bytes;
    owners.set(this.#instance.buffer, this);
  }

  /** A memory of the arena's own, which never grows. Threads can share it, or not. */
  static make(module: WebAssembly.Module, ownBytes: number, bytes: number, isShared: boolean): ArenaMemory {
    const end = beginOfArrays(ownBytes, isShared) + bytes;
    const pages = Math.ceil((end + OVERREAD) / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: isShared });
    const range = { begin: 0, end, controlBytes: CONTROL_BYTES, ...(isShared ? { control: CONTROL } : {}) };
    const arena = new ArenaMemory(isShared ? moduleForThreads() : module, memory, range);
    // The module's data may grow: what was promised is compared with where they really end.
    if (arena.bytes !== bytes) throw new Error(`an arena of ${bytes} bytes has ${arena.bytes}`);
    arena.#clean = 0;
    if (isShared) arena.#sharing = new Sharing(arena.#instance, memory);
    return arena;
  }

  /** A memory of the caller's, which may grow and then has another buffer. */
  static lend(module: WebAssembly.Module, memory: WebAssembly.Memory, range: Range): ArenaMemory {
    const arena = new ArenaMemory(module, memory, range);
    lent.add(weakly(arena));
    hosts.add(memory);
    return arena;
  }

  /** Whether threads share the memory. */
  get isShared(): boolean {
    return this.#sharing !== null;
  }

  get buffer(): ArrayBufferLike {
    return this.#instance.buffer;
  }

  /** Makes bytes of the arena 0, and returns their offset in the buffer. */
  clear(offset: number, bytes: number): number {
    const begin = this.#begin + offset;
    const used = Math.min(bytes, this.#clean - offset);
    if (used > 0) fill(new Uint8Array(this.buffer, begin, used), 0);
    this.#clean = Math.max(this.#clean, offset + bytes);
    return begin;
  }

  /** The arrays stay, as arrays like any other. The bytes that the module had for itself are 0 again. */
  dispose(): void {
    const { buffer } = this;
    owners.delete(buffer);
    hosts.delete(this.memory);
    for (const arena of lent) if (arena.deref() === this) lent.delete(arena);
    this.#sharing?.dispose();
    this.#sharing = null;
    fill(new Uint8Array(buffer, this.#instance.begin, this.#instance.ownBytes), 0);
  }

  /** Whether kernels may work on an array in place. One made by hand may reach into the control block, or to the end. */
  #holds(data: Data): boolean {
    if (bufferOf(data) !== this.buffer) return false;
    const begin = byteOffsetOf(data);
    const end = begin + byteLengthOf(data);
    if (end + OVERREAD > this.buffer.byteLength) return false;
    return begin >= this.#begin || end <= this.#instance.begin;
  }

  /** Runs a call whose arrays all lie here, on the tensor as a whole; false where they do not, or are to be converted. */
  run(control: Control, call: Call): boolean {
    const { kernel, arrays, reads, writes, weights } = call;
    const { extent } = control;
    if (isStoredIn16Bits(control.dtype)) return false;
    const controlBytes = align(8 * stagedLength(extent, control.traversal));
    const weightBytes = weights ? align(byteLengthOf(weights)) : 0;
    if (controlBytes + weightBytes > this.#controlBytes) return false;
    for (const data of arrays) if (data && !this.#holds(data)) return false;
    const pointers = arrays.map((data) => (data ? byteOffsetOf(data) : 0));
    // Weights are never the caller's own array: they are copied behind the control block.
    const address = this.#instance.base + controlBytes;
    if (weights) {
      this.#instance.putWeights(control, address, weights);
      pointers.push(address);
    }
    if (this.#sharing) {
      const placed = { pointers, free: address + weightBytes, end: this.#begin };
      if (this.#sharing.run(control, call, placed)) return true;
    }
    const whole = wholeOf(control);
    this.#instance.load(control, reads, whole);
    this.#instance.setBox(whole);
    this.#instance.run(kernel, control, pointers);
    this.#instance.save(control, writes, whole);
    this.#instance.saveCount(control);
    return true;
  }
}

const owners = new WeakMap<ArrayBufferLike, ArenaMemory>();
/** Arenas in memories of callers. */
const lent = new Set<Holder<ArenaMemory>>();
const hosts = new WeakSet<WebAssembly.Memory>();

/** Whether an arena is in a memory of a caller. */
export function hasArena(memory: WebAssembly.Memory): boolean {
  return hosts.has(memory);
}

function ownerOf(buffer: ArrayBufferLike): ArenaMemory | undefined {
  const owner = owners.get(buffer);
  if (owner || lent.size === 0) return owner;
  for (const reference of lent) {
    const arena = reference.deref();
    if (!arena) lent.delete(reference);
    else if (arena.buffer === buffer) {
      owners.set(buffer, arena);
      return arena;
    }
  }
  return undefined;
}

/** Runs a call in the arena that holds all its arrays; false where there is none. */
export function runInArena(control: Control, call: Call): boolean {
  return ownerOf(bufferOf(call.arrays[0]!))?.run(control, call) ?? false;
}
