// A reader of protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) for files of strangers. It is no
// library, because those decode a message that is in memory as a whole: of a model of 2 GB this reads the few fields that
// are needed and skips the others by their lengths, without reading them. Groups are refused, as ONNX has none.
import { rangeError } from "../base/errors.js";
import type { Bytes } from "./bytes.js";
import { quoted } from "./json-text.js";

/** What is wrong with something that has a name in the model. */
export const fail = (name: string, expected: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", `${quoted(name)} in the model expected ${expected}`);
};

/** How a field is stored: a number of 1 to 10 bytes, 8 bytes, as many bytes as a number before them says, or 4 bytes. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

/** A field. Those of 4 bytes are read as a float32. Of `BYTES` and `FIXED64` there is the place alone. */
export interface Field {
  readonly number: number;
  readonly type: number;
  readonly value: number;
  readonly begin: number;
  readonly end: number;
}

/** As much is read at once. A field that is skipped costs one reading of a window behind it. */
const WINDOW = 2 ** 16;
/** A key and the number behind it. */
const MOST_HEAD = 20;
/** A varint has 7 bits in each byte, and so 64 bits in 10. */
const MOST_VARINT = 10;
const HIGHEST_NUMBER = 2 ** 29 - 1;
/** The longest name. A window holds it. */
const MOST_TEXT = WINDOW / 4;

export class WireReader {
  /** Where the next field begins. To enter a message, it is set to the beginning of the message. */
  position = 0;
  #window = new Uint8Array(0);
  #start = 0;

  constructor(
    readonly bytes: Bytes,
    readonly size: number,
  ) {}

  fail(expected: string): never {
    const text = `the protobuf expected ${expected} at byte ${this.position}: this is no ONNX model, or it is damaged`;
    throw rangeError("ERR_BATCHNORM_FILE", text);
  }

  /** The next field of the message that ends at `end`, or null behind the last one. A field's content is skipped. */
  async next(end: number): Promise<Field | null> {
    if (this.position === end) return null;
    const head = Math.min(MOST_HEAD, end - this.position);
    if (!this.#has(head)) await this.#fill();
    const key = this.#varint(end);
    const [number, type] = [Math.floor(key / 8), key % 8];
    if (!(number >= 1 && number <= HIGHEST_NUMBER)) this.fail("a field number from 1 to 2^29 - 1");
    const value = type === VARINT || type === BYTES ? this.#varint(end) : 0;
    const begin = this.position;
    if (type === VARINT) return { number, type, value, begin, end: begin };
    const length = type === BYTES ? value : type === FIXED64 ? 8 : 4;
    if (type > BYTES && type !== FIXED32) this.fail("a field without groups");
    if (length < 0 || length > end - begin) this.fail(`a field that ends by byte ${end}, got ${length} bytes`);
    const single = type === FIXED32 ? this.#view(begin, 4).getFloat32(0, true) : 0;
    this.position = begin + length;
    return { number, type, value: single, begin, end: this.position };
  }

  /** The fields of a message inside another, one after the other. */
  async inside(field: Field, handle: (inner: Field) => Promise<void> | void): Promise<void> {
    if (field.type !== BYTES) this.fail("a message");
    this.position = field.begin;
    for (let inner = await this.next(field.end); inner !== null; inner = await this.next(field.end)) {
      const { position } = this;
      await handle(inner);
      this.position = position;
    }
  }

  /** The text of a field. */
  async text(field: Field): Promise<string> {
    const length = field.end - field.begin;
    if (field.type !== BYTES || length > MOST_TEXT) this.fail(`a text of at most ${MOST_TEXT} bytes`);
    this.position = field.begin;
    if (!this.#has(length)) await this.#fill();
    const { buffer, byteOffset } = this.#view(field.begin, length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        new Uint8Array(buffer, byteOffset, length),
      );
    } catch {
      return this.fail("text in UTF-8");
    }
  }

  /** The numbers of a field that is packed or holds one of them, at most `most`. */
  async numbers(field: Field, most: number): Promise<readonly number[]> {
    if (field.type === VARINT) return [field.value];
    if (field.type !== BYTES) this.fail("whole numbers");
    this.position = field.begin;
    const numbers: number[] = [];
    while (this.position < field.end) {
      if (numbers.length === most) this.fail(`at most ${most} numbers`);
      if (!this.#has(Math.min(MOST_VARINT, field.end - this.position))) await this.#fill();
      numbers.push(this.#varint(field.end));
    }
    return numbers;
  }

  /** The next bytes are in the window. */
  #has(length: number): boolean {
    return this.position >= this.#start && this.position + length <= this.#start + this.#window.length;
  }

  async #fill(): Promise<void> {
    this.#window = await this.bytes.read(this.position, Math.min(WINDOW, this.size - this.position));
    this.#start = this.position;
  }

  #view(begin: number, length: number): DataView {
    const { buffer, byteOffset } = this.#window;
    return new DataView(buffer, byteOffset + begin - this.#start, length);
  }

  /**
   * A number of at most 64 bits, of which the highest is the sign. It is exact up to 2^53, and those beyond are not taken
   * for smaller ones.
   */
  #varint(end: number): number {
    let [low, high] = [0, 0];
    for (let i = 0; i < MOST_VARINT; i++) {
      if (this.position >= end) this.fail("a number that ends");
      const byte = this.#window[this.position++ - this.#start]!;
      if (i < 4) low += (byte & 0x7f) * 2 ** (7 * i);
      else high += (byte & 0x7f) * 2 ** (7 * (i - 4));
      if (byte < 0x80) {
        if (high >= 2 ** 36) break;
        return (high >= 2 ** 35 ? high - 2 ** 36 : high) * 2 ** 28 + low;
      }
    }
    return this.fail("a number of at most 64 bits");
  }
}
