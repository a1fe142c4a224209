// createArena: memory for arrays that WASM need not copy.
import { ORDINARY, selectBackend } from "./backend.js";
import { checkInteger } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { wasmModule } from "./wasm/wasm.js";
import { ArenaMemory, MOST_ARENA_BYTES } from "./wasm/arena-memory.js";
import { align } from "./wasm/instance.js";

/**
 * A piece of WebAssembly memory of fixed size, which hands out arrays. If all arrays of a call on the WASM backend (x,
 * `out`, the residual, gradOutput) are in one arena, it works on them in place. Otherwise it copies them into its own
 * memory and back, tile by tile. To the other backends they are ordinary arrays.
 */
export interface Arena {
  /** The size of the arena in bytes, as it was asked for. */
  readonly bytes: number;
  /** The number of bytes that are left. Each array takes a multiple of 64 bytes. It is 0 after `dispose()`. */
  readonly free: number;
  /**
   * Makes a Float32Array of zeros in this arena.
   *
   * @param length The number of elements.
   * @throws RangeError if it does not fit into what is left (`ERR_BATCHNORM_VALUE`), or if the arena is disposed of
   * (`ERR_BATCHNORM_STATE`).
   */
  float32(length: number): Float32Array;
  /**
   * Makes a Float64Array of zeros in this arena.
   *
   * @param length The number of elements.
   * @throws RangeError if it does not fit into what is left (`ERR_BATCHNORM_VALUE`), or if the arena is disposed of
   * (`ERR_BATCHNORM_STATE`).
   */
  float64(length: number): Float64Array;
  /**
   * Ends the arena: it hands out no more arrays. Its arrays stay valid as ordinary arrays. The memory is freed when the
   * last of them is.
   */
  dispose(): void;
  /** Does the same as `dispose()`, for `using arena = createArena(bytes)`. */
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

// Engines that lack the symbol do not have `using` either.
if (typeof Symbol.dispose === "symbol") {
  MemoryArena.prototype[Symbol.dispose] = function () {
    this.dispose();
  };
}

/**
 * Sets memory aside for arrays that the WASM backend need not copy. The memory never grows, so its arrays stay valid.
 *
 * @example
 * ```ts
 * const arena = createArena(64 << 20);
 * const x = arena.float32(32 * 64 * 56 * 56);
 * const y = arena.float32(x.length);
 * bn.forward(x, [32, 64, 56, 56], { out: y });
 * arena.dispose();
 * ```
 *
 * @param bytes The size in bytes, a positive integer. At most it is a little less than 4 GiB.
 * @returns The arena.
 * @throws BackendUnavailableError if WebAssembly cannot be used here.
 * @throws RangeError if `bytes` is out of range, or more than the engine can set aside (`ERR_BATCHNORM_VALUE`).
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
