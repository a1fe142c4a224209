// Where the arrays of a case are: between guards and off their alignment, in shared memory, or in an arena.
import { createArena, type Arena } from "../../src/index.js";
import { allocate, type Data, type DType } from "../../src/base/types.js";
import { Guarded } from "../support/guarded.js";
import type { FuzzCase } from "./draw.js";

/** Five steps of five tensors of 2^19 float64 values. */
const ARENA_BYTES = 120 * 2 ** 20;
/** An odd place in a memory, behind which the arena begins. */
const LENT_FROM = 3 * 2 ** 16 + 12;

function lentMemory(): Arena {
  const memory = new WebAssembly.Memory({ initial: ARENA_BYTES / 2 ** 16 });
  return createArena(memory, { begin: LENT_FROM, end: ARENA_BYTES - 2 ** 16 });
}

const ordinaryArena = (): Arena => createArena(ARENA_BYTES);

/** How the arenas of these places are made. */
const MAKERS = {
  arena: ordinaryArena,
  "arena with gaps": ordinaryArena,
  "arena of threads": () => createArena(ARENA_BYTES, { shared: true }),
  "lent memory": lentMemory,
} as const;

/** One of each for all cases, since the engine sets much address space aside for each. They are made when they are asked for. */
const arenas = new Map<() => Arena, Arena | null>();

function arenaIn(place: FuzzCase["place"]): Arena | null {
  if (place === "guarded" || place === "shared") return null;
  const make = MAKERS[place];
  if (!arenas.has(make)) {
    try {
      arenas.set(make, make());
    } catch {
      arenas.set(make, null); // no WebAssembly here
    }
  }
  return arenas.get(make)!;
}

function sharedCopyOf(data: Data): Data {
  const View = data instanceof Float32Array ? Float32Array : data instanceof Float64Array ? Float64Array : Uint16Array;
  const copy = new View(new SharedArrayBuffer(data.byteLength) as ArrayBufferLike as ArrayBuffer);
  copy.set(data);
  return copy;
}

/** What holds the arrays of one run of a case. */
export class CaseMemory {
  readonly #place: FuzzCase["place"];
  readonly #offset: number;
  readonly #arena: Arena | null;
  readonly #guarded: Guarded[] = [];
  #count = 0;

  constructor({ place, offset }: FuzzCase) {
    this.#place = place;
    this.#offset = offset;
    this.#arena = arenaIn(place);
    this.#arena?.reset(); // no array of an earlier run is used any more
  }

  /** A copy. */
  hold(dtype: DType, data: Data): Data {
    const spare = 64 * (1 + (this.#count++ % 3));
    if (this.#arena && data.byteLength + spare + 128 <= this.#arena.free) {
      const before = this.#place === "arena with gaps" ? this.#arena.bfloat16(spare / 2) : null;
      const array = this.#arena[dtype](data.length);
      if (before) this.#arena.release(before);
      array.set(data);
      return array;
    }
    if (this.#place === "shared") return sharedCopyOf(data);
    const guarded = Guarded.copyOf(dtype, data, (this.#offset * (1 + this.#guarded.length)) % 16);
    this.#guarded.push(guarded);
    return guarded.view;
  }

  /** An array for results, which holds what no call should leave there. */
  output(dtype: DType, length: number): Data {
    return this.hold(dtype, allocate(dtype, length).fill(7));
  }

  /** Whether nothing was written before or behind the arrays with guards. */
  intact(): boolean {
    return this.#guarded.every((one) => one.intact());
  }
}
