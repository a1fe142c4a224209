// The bytes of a pickle, read from the first to the last.
import { rangeError } from "../base/errors.js";

/** Values take memory many times the bytes that make them. The pickle of 100 000 tensors has 20 MB. */
const MOST_BYTES = 2 ** 25;
/** The longest name of a global, and the most digits of an integer. */
const MOST_SHORT = 255;

export class PickleBytes {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  /** Where the opcode is that is read. */
  #start = 0;

  constructor(bytes: Uint8Array) {
    if (bytes.length > MOST_BYTES)
      throw rangeError("ERR_BATCHNORM_FILE", `the pickle expected at most ${MOST_BYTES} bytes, got ${bytes.length}`);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  opcode(): number {
    this.#start = this.#at;
    return this.uint(1);
  }

  fail(expected: string): never {
    throw rangeError("ERR_BATCHNORM_FILE", `the pickle expected ${expected} at byte ${this.#start}`);
  }

  /** Moves over some bytes, and says where they begin. */
  #take(length: number): number {
    const begin = this.#at;
    if (begin + length > this.#bytes.length) this.fail("to go on");
    this.#at = begin + length;
    return begin;
  }

  take(length: number): Uint8Array {
    const begin = this.#take(length);
    return this.#bytes.subarray(begin, begin + length);
  }

  /** An unsigned integer of 1, 2, 4 or 8 bytes, the lowest first. One beyond 2^53 is not exact, and larger than any file. */
  uint(size: 1 | 2 | 4 | 8): number {
    const begin = this.#take(size);
    if (size === 8) return Number(this.#view.getBigUint64(begin, true));
    return size === 1
      ? this.#bytes[begin]!
      : size === 2
        ? this.#view.getUint16(begin, true)
        : this.#view.getUint32(begin, true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** An integer of as many bytes, in two's complement. */
  long(length: number): number | bigint {
    if (length > MOST_SHORT) this.fail(`an integer of at most ${MOST_SHORT} bytes`);
    const bytes = this.take(length);
    const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).reverse();
    const value = BigInt.asIntN(8 * length, BigInt(`0x${digits.join("") || "0"}`));
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  text(length: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(length));
    } catch (error) {
      if (error instanceof RangeError) throw error;
      return this.fail("text in UTF-8");
    }
  }

  line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + MOST_SHORT + 1).indexOf(0x0a);
    if (end < 0) this.fail(`a line of at most ${MOST_SHORT} bytes`);
    const line = this.text(end);
    this.#take(1);
    return line;
  }
}
