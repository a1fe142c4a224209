// Tensors whose elements are not contiguous, as npm's ndarray has them: { data, shape, stride, offset }.
import { partsOf } from "../base/arrays.js";
import {
  asCaller,
  checkAttached,
  checkElements,
  checkInteger,
  checkNumber,
  describe,
  isFloat16Array,
  lengthOf,
  tagOf,
} from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { SIZED_LIKE } from "../base/outputs.js";
import { gatherStrided, isRowMajor, type Strides } from "../base/strided.js";
import { allocate, type Data, type DType } from "../base/types.js";

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

function checkStride(name: string, value: unknown): number {
  const stride = checkNumber(name, value);
  if (Number.isSafeInteger(stride)) return stride;
  throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected an integer, got ${stride}`);
}

/** Strides are read as far as there are axes. A method `stride()`, as some tensors have, says nothing. */
function readStrides(name: string, shape: readonly number[], given: unknown): readonly number[] {
  if (given === undefined || given === null || typeof given === "function")
    return shape.map((_, axis) => product(shape.slice(axis + 1)));
  if (!Array.isArray(given) && tagOf(given) === undefined)
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}.strides" expected an array of numbers, got ${describe(given)}`);
  return shape.map((_, axis) => checkStride(`${name}.strides[${axis}]`, (given as ArrayLike<unknown>)[axis]));
}

/** A method says nothing here too. */
function readOffset(name: string, given: unknown): number {
  if (given === undefined || given === null || typeof given === "function") return 0;
  return checkInteger(`${name}.offset`, given, 0);
}

/** Checks that every element is in the array. There is at least one. */
function checkRange(name: string, { shape, strides, offset }: Strides, length: number): void {
  let [first, last] = [offset, offset];
  strides.forEach((stride, axis) => {
    const reach = (shape[axis]! - 1) * stride;
    first += Math.min(reach, 0);
    last += Math.max(reach, 0);
  });
  if (first >= 0 && last < length) return;
  const where = `strides [${strides.join(", ")}] and offset ${offset} for shape [${shape.join(", ")}]`;
  throw rangeError(
    "ERR_BATCHNORM_SHAPE",
    `"${name}" expected elements within its ${length}, got those from ${first} to ${last}: ${where}`,
  );
}

/** The elements of a view as an array of the same kind: a part of the given one if they are contiguous, else a copy. */
function elementsOf(name: string, data: unknown, dtype: DType, view: Strides, size: number): unknown {
  const isHalf = isFloat16Array(data);
  const source = isHalf ? checkElements(name, data, dtype) : (data as Data);
  const isPart = isRowMajor(view);
  const elements = isPart ? partsOf(source)(view.offset, size) : allocate(dtype, size);
  if (!isPart) gatherStrided(source, view, elements);
  return isHalf ? asCaller(elements, true) : elements;
}

/** No elements, of an array that may have some. */
function emptyOf(name: string, data: unknown, shape: readonly number[]): unknown {
  const dtype = SIZED_LIKE.get(tagOf(data));
  if (dtype === undefined) return data;
  checkAttached(name, data as Data);
  return elementsOf(name, data, dtype, { shape, strides: readStrides(name, shape, null), offset: 0 }, 0);
}

/**
 * The elements of a tensor in row-major order. Its data are returned themselves if they are that already, and if it has
 * neither strides nor an offset.
 */
export function contiguous(
  name: string,
  data: unknown,
  shape: readonly number[],
  given: { readonly strides: unknown; readonly offset: unknown },
): unknown {
  const strides = readStrides(name, shape, given.strides);
  const offset = readOffset(name, given.offset);
  const view = { shape, strides, offset };
  // An empty tensor has no elements that strides could put out of order.
  if (shape.includes(0)) return emptyOf(name, data, shape);
  const isWhole = offset === 0 && isRowMajor(view);
  const dtype = SIZED_LIKE.get(tagOf(data));
  if (dtype === undefined) {
    if (isWhole) return data;
    const text = `"${name}.data" expected a typed array of floats with strides, got ${describe(data)}`;
    throw typeError("ERR_BATCHNORM_TYPE", text);
  }
  checkAttached(name, data as Data);
  const length = lengthOf(data);
  checkRange(name, view, length);
  const size = product(shape);
  return isWhole && size === length ? data : elementsOf(name, data, dtype, view, size);
}
