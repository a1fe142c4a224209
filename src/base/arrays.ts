// Copying and filling arrays by the built-in methods, taken once when the package loads. A program may replace those on
// the prototypes later, and an array may be of a subclass: neither changes what is copied here.
import { KIND, bufferOf, byteOffsetOf, lengthOf, tagOf } from "./check.js";
import { allocate, type Data } from "./types.js";

type Writable = Data | Uint8Array;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Record<"set" | "fill", () => void>;

/** A method as a function of its array. */
function builtIn<F>(method: "set" | "fill"): F {
  return Function.prototype.call.bind(typedArray[method]) as F;
}

/** Copies all of `source` to `target`, from element `at` on. */
export const copyInto = builtIn<(target: Writable, source: ArrayLike<number>, at?: number) => void>("set");

/** Sets the elements from `begin` to `end` to a value. */
export const fill = builtIn<(target: Writable, value: number, begin?: number, end?: number) => void>("fill");

const VIEWS = { [KIND.float32]: Float32Array, [KIND.float64]: Float64Array, [KIND.float16]: Uint16Array } as const;

/** A function that makes views of an array's elements. `subarray` would ask the array's class which one to make. */
export function partsOf(array: Data): (begin: number, length: number) => Data {
  const View = VIEWS[tagOf(array) as keyof typeof VIEWS];
  const buffer = bufferOf(array) as ArrayBuffer;
  const offset = byteOffsetOf(array);
  return (begin, length) => new View(buffer, offset + begin * View.BYTES_PER_ELEMENT, length);
}

/** The same elements as an array whose methods and length are the built-in ones. */
export function plainOf(array: Data): Data {
  return partsOf(array)(0, lengthOf(array));
}

/** A new table of zeros with one element per channel. Pages that are never written take no memory. */
export function zeros(length: number): Float64Array<ArrayBuffer> {
  return allocate("float64", length) as Float64Array<ArrayBuffer>;
}

/** A copy of a table in float64. */
export function tableOf(source: Data): Float64Array<ArrayBuffer> {
  const table = zeros(lengthOf(source));
  copyInto(table, source);
  return table;
}
