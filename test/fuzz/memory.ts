// Where the arrays of a case are: between guards and off their alignment, in shared memory, or in an arena.
import { createArena } from "../../src/index.js";
import { allocate, type Data, type DType } from "../../src/base/types.js";
import { Guarded } from "../support/guarded.js";
import type { FuzzCase } from "./draw.js";

/** Five steps of five tensors of 2^19 float64 values. */
const ARENA_BYTES = 120 * 2 ** 20;
const ALIGNMENT = 64;

/** One for all cases, since the engine sets much address space aside for each; undefined until it is asked for. */
let arena: Float64Array | null | undefined;

function arenaMemory(): Float64Array | null {
  if (arena === undefined) {
    try {
      arena = createArena(ARENA_BYTES).float64(ARENA_BYTES / 8);
    } catch {
      arena = null; // no WebAssembly here
    }
  }
  return arena;
}

/** An array of another's kind on the same bytes of other memory. */
function viewOf(data: Data, buffer: ArrayBufferLike, at: number): Data {
  const View = data instanceof Float32Array ? Float32Array : data instanceof Float64Array ? Float64Array : Uint16Array;
  return new View(buffer as ArrayBuffer, at, data.length);
}

/** What holds the arrays of one run of a case. */
export class CaseMemory {
  readonly #place: FuzzCase["place"];
  readonly #offset: number;
  readonly #guarded: Guarded[] = [];
  #used = 0;

  constructor({ place, offset }: FuzzCase) {
    this.#place = place;
    this.#offset = offset;
  }

  /** A copy. */
  hold(dtype: DType, data: Data): Data {
    const memory = this.#place === "arena" ? arenaMemory() : null;
    if (memory && this.#used + data.byteLength <= memory.byteLength) {
      const view = viewOf(data, memory.buffer, memory.byteOffset + this.#used);
      this.#used += Math.ceil(data.byteLength / ALIGNMENT) * ALIGNMENT;
      view.set(data);
      return view;
    }
    if (this.#place === "shared") {
      const view = viewOf(data, new SharedArrayBuffer(data.byteLength), 0);
      view.set(data);
      return view;
    }
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
