// Copying and filling arrays by the built-in methods, taken once when the package loads. A program may replace those on
// the prototypes later, and an array may be of a subclass: neither changes what is copied here.
import { KIND, bufferOf, byteOffsetOf, lengthOf, tagOf } from "./check.js";
import { rangeError } from "./errors.js";
import type { Data } from "./types.js";

type Writable = Data | Uint8Array;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Readonly<Record<string, () => void>>;

/** A method as a function of its array. */
function builtIn<F>(name: "set" | "fill"): F {
  return Function.prototype.call.bind(typedArray[name]!) as F;
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

/** A new table of zeros with one element per channel. Pages that are never written take no memory. */
export function zeros(length: number): Float64Array<ArrayBuffer> {
  try {
    return new Float64Array(length);
  } catch {
    throw rangeError(
      "ERR_BATCHNORM_SHAPE",
      `"shape" needs tables of ${length} float64, more than the engine can allocate`,
    );
  }
}

/** A copy of a table in float64. */
export function tableOf(source: Data): Float64Array<ArrayBuffer> {
  const table = zeros(lengthOf(source));
  copyInto(table, source);
  return table;
}
