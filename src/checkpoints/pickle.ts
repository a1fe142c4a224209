// A reader of Python's pickles that runs none of their code. It knows the opcodes that Python's own writer makes of plain
// data, protocols 2 to 5, and of globals only those that it is given. https://docs.python.org/3/library/pickletools.html
import { rangeError } from "../base/errors.js";
import { quoted } from "./json-text.js";

/** What a pickle can hold: Python's plain values, and what the globals make. */
export type Pickled = string | number | bigint | boolean | null | Uint8Array | object;

/** A dict, an OrderedDict or any other of its kind. */
export type PickledDict = Map<Pickled, Pickled>;

/** Unlike a list, which is an array, it cannot change. */
export class PickledTuple {
  constructor(readonly items: readonly Pickled[]) {}
}

/** What a global makes where it is called. A class that is only named, such as a storage's, cannot be called. */
export class PickledGlobal {
  constructor(
    readonly name: string,
    readonly call?: (args: readonly Pickled[]) => Pickled,
  ) {}
}

/** What the pickles of a format may refer to. */
export interface PickleWorld {
  /** A global by its full name, such as `"collections.OrderedDict"`. It throws for those that it does not know. */
  global(name: string): PickledGlobal;
  /** What stands outside of the pickle, by its id. */
  outside(id: Pickled): Pickled;
}

/** Limits that no model comes near. Each value of a pickle costs memory many times the bytes that make it. */
const MOST_BYTES = 2 ** 25;
const MOST_OBJECTS = 2 ** 20;
/** The longest name of a global, and the most digits of an integer. */
const MOST_SHORT = 255;

/** Marks where the items of a list, a dict or a tuple begin on the stack. */
const MARK = Symbol("mark");

type Step = (reader: PickleReader) => void;

export class PickleReader {
  readonly stack: (Pickled | typeof MARK)[] = [];
  readonly #memo = new Map<number, Pickled>();
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly world: PickleWorld;
  #at = 0;
  #start = 0;
  #objects = 0;

  constructor(bytes: Uint8Array, world: PickleWorld) {
    if (bytes.length > MOST_BYTES)
      throw rangeError("ERR_BATCHNORM_FILE", `the pickle expected at most ${MOST_BYTES} bytes, got ${bytes.length}`);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.world = world;
  }

  /** The value that the pickle leaves. */
  run(steps: ReadonlyMap<number, Step>, stop: number): Pickled {
    for (;;) {
      this.#start = this.#at;
      const code = this.uint(1);
      if (code === stop) break;
      const step = steps.get(code);
      if (step === undefined) this.fail(`an opcode of plain data, got 0x${code.toString(16).padStart(2, "0")}`);
      step!(this);
    }
    const value = this.pop();
    if (this.stack.length > 0) this.fail("one value, got several");
    return value;
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

  push(value: Pickled): void {
    this.stack.push(value);
  }

  /** Pushes what takes memory beyond its place on the stack. */
  pushObject(value: Pickled): void {
    if (++this.#objects > MOST_OBJECTS) this.fail(`at most ${MOST_OBJECTS} objects`);
    this.stack.push(value);
  }

  mark(): void {
    this.stack.push(MARK);
  }

  pop(): Pickled {
    const value = this.stack.pop();
    return value === undefined || value === MARK ? this.fail("a value on the stack") : value;
  }

  top(): Pickled {
    const value = this.stack.at(-1);
    return value === undefined || value === MARK ? this.fail("a value on the stack") : value;
  }

  /** The last values, the first of which was pushed first. */
  popMany(count: number): Pickled[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  popToMark(): Pickled[] {
    const at = this.stack.lastIndexOf(MARK);
    if (at < 0) this.fail("a mark on the stack");
    const items = this.stack.splice(at);
    return items.slice(1) as Pickled[];
  }

  remember(index: number): void {
    this.#memo.set(index, this.top());
    if (this.#memo.size > MOST_OBJECTS) this.fail(`at most ${MOST_OBJECTS} values to remember`);
  }

  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    this.push(value === undefined ? this.fail(`the value ${index}, which it remembers`) : value);
  }

  /** Calls a global. */
  reduce(): void {
    const args = this.pop();
    const callable = this.pop();
    if (!(callable instanceof PickledGlobal) || !(args instanceof PickledTuple)) this.fail("a global and a tuple");
    const { name, call } = callable as PickledGlobal;
    if (call === undefined) this.fail(`${quoted(name)} not to be called`);
    this.pushObject(call!((args as PickledTuple).items));
  }

  append(items: readonly Pickled[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail("a list");
    for (const item of items) (list as Pickled[]).push(item);
  }

  /** Keys and values in turn. */
  setItems(items: readonly Pickled[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) this.fail("a dict, and as many keys as values");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      if ((dict as PickledDict).has(key)) this.fail(`a key that did not occur before, got ${quoted(String(key))}`);
      (dict as PickledDict).set(key, items[i + 1]!);
    }
  }
}
