// The tensors of a file, whatever its format is: what a format's own file makes, and what batch-norms.ts reads.
import { isRecord } from "../base/check.js";
import { fieldOf } from "../base/options.js";

/** The element types of tensors in files, and the arrays that hold their elements. */
export const TENSOR_ARRAYS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  float8_e5m2: Uint8Array,
  float8_e4m3: Uint8Array,
  float8_e8m0: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const;

/**
 * The element type of a tensor in a file. Elements of 16-bit and 8-bit floating-point types are held as their bits, and
 * a `"bool"` is 0 or 1.
 */
export type TensorDType = keyof typeof TENSOR_ARRAYS;

/** The array that holds the elements of a tensor in a file. */
export type TensorArray =
  | Float64Array
  | Float32Array
  | Uint32Array
  | Int32Array
  | Uint16Array
  | Int16Array
  | Uint8Array
  | Int8Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor in a file. */
export interface CheckpointTensor {
  /** The name of the tensor, for example `"layer1.0.bn1.weight"`. */
  readonly name: string;
  /** The element type. */
  readonly dtype: TensorDType;
  /** The size of each axis. */
  readonly shape: readonly number[];
  /** Reads the elements, in row-major order. Each call returns a new array. */
  read(): Promise<TensorArray>;
}

/** A file that was opened: its tensors, whose elements have not been read yet. */
export interface Checkpoint {
  /** All tensors by their names, in the order of the file. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** Text that the file has about itself. It is empty if the format has none. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The size of one element in bytes. */
export function bytesPerElement(dtype: TensorDType): number {
  return TENSOR_ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** The number of elements, which may be no safe integer. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The elements that bytes hold, in memory of their own. */
export function elementsOf(dtype: TensorDType, { buffer, length }: Uint8Array<ArrayBuffer>): TensorArray {
  return new TENSOR_ARRAYS[dtype](buffer, 0, length / bytesPerElement(dtype));
}

/** Whether this is a file that `open` of some format opened. */
export function isOpened(file: unknown): file is Checkpoint {
  return isRecord(file) && Object.prototype.toString.call(fieldOf(file, "tensors")) === "[object Map]";
}

/** A file that is open already, or opens one. */
export function opened<S>(file: S | Checkpoint, open: (source: S) => Promise<Checkpoint>): Promise<Checkpoint> {
  return isOpened(file) ? Promise.resolve(file) : open(file);
}
