// A reader of JSON for files of strangers. Unlike JSON.parse it refuses a key that occurs twice and limits the nesting, and
// each member of the text is converted as soon as it is read, so that nothing is kept of what has no meaning. Inner objects
// become Maps: no key has a meaning of its own. Python's NaN, Infinity and -Infinity are read as numbers.
import { rangeError } from "../base/errors.js";

/** What JSON text can hold. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

const MOST_DEPTH = 16;

const WORDS: ReadonlyMap<string, number | boolean | null> = new Map(
  [true, false, null, NaN, Infinity, -Infinity].map((word) => [String(word), word]),
);
const TOKEN = /-?[\w.+-]*/y;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** Space, line feed, carriage return and tab. */
const SPACES = [SPACE, 0x0a, 0x0d, 0x09];

class Reader {
  #at = 0;
  readonly #text: string;
  readonly #depth: number;

  constructor(text: string, depth: number) {
    this.#text = text;
    this.#depth = depth;
  }

  whole<T>(convert: (key: string, value: Json) => T): ReadonlyMap<string, T> {
    if (!this.#has("{")) this.#fail('"{"');
    const members = this.#object(1, convert);
    this.#skipSpace();
    return this.#at === this.#text.length ? members : this.#fail("the end");
  }

  #fail(expected: string, at = this.#at): never {
    const found = at < this.#text.length ? JSON.stringify(this.#text[at]) : "the end";
    throw rangeError("ERR_BATCHNORM_FILE", `the JSON expected ${expected} at character ${at}, got ${found}`);
  }

  #skipSpace(): void {
    while (SPACES.includes(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  /** Whether the next character is this one, which is then read. */
  #has(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #value(depth: number): Json {
    if (depth > this.#depth) this.#fail(`at most ${this.#depth} levels`);
    if (this.#has("{")) return this.#object(depth + 1, (_, value) => value);
    if (this.#has("[")) return this.#array(depth + 1);
    return this.#text.charCodeAt(this.#at) === QUOTE ? this.#string() : this.#scalar();
  }

  #object<T>(depth: number, convert: (key: string, value: Json) => T): ReadonlyMap<string, T> {
    const object = new Map<string, T>();
    if (this.#has("}")) return object;
    do {
      this.#skipSpace();
      const start = this.#at;
      if (this.#text.charCodeAt(start) !== QUOTE) this.#fail("a key");
      const key = this.#string();
      if (object.has(key)) this.#fail("a key that did not occur before", start);
      if (!this.#has(":")) this.#fail('":"');
      object.set(key, convert(key, this.#value(depth)));
    } while (this.#has(","));
    return this.#has("}") ? object : this.#fail('"," or "}"');
  }

  #array(depth: number): readonly Json[] {
    const array: Json[] = [];
    if (this.#has("]")) return array;
    do array.push(this.#value(depth));
    while (this.#has(","));
    return this.#has("]") ? array : this.#fail('"," or "]"');
  }

  /** Most strings are their own text. */
  #string(): string {
    const start = this.#at + 1;
    let isPlain = true;
    for (let at = start; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) {
        const text = isPlain ? this.#text.slice(start, at) : this.#unescaped(start - 1, at + 1);
        this.#at = at + 1;
        return text;
      }
      if (code === BACKSLASH) at++;
      isPlain &&= code !== BACKSLASH && code >= SPACE;
    }
    return this.#fail("a string that ends");
  }

  #unescaped(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end)) as string;
    } catch {
      return this.#fail("a string without control characters and wrong escapes");
    }
  }

  #scalar(): number | boolean | null {
    TOKEN.lastIndex = this.#at;
    const [text] = TOKEN.exec(this.#text)!;
    const isNumber = NUMBER.test(text);
    if (!isNumber && !WORDS.has(text)) this.#fail("a value");
    this.#at += text.length;
    return isNumber ? Number(text) : WORDS.get(text)!;
  }
}

/** The members of the object that the text is, each as `convert` makes it of its key and its value. */
export function parseMembers<T>(
  text: string,
  convert: (key: string, value: Json) => T,
  depth = MOST_DEPTH,
): ReadonlyMap<string, T> {
  return new Reader(text, depth).whole(convert);
}

/** The text of bytes in UTF-8. */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw rangeError("ERR_BATCHNORM_FILE", "the file expected text in UTF-8");
  }
}

const MOST_LETTERS = 100;

/** A name of a file for a message: it may be as long as the file. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS)}…` : name);
}
