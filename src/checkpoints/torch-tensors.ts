// The tensors in what torch saved: their names, and their elements in row-major order.
import { rangeError } from "../base/errors.js";
import { allocateBytes } from "./bytes.js";
import { nameOf, PickledTuple, type Pickled, type PickledDict } from "./pickle.js";
import { quoted } from "./json-text.js";
import {
  bytesPerElement,
  countOf,
  elementsOf,
  type Checkpoint,
  type CheckpointTensor,
  type TensorArray,
} from "./tensors.js";
import { TorchTensor } from "./torch-world.js";

/** A checkpoint of a trainer has about four levels. */
const MOST_DEPTH = 16;
/** A tensor that was expanded repeats its elements. It is read whole, but takes no more memory than this. */
const MOST_REPEATED = 2 ** 26;

/** Of the smallest files. */
const LEAST_BUDGET = 4096;

const fail = (text: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", text);
};

/** How far a step along each axis goes in row-major order. */
function rowMajor(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => countOf(shape.slice(axis + 1)));
}

/** Elements that do not stand in row-major order, in that order. */
function gather(bytes: Uint8Array, { shape, strides, dtype }: TorchTensor): Uint8Array<ArrayBuffer> {
  const width = bytesPerElement(dtype);
  const gathered = allocateBytes(countOf(shape) * width);
  const index = shape.map(() => 0);
  let from = 0;
  for (let at = 0; at < gathered.length; at += width) {
    for (let byte = 0; byte < width; byte++) gathered[at + byte] = bytes[from * width + byte]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return gathered;
}

function swap(bytes: Uint8Array, width: number): void {
  for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
}

async function read(name: string, tensor: TorchTensor, swapped: boolean): Promise<TensorArray> {
  const { entry, dtype, offset, shape, strides } = tensor;
  const [width, count] = [bytesPerElement(dtype), countOf(shape)];
  if (count === 0) return elementsOf(dtype, new Uint8Array(0));
  if (count * width > Math.max(entry.size, MOST_REPEATED))
    fail(`${quoted(name)} expected at most ${MOST_REPEATED} bytes of repeated elements, got ${count * width}`);
  const span = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis]!, 1);
  const bytes = await entry.read(offset * width, span * width);
  const plain = rowMajor(shape);
  const isPlain = strides.every((stride, axis) => stride === plain[axis] || shape[axis] === 1);
  const elements = isPlain ? bytes : gather(bytes, tensor);
  if (swapped) swap(elements, width);
  return elementsOf(dtype, elements);
}

/** Walks what was saved. Values may be there many times, so each visit is counted. */
class Walk {
  readonly tensors = new Map<string, CheckpointTensor>();
  readonly metadata = new Map<string, string>();
  readonly #swapped: boolean;
  #left: number;

  constructor(budget: number, swapped: boolean) {
    this.#left = budget;
    this.#swapped = swapped;
  }

  visit(name: string, value: Pickled, depth: number): void {
    this.#spend(1 + name.length);
    if (depth > MOST_DEPTH) fail(`the file expected at most ${MOST_DEPTH} levels of dicts, lists and tuples`);
    const inner = (key: Pickled): string => (depth === 0 ? "" : `${name}.`) + nameOf(key);
    if (value instanceof TorchTensor) this.#add(name, value);
    else if (value instanceof Map) {
      this.#spend(value.size);
      for (const [key, item] of value as PickledDict)
        if (typeof key !== "object") this.visit(inner(key), item, depth + 1);
    } else if (typeof value !== "object") this.metadata.set(name, String(value));
    else this.#visitItems(value, inner, depth);
  }

  /** Numbers and text of lists, such as those of an optimizer, have no names. */
  #visitItems(value: object | null, inner: (key: Pickled) => string, depth: number): void {
    const items = value instanceof PickledTuple ? value.items : Array.isArray(value) ? (value as Pickled[]) : [];
    this.#spend(items.length);
    items.forEach((item, i) => {
      if (typeof item === "object" && item !== null) this.visit(inner(i), item, depth + 1);
    });
  }

  #spend(cost: number): void {
    this.#left -= cost;
    if (this.#left < 0) fail("the file expected each value once: it has the same ones again and again");
  }

  #add(name: string, tensor: TorchTensor): void {
    if (this.tensors.has(name)) fail(`two tensors have the name ${quoted(name)}`);
    const { dtype, shape } = tensor;
    this.tensors.set(name, { name, dtype, shape, read: () => read(name, tensor, this.#swapped) });
  }
}

/** `size` is that of the pickle: names and values together are not much more. */
export function checkpointOf(value: Pickled, size: number, swapped: boolean): Checkpoint {
  const walk = new Walk(LEAST_BUDGET + 16 * size, swapped);
  walk.visit("", value, 0);
  return { tensors: walk.tensors, metadata: walk.metadata };
}
