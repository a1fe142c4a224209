// A reader of Python's pickles that runs none of their code. It knows the opcodes that Python's own writer makes of plain
// data, protocols 2 to 5, and of globals only those that it is given. https://docs.python.org/3/library/pickletools.html
import { quoted } from "./json-text.js";
import { PickleBytes } from "./pickle-bytes.js";

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

/** No model comes near: each object costs memory many times the bytes that make it. */
const MOST_OBJECTS = 2 ** 20;

/** A key of a dict, for messages and names. */
export const nameOf = (key: Pickled): string => (typeof key === "object" && key !== null ? "an object" : String(key));

/** Marks where the items of a list, a dict or a tuple begin on the stack. */
const MARK = Symbol("mark");

type Step = (reader: PickleReader) => void;

/** Reads a pickle, opcode by opcode. */
export class PickleReader extends PickleBytes {
  readonly stack: (Pickled | typeof MARK)[] = [];
  readonly #memo = new Map<number, Pickled>();
  readonly world: PickleWorld;
  #objects = 0;

  constructor(bytes: Uint8Array, world: PickleWorld) {
    super(bytes);
    this.world = world;
  }

  /** The value that the pickle leaves. */
  run(steps: ReadonlyMap<number, Step>, stop: number): Pickled {
    for (;;) {
      const code = this.opcode();
      if (code === stop) break;
      const step = steps.get(code);
      if (step === undefined) return this.fail(`an opcode of plain data, got 0x${code.toString(16).padStart(2, "0")}`);
      step(this);
    }
    const value = this.pop();
    if (this.stack.length > 0) this.fail("one value, got several");
    return value;
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
    if (!(callable instanceof PickledGlobal) || !(args instanceof PickledTuple))
      return this.fail("a global and a tuple");
    const { name, call } = callable;
    if (call === undefined) return this.fail(`${quoted(name)} not to be called`);
    this.pushObject(call(args.items));
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
      if ((dict as PickledDict).has(key)) this.fail(`a key that did not occur before, got ${quoted(nameOf(key))}`);
      (dict as PickledDict).set(key, items[i + 1]!);
    }
  }
}
