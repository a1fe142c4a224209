// createArena: memory for arrays that WASM need not copy.
import { arenaOfBytes, arenaOfMemory } from "./arena-arguments.js";
import { bufferOf, checkInteger, describe, tagOf } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { Data } from "../base/types.js";
import type { ArenaMemory } from "./wasm/arena-memory.js";
import { Gaps } from "./wasm/gaps.js";

/**
 * A piece of WebAssembly memory, which hands out arrays. If all arrays of a call on the WASM backend (x, `out`, the
 * residual, gradOutput) are in one arena, it works on them in place. Otherwise it copies them into its own memory and
 * back, tile by tile. 16-bit elements are always copied, because they are converted. To the other backends they are
 * ordinary arrays.
 *
 * The `buffer` of each array is the whole memory, with the arrays of all others. A message or `structuredClone` that
 * holds one array copies all of it. Send `array.slice()` instead.
 */
export interface Arena {
  /** The size of the arena in bytes. */
  readonly bytes: number;
  /**
   * The most bytes that the next array can have. Each array takes a multiple of 64 bytes. After a `release`, the bytes
   * that are left can be in several pieces, and this is the largest. It is 0 after `dispose()`.
   */
  readonly free: number;
  /**
   * Whether the memory is shared by threads: its arrays have a `SharedArrayBuffer`. It is false without the option
   * `shared`, and where threads cannot share memory.
   */
  readonly shared: boolean;
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
   * Makes an array of float16 zeros in this arena, as their bits.
   *
   * @param length The number of elements.
   * @throws RangeError if it does not fit into what is left (`ERR_BATCHNORM_VALUE`), or if the arena is disposed of
   * (`ERR_BATCHNORM_STATE`).
   */
  float16(length: number): Uint16Array;
  /**
   * Makes an array of bfloat16 zeros in this arena, as their bits.
   *
   * @param length The number of elements.
   * @throws RangeError if it does not fit into what is left (`ERR_BATCHNORM_VALUE`), or if the arena is disposed of
   * (`ERR_BATCHNORM_STATE`).
   */
  bfloat16(length: number): Uint16Array;
  /**
   * Takes one array back. Its bytes can be handed out again, so that it may share them with a later array. Do not use it
   * afterwards, nor a saved token that refers to it.
   *
   * @param array An array that this arena handed out, and no view of it.
   * @throws TypeError if it is no array (`ERR_BATCHNORM_TYPE`).
   * @throws RangeError if this arena did not hand it out or took it back already (`ERR_BATCHNORM_VALUE`), or if the
   * arena is disposed of (`ERR_BATCHNORM_STATE`).
   */
  release(array: Float32Array | Float64Array | Uint16Array): void;
  /**
   * Takes all arrays back. Later arrays may share their bytes. Do not use the earlier ones afterwards, nor saved tokens
   * that refer to them.
   *
   * @throws RangeError if the arena is disposed of (`ERR_BATCHNORM_STATE`).
   */
  reset(): void;
  /**
   * Ends the arena: it hands out no more arrays. Its arrays stay valid as ordinary arrays. The memory is freed when the
   * last of them is.
   */
  dispose(): void;
  /** Does the same as `dispose()`, for `using arena = createArena(bytes)`. */
  [Symbol.dispose](): void;
}

type View<T> = new (buffer: ArrayBufferLike, address: number, length: number) => T;

/** Where an array has its bytes. */
interface Place {
  readonly offset: number;
  readonly bytes: number;
}

class MemoryArena implements Arena {
  readonly #memory: ArenaMemory;
  readonly #gaps: Gaps;
  #places = new WeakMap<Data, Place>();
  #isDisposed = false;

  declare [Symbol.dispose]: () => void;

  constructor(memory: ArenaMemory) {
    this.#memory = memory;
    this.#gaps = new Gaps(memory.bytes);
  }

  get bytes(): number {
    return this.#memory.bytes;
  }

  get free(): number {
    return this.#isDisposed ? 0 : this.#gaps.largest;
  }

  get shared(): boolean {
    return this.#memory.isShared;
  }

  #checkUse(): void {
    if (this.#isDisposed) throw rangeError("ERR_BATCHNORM_STATE", "the arena is disposed of");
  }

  #take<T extends Data>(length: number, size: number, View: View<T>): T {
    this.#checkUse();
    const bytes = checkInteger("length", length, 0) * size;
    if (bytes > this.free) {
      const message = `"length" expected at most ${this.free} bytes left of ${this.bytes}, got ${length} values of ${size} bytes`;
      throw rangeError("ERR_BATCHNORM_VALUE", message);
    }
    const offset = bytes === 0 ? 0 : this.#gaps.take(bytes);
    const address = this.#memory.clear(offset, bytes);
    const array = new View(this.#memory.buffer, address, length);
    this.#places.set(array, { offset, bytes });
    return array;
  }

  float32(length: number): Float32Array {
    return this.#take(length, 4, Float32Array);
  }

  float64(length: number): Float64Array {
    return this.#take(length, 8, Float64Array);
  }

  float16(length: number): Uint16Array {
    return this.#take(length, 2, Uint16Array);
  }

  bfloat16(length: number): Uint16Array {
    return this.#take(length, 2, Uint16Array);
  }

  release(array: Data): void {
    this.#checkUse();
    if (tagOf(array) === undefined)
      throw typeError("ERR_BATCHNORM_TYPE", `"array" expected an array of this arena, got ${describe(array)}`);
    const place = this.#places.get(array);
    if (!place) {
      const of = bufferOf(array) === this.#memory.buffer ? "a view, or one that was taken back" : "another";
      throw rangeError("ERR_BATCHNORM_VALUE", `"array" expected an array that this arena handed out, got ${of}`);
    }
    this.#places.delete(array);
    if (place.bytes > 0) this.#gaps.give(place.offset, place.bytes);
  }

  reset(): void {
    this.#checkUse();
    this.#places = new WeakMap();
    this.#gaps.reset();
  }

  dispose(): void {
    if (!this.#isDisposed) this.#memory.dispose();
    this.#isDisposed = true;
  }
}

// Engines that lack the symbol do not have `using` either.
if (typeof Symbol.dispose === "symbol") {
  MemoryArena.prototype[Symbol.dispose] = function () {
    this.dispose();
  };
}

/** A WebAssembly.Memory. TypeScript knows that class with the types of browsers or of Node alone. */
export interface WebAssemblyMemory {
  /** The bytes of the memory. It is another buffer after the memory has grown. */
  readonly buffer: ArrayBufferLike;
  /**
   * Adds pages to the memory.
   *
   * @param delta The number of pages of 64 KiB.
   * @returns The number of pages before.
   */
  grow(delta: number): number;
}

/** The part of a memory that an arena may use. */
export interface ArenaRange {
  /**
   * The first byte of the part. The default is 0: then all of the memory is the arena's, and must be unused so far. The
   * bytes before `begin` are yours. They are never changed.
   */
  begin?: number | undefined;
  /** The end of the part. The default is the end of the memory. */
  end?: number | undefined;
}

/** How the memory of an arena is made. */
export interface ArenaOptions {
  /**
   * Whether threads share the memory. Then the WASM backend works on a large tensor of the arena on several threads,
   * without copying it. The default is false.
   *
   * If threads cannot share memory here, the arena is an ordinary one, and `shared` of the arena is false. `backends()`
   * has the reason.
   */
  shared?: boolean | undefined;
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
 * @param options Whether threads share the memory.
 * @returns The arena.
 * @throws BackendUnavailableError if WebAssembly cannot be used here.
 * @throws RangeError if `bytes` is out of range, or more than the engine can set aside (`ERR_BATCHNORM_VALUE`), or if a
 * range is given, which only your own memory has (`ERR_BATCHNORM_OPTION`).
 */
export function createArena(bytes: number, options?: ArenaOptions): Arena;
/**
 * Makes an arena in your own WebAssembly memory, which other modules may use too. Calls then work in place on any array
 * in this memory, whether the arena handed it out or not, if all arrays of a call are there. Exceptions are arrays in the
 * last 128 bytes, which may be copied, and 16-bit arrays, which are copied.
 *
 * The first 128 KiB of the part are kept, and a sixteenth of it, at least 64 KiB and at most 4 MiB, for the coefficients of
 * a call. If the memory
 * grows, all of its arrays lose their buffer, as always. The places in the arena stay taken.
 *
 * @example
 * ```ts
 * const { memory, malloc } = instance.exports; // of your module
 * const begin = malloc(16 << 20);
 * const arena = createArena(memory, { begin, end: begin + (16 << 20) });
 * const x = new Float32Array(memory.buffer, yourPointer, 8 * 64 * 56 * 56);
 * bn.forward(x, [8, 64, 56, 56], { out: arena.float32(x.length) });
 * ```
 *
 * @param memory The memory. It must not be shared, and no other arena may be in it.
 * @param range The part of it that the arena may use.
 * @returns The arena.
 * @throws TypeError if it is not a memory, or a shared one (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if the part is too small or not in the memory, or if it begins at 0 and other data are there
 * (`ERR_BATCHNORM_VALUE`), or if an arena is in the memory (`ERR_BATCHNORM_STATE`).
 * @throws BackendUnavailableError if WebAssembly cannot be used here.
 */
export function createArena(memory: WebAssemblyMemory, range?: ArenaRange): Arena;
export function createArena(given: unknown, options?: unknown): Arena {
  const isMemory = typeof given === "object" && given !== null;
  const memory = isMemory ? arenaOfMemory(given, options) : arenaOfBytes(given, options);
  return new MemoryArena(memory);
}
