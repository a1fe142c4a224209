// createArena: where arrays live that WASM needs no copies of.
import { ORDINARY, selectBackend } from "./backend.js";
import { checkInteger } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { wasmModule } from "./wasm/wasm.js";
import { ArenaMemory, MOST_ARENA_BYTES } from "./wasm/arena-memory.js";
import { align } from "./wasm/instance.js";

/**
 * A fixed piece of WASM memory that hands out arrays. A call of the WASM backend all of whose arrays (x, `out`, the
 * residual, gradOutput) are of one arena works on them where they are; otherwise they are copied into its own memory
 * and back, tile by tile. To the other backends they are arrays like any other.
 */
export interface Arena {
  /** Bytes for arrays, as asked for. */
  readonly bytes: number;
  /** Bytes left: each array takes a multiple of 64. */
  readonly free: number;
  /**
   * `length` zeros in this arena.
   * @throws RangeError where they do not fit what is left, or the arena is disposed of.
   */
  float32(length: number): Float32Array;
  float64(length: number): Float64Array;
  /** Gives out no more arrays. Those there are go on as ordinary ones; the memory goes with the last of them. */
  dispose(): void;
  [Symbol.dispose](): void;
}

class MemoryArena implements Arena {
  readonly #memory: ArenaMemory;
  #used = 0;
  #isDisposed = false;

  declare [Symbol.dispose]: () => void;

  constructor(readonly bytes: number) {
    this.#memory = new ArenaMemory(wasmModule(), bytes);
  }

  get free(): number {
    return this.#isDisposed ? 0 : Math.max(0, this.bytes - this.#used);
  }

  #take(length: number, size: number): number {
    if (this.#isDisposed) throw rangeError("ERR_BATCHNORM_STATE", "the arena is disposed of");
    const wanted = checkInteger("length", length, 0) * size;
    if (wanted > this.free) {
      const message = `"length" expected at most ${this.free} bytes left of ${this.bytes}, got ${length} values of ${size} bytes`;
      throw rangeError("ERR_BATCHNORM_VALUE", message);
    }
    const address = this.#memory.address(this.#used);
    this.#used += align(wanted);
    return address;
  }

  float32(length: number): Float32Array<ArrayBuffer> {
    const address = this.#take(length, 4);
    return new Float32Array(this.#memory.buffer, address, length);
  }

  float64(length: number): Float64Array<ArrayBuffer> {
    const address = this.#take(length, 8);
    return new Float64Array(this.#memory.buffer, address, length);
  }

  dispose(): void {
    this.#isDisposed = true;
    this.#memory.dispose();
  }
}

// Engines without the symbol have no `using` either.
if (typeof Symbol.dispose === "symbol") {
  MemoryArena.prototype[Symbol.dispose] = function () {
    this.dispose();
  };
}

/**
 * Memory for arrays that the WASM backend needs no copies of. It is set aside at once, up to 4 GiB less 4 MiB, and
 * never grows: all arrays stay valid.
 * @throws BackendUnavailableError where there is no WASM, RangeError where `bytes` is too much for it or the engine.
 */
export function createArena(bytes: number): Arena {
  const size = checkInteger("bytes", bytes, 1);
  if (size > MOST_ARENA_BYTES)
    throw rangeError("ERR_BATCHNORM_VALUE", `"bytes" expected at most ${MOST_ARENA_BYTES}, got ${size}`);
  selectBackend(ORDINARY, "wasm");
  try {
    return new MemoryArena(size);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw rangeError(
      "ERR_BATCHNORM_VALUE",
      `"bytes" expected what the engine can set aside, got ${size}: ${error.message}`,
    );
  }
}
