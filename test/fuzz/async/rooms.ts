// Memory of every kind that an array of an asynchronous call can be in, and how JavaScript takes it away or makes it larger.
import { createArena, type Arena } from "../../../src/index.js";
import type { Place } from "./case.js";

/** A piece of memory, and what can be done to it in the middle of a call. */
export interface Room {
  readonly buffer: ArrayBufferLike;
  readonly begin: number;
  /** Takes the memory away; it is what is left of it, at another place or here. */
  readonly take?: (() => Uint8Array) | undefined;
  /** Makes the memory larger, which changes nothing for the arrays in it. */
  readonly grow?: (() => void) | undefined;
}

// ES2024, which the types of this project do not have yet.
type Resizable = ArrayBuffer & { resize(bytes: number): void };
type Growable = SharedArrayBuffer & { grow(bytes: number): void };
interface Limit {
  readonly maxByteLength: number;
}
const ResizableBuffer = ArrayBuffer as unknown as new (bytes: number, limit?: Limit) => Resizable;
const GrowableBuffer = SharedArrayBuffer as unknown as new (bytes: number, limit?: Limit) => Growable;

/** Moves the memory to another buffer, which nobody may write to any more. */
function moved(buffer: ArrayBuffer): Uint8Array {
  return new Uint8Array(structuredClone(buffer, { transfer: [buffer] }));
}

function resizable(bytes: number, isShrunk: boolean): Room {
  const buffer = new ResizableBuffer(bytes, { maxByteLength: 2 * bytes });
  const shrink = (): Uint8Array => {
    buffer.resize(bytes >> 2);
    return new Uint8Array(buffer);
  };
  return {
    buffer,
    begin: 0,
    take: isShrunk ? shrink : () => moved(buffer),
    grow: () => buffer.resize(2 * bytes),
  };
}

function growable(bytes: number): Room {
  const buffer = new GrowableBuffer(bytes, { maxByteLength: 2 * bytes });
  return { buffer, begin: 0, grow: () => buffer.grow(2 * bytes) };
}

function ordinary(bytes: number): Room {
  const buffer = new ArrayBuffer(bytes);
  return { buffer, begin: 0, take: () => moved(buffer) };
}

const PAGE = 2 ** 16;
/** An array of the largest cases with its guards, and what a memory may grow by. */
const PAGES = { initial: 40, maximum: 72 } as const;
/** The engine sets gigabytes of addresses aside for each. */
const MOST_MEMORIES = 6;

/** Memories of WebAssembly that cases lend and give back. */
class Memories {
  #free: WebAssembly.Memory[] = [];
  #count = 0;

  constructor(private readonly shared: boolean) {}

  lend(): WebAssembly.Memory | null {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#count === MOST_MEMORIES || typeof WebAssembly === "undefined") return null;
    this.#count++;
    return new WebAssembly.Memory({ ...PAGES, shared: this.shared });
  }

  giveBack(memory: WebAssembly.Memory): void {
    if (memory.buffer.byteLength < PAGES.maximum * PAGE) this.#free.push(memory);
    else this.#count--;
  }
}

const memories = { memory: new Memories(false), "shared memory": new Memories(true) } as const;

const ARENA_BYTES = 2 ** 26;
let arenas: Readonly<Record<"arena" | "shared arena", Arena | null>> | null = null;

/** One of each for all cases. */
function arenaOf(place: "arena" | "shared arena"): Arena | null {
  const make = (shared: boolean): Arena | null => {
    try {
      return createArena(ARENA_BYTES, shared ? { shared } : {});
    } catch {
      return null; // no WebAssembly here
    }
  };
  arenas ??= { arena: make(false), "shared arena": make(true) };
  return arenas[place];
}

/** The rooms of one run of a case. Where a kind of memory has none left, the room is in ordinary memory. */
export class Rooms {
  readonly #lent: (readonly [keyof typeof memories, WebAssembly.Memory])[] = [];

  constructor() {
    for (const place of ["arena", "shared arena"] as const) arenaOf(place)?.reset();
  }

  make(place: Place, bytes: number): Room {
    if (place === "shared") return { buffer: new SharedArrayBuffer(bytes), begin: 0 };
    if (place === "growable shared") return growable(bytes);
    if (place === "resizable" || place === "shrinking") return resizable(bytes, place === "shrinking");
    if (place === "arena" || place === "shared arena") return this.#inArena(place, bytes) ?? ordinary(bytes);
    if (place === "memory" || place === "shared memory") return this.#inMemory(place, bytes) ?? ordinary(bytes);
    return ordinary(bytes);
  }

  #inArena(place: "arena" | "shared arena", bytes: number): Room | null {
    const arena = arenaOf(place);
    if (!arena || arena.free < bytes + 128) return null;
    const { buffer, byteOffset } = arena.bfloat16(bytes / 2);
    return { buffer, begin: byteOffset };
  }

  #inMemory(place: keyof typeof memories, bytes: number): Room | null {
    const memory = bytes <= PAGES.initial * PAGE ? memories[place].lend() : null;
    if (!memory) return null;
    this.#lent.push([place, memory]);
    const { buffer } = memory;
    const grow = (): void => void memory.grow(1);
    if (place === "shared memory") return { buffer, begin: 0, grow };
    return { buffer, begin: 0, take: () => (grow(), new Uint8Array(memory.buffer, 0, bytes)) };
  }

  /** Gives the memories back. No array of this run is used any more. */
  close(): void {
    for (const [place, memory] of this.#lent) memories[place].giveBack(memory);
  }
}
