// Tensors as onnxruntime and transformers.js have them: the elements, `dims`, and the name of the type.
import { plainOf } from "../base/arrays.js";
import { checkElements, checkOneOf, describe, isFloat16Array, isRecord, lengthOf, tagOf, KIND } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import { widen } from "../base/storage.js";
import {
  DTYPES,
  floatTypeOf,
  isStoredIn16Bits,
  type Data,
  type DType,
  type Float16Values,
  type Floats,
} from "../base/types.js";
import { readOperand, type Sizes } from "../values/plan.js";

/** A tensor of onnxruntime or transformers.js, or an object with the same fields. */
export interface OnnxTensorLike {
  /** The elements in row-major order. */
  readonly data: unknown;
  /** The size of each axis. */
  readonly dims: Sizes;
  /**
   * The name of the element type: `"float32"`, `"float64"`, `"float16"` or `"bfloat16"`. It is required with a
   * Uint16Array, which holds the bits of 16-bit elements. Any other array says its type itself.
   */
  readonly type?: string | undefined;
}

/** A tensor that is returned. `new ort.Tensor(type, data, dims)` makes one of onnxruntime's of it. */
export interface OnnxTensor<A = Data | Float16Values> {
  /** The elements in row-major order. Those of 16-bit types are bits in a Uint16Array, or in a Float16Array if X's are. */
  readonly data: A;
  /** The size of each axis. */
  readonly dims: readonly number[];
  /** The name of the element type. */
  readonly type: DType;
}

/** A tensor that has been read. */
export interface GivenTensor {
  readonly name: string;
  readonly data: unknown;
  readonly dims: readonly number[];
  readonly type: DType;
}

function typeOf(name: string, data: unknown, named: unknown): DType {
  const tag = tagOf(data);
  const isHalf = isFloat16Array(data);
  const type = named === undefined ? undefined : checkOneOf(`${name}.type`, named, DTYPES);
  const fits = DTYPES.filter((one) => KIND[one] === tag || (isHalf && one === "float16"));
  if (type !== undefined && fits.includes(type)) return type;
  if (type === undefined && fits.length === 1) return fits[0]!;
  if (fits.length > 1)
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}.type" expected "float16" or "bfloat16" with a ${tag}, got ${type}`);
  const expected = type === undefined ? "an array of a floating-point type" : `a ${KIND[type]} of ${type}`;
  throw typeError("ERR_BATCHNORM_TYPE", `"${name}.data" expected ${expected}, got ${describe(data)}`);
}

/** Reads a tensor. All its getters run here. */
export function readOnnxTensor(name: string, value: unknown): GivenTensor {
  const { data, shape } = readOperand(name, value);
  if (shape === null)
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a tensor { data, dims, type }, got ${describe(value)}`);
  const type = typeOf(name, data, isRecord(value) ? fieldOf(value, "type") : undefined);
  return { name, data, dims: shape, type };
}

/** The values of a tensor of these dims, in the type of parameters of data of type `dtype`. */
export function parametersOf({ name, data, dims, type }: GivenTensor, sizes: readonly number[], dtype: DType): Floats {
  if (dims.join() !== sizes.join())
    throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected dims [${sizes.join(", ")}], got [${dims.join(", ")}]`);
  const array = plainOf(checkElements(name, data, type));
  const count = sizes.reduce((a, b) => a * b, 1);
  if (lengthOf(array) !== count)
    throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${count}, got ${lengthOf(array)}`);
  const values = isStoredIn16Bits(type) ? widen(type, array as Uint16Array) : (array as Floats);
  return floatTypeOf(dtype) === "float64" ? Float64Array.from(values) : Float32Array.from(values);
}
