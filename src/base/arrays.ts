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

/** The number of elements up to which a copy shares its memory with others, and of the elements there. */
const SMALL = 512;
const SHARED = 4096;
let shared = new ArrayBuffer(0);
let sharedEnd = 0;

/** Room for a copy. Shared memory that a caller transferred away, with a token in it, has no bytes left. */
function roomFor(length: number): readonly [memory: ArrayBuffer, start: number] {
  if (length > SMALL) return [zeros(length).buffer, 0];
  const start = sharedEnd + 8 * length > shared.byteLength ? 0 : sharedEnd;
  if (start === 0) shared = zeros(SHARED).buffer;
  sharedEnd = start + 8 * length;
  return [shared, start];
}

/**
 * A copy of a table, as a function that makes views of its parts. Small copies share memory, as the Buffers of Node do.
 * A buffer for each takes longer to allocate and to collect than a small forward takes to normalize.
 */
export function partedCopyOf(source: Float64Array): (begin: number, length: number) => Float64Array {
  const [memory, start] = roomFor(source.length);
  const partOf = (begin: number, length: number): Float64Array => new Float64Array(memory, start + 8 * begin, length);
  copyInto(partOf(0, source.length), source);
  return partOf;
}

/** A copy of a table in float64. */
export function tableOf(source: Data): Float64Array<ArrayBuffer> {
  const table = zeros(lengthOf(source));
  copyInto(table, source);
  return table;
}
