// Tensors whose elements are not contiguous, as npm's ndarray has them: { data, shape, stride, offset }.
import { asCaller, bufferOf, byteOffsetOf, checkAttached, describe, lengthOf, tagOf } from "../base/check.js";
import { messageOf, rangeError, typeError } from "../base/errors.js";
import { gatherStrided, isRowMajor, rangeOf, type Strides } from "../base/strided.js";
import type { Data } from "../base/types.js";

interface Elements {
  readonly length: number;
  [index: number]: number | bigint;
}

/** The arrays of each kind. The elements of a Float16Array are moved as their bits. */
const ARRAYS = {
  Float32Array,
  Float64Array,
  Float16Array: Uint16Array,
  Uint8Array,
  Uint8ClampedArray,
  Uint16Array,
  Uint32Array,
  Int8Array,
  Int16Array,
  Int32Array,
  BigInt64Array,
  BigUint64Array,
};

/** Strides are read as far as there are axes. What is no list of them, as a method `stride()`, says nothing. */
function readStrides(name: string, shape: readonly number[], given: unknown): readonly number[] | null {
  if (!Array.isArray(given) && tagOf(given) === undefined) return null;
  return shape.map((_, axis) => {
    const stride = (given as ArrayLike<unknown>)[axis];
    if (Number.isSafeInteger(stride)) return (stride as number) + 0;
    const text = `"${name}.strides[${axis}]" expected an integer, got ${describe(stride)}`;
    throw typeof stride === "number" ? rangeError("ERR_BATCHNORM_VALUE", text) : typeError("ERR_BATCHNORM_TYPE", text);
  });
}

function readOffset(name: string, offset: unknown): number {
  if (typeof offset !== "number") return 0;
  if (Number.isSafeInteger(offset) && offset >= 0) return offset + 0;
  throw rangeError("ERR_BATCHNORM_VALUE", `"${name}.offset" expected a non-negative integer, got ${offset}`);
}

function rowMajor(shape: readonly number[]): readonly number[] {
  const strides = shape.slice();
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; step *= shape[axis--]!) strides[axis] = step;
  return strides;
}

/** Checks that every element is in the array. */
function checkRange(name: string, view: Strides, length: number): void {
  const { first, last } = rangeOf(view);
  if (first >= 0 && last < length) return;
  const { shape, strides, offset } = view;
  const where = `strides [${strides.join(", ")}] and offset ${offset} for shape [${shape.join(", ")}]`;
  throw rangeError(
    "ERR_BATCHNORM_SHAPE",
    `"${name}" expected elements within its ${length}, got those from ${first} to ${last}: ${where}`,
  );
}

/** The elements of a view as an array of the same kind: a part of the given one if they are contiguous, else a copy. */
function elementsOf(name: string, data: Data, tag: keyof typeof ARRAYS, view: Strides): unknown {
  const { shape, offset } = view;
  const size = shape.reduce((a, b) => a * b, 1);
  const View = ARRAYS[tag];
  const buffer = bufferOf(data) as ArrayBuffer;
  const part = (begin: number, length: number): Elements =>
    new View(buffer, byteOffsetOf(data) + begin * View.BYTES_PER_ELEMENT, length);
  let elements: Elements;
  if (isRowMajor(view)) elements = part(offset, size);
  else {
    try {
      elements = new View(size);
    } catch (error) {
      throw rangeError("ERR_BATCHNORM_MEMORY", `cannot gather the ${size} elements of "${name}": ${messageOf(error)}`);
    }
    gatherStrided(part(0, lengthOf(data)), view, elements);
  }
  return tag === "Float16Array" ? asCaller(elements as Data, true) : elements;
}

/**
 * The elements of a tensor in row-major order. Its data are returned themselves if it has neither strides nor an offset,
 * or if these say what the shape says.
 */
export function contiguous(
  name: string,
  data: unknown,
  shape: readonly number[],
  given: { readonly strides: unknown; readonly offset: unknown },
): unknown {
  const strides = readStrides(name, shape, given.strides);
  const offset = readOffset(name, given.offset);
  const tag = tagOf(data);
  // An empty tensor has no elements that strides could put out of order.
  if ((strides === null && offset === 0) || shape.includes(0)) return data;
  const view = { shape, strides: strides ?? rowMajor(shape), offset };
  if (tag === undefined) {
    if (isRowMajor(view) && offset === 0) return data;
    const text = `"${name}.data" expected a typed array with strides and an offset, got ${describe(data)}`;
    throw typeError("ERR_BATCHNORM_TYPE", text);
  }
  checkAttached(name, data as Data);
  const length = lengthOf(data);
  checkRange(name, view, length);
  const isWhole = offset === 0 && isRowMajor(view) && shape.reduce((a, b) => a * b, 1) === length;
  return isWhole ? data : elementsOf(name, data as Data, tag as keyof typeof ARRAYS, view);
}
