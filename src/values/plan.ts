// From a user's arguments to a frozen plan: shape, layout, lengths, aliasing. Nothing below this file rejects user
// input. Nothing is written before the arguments are accepted.
import { MOST_AXES, describeAxes, resolveAxes, type ChannelAxes } from "../base/axes.js";
import { asCaller, checkSize, describe, isFloat16Array, isRecord, lengthOf, tagOf } from "../base/check.js";
import { fieldOf, readOptions } from "../base/options.js";
import type { Extent } from "../kernels/control.js";
import { rangeError, typeError } from "../base/errors.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import { contiguous } from "./views.js";

/** The size of each axis, as an array or a typed array such as an Int32Array. There are at most 64 axes. */
export type Sizes = ArrayLike<number>;

/**
 * Where the elements of a tensor are in its data: at offset + Σ index·stride. Without these fields they are all of the
 * data, in row-major order. Elements that do not follow one another are copied once before a call. If one of them is
 * outside of the data, the call throws `ERR_BATCHNORM_SHAPE`.
 */
export interface StridedFields {
  /** The distance of neighbours along each axis, in elements. It may be negative or 0. This is ndarray's name for it. */
  readonly stride?: Sizes | undefined;
  /** Another name for `stride`, as stdlib and numpy have it. It is read first. */
  readonly strides?: Sizes | undefined;
  /** The index of the first element in the data. The default is 0. */
  readonly offset?: number | undefined;
}

/**
 * A tensor of any library, as an object with its elements and its shape. Many libraries name the shape `shape`.
 * onnxruntime names it `dims`. A view, such as a slice or a transposed matrix of npm's ndarray, has strides and an offset
 * as well.
 */
export type Tensor<D extends DType> = StridedFields &
  (
    | {
        /** The elements in row-major order. */
        readonly data: ArrayOf<D>;
        /** The size of each axis. */
        readonly shape: Sizes;
      }
    | {
        /** The elements in row-major order. */
        readonly data: ArrayOf<D>;
        /** The size of each axis. */
        readonly dims: Sizes;
      }
  );

/** A tensor that a call returns if it was given one whose shape is named `shape`. */
export interface ShapeTensor<D extends DType> {
  /** The elements in row-major order. */
  readonly data: ArrayOf<D>;
  /** The size of each axis. */
  readonly shape: readonly number[];
}

/** A tensor that a call returns if it was given one whose shape is named `dims`, as in onnxruntime. */
export interface DimsTensor<D extends DType> {
  /** The elements in row-major order. */
  readonly data: ArrayOf<D>;
  /** The size of each axis. */
  readonly dims: readonly number[];
}

/** A tensor that names its shape as `T` does. A call returns it if it was given a tensor of type `T`. */
export type SameForm<T, D extends DType> = T extends {
  /** The size of each axis. */
  readonly shape: Sizes;
}
  ? ShapeTensor<D>
  : DimsTensor<D>;

/** A shape that has been checked. Every layout reduces to (outer, channels, inner). */
export interface Plan extends Extent {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The number of all elements. */
  readonly size: number;
  /** The number of values per channel, outer·inner. */
  readonly count: number;
  /** The size of the first axis, or null if it is a channel axis. */
  readonly samples: number | null;
  /** The channel axes if axes of several indices lie between them. Then (outer, channels, inner) is what `togetherAxes` makes. */
  readonly apartAxes: readonly number[] | null;
}

/** A data argument as it was given: the array, and the shape if it was a tensor. */
export interface Operand {
  readonly data: unknown;
  readonly shape: readonly number[] | null;
  /** The name under which the tensor had its shape. The result uses the same name. */
  readonly key: "shape" | "dims" | null;
}

/**
 * Copies a shape, which is an array or a typed array, and reads each size once. The shape of an earlier call is returned
 * itself if it is the same: a small forward takes microseconds.
 */
export function readShape(name: string, value: unknown, earlier: readonly number[] | null = null): readonly number[] {
  const length = Array.isArray(value)
    ? checkSize(name, "length", value.length)
    : tagOf(value) === undefined
      ? -1
      : lengthOf(value);
  if (length < 0) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected an array of sizes, got ${describe(value)}`);
  if (length > MOST_AXES)
    throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected at most ${MOST_AXES} sizes, got ${length}`);
  const sizes: number[] = [];
  let isEarlier = earlier?.length === length;
  for (let i = 0; i < length; i++) {
    const size = checkSize(name, i, (value as ArrayLike<unknown>)[i]);
    isEarlier &&= size === earlier![i];
    sizes.push(size);
  }
  return isEarlier ? earlier! : Object.freeze(sizes);
}

/** Reads a data argument: a typed array, or a tensor `{ data, shape }` or `{ data, dims }`. */
export function readOperand(name: string, value: unknown, earlier: readonly number[] | null = null): Operand {
  if (!isRecord(value)) return { data: value, shape: null, key: null };
  const [data, shape, dims] = [fieldOf(value, "data"), fieldOf(value, "shape"), fieldOf(value, "dims")];
  if (data === undefined && shape === undefined && dims === undefined) return { data: value, shape: null, key: null };
  if (typeof data === "function") {
    const method = "dataSync" in value ? "dataSync()" : "data()";
    throw typeError(
      "ERR_BATCHNORM_TYPE",
      `"${name}.data" is a function: pass { data: ${name}.${method}, shape: ${name}.shape }`,
    );
  }
  const key = shape === undefined && dims !== undefined ? "dims" : "shape";
  const sizes = readShape(`${name}.${key}`, key === "dims" ? dims : shape, earlier);
  const strides = fieldOf(value, "strides") ?? fieldOf(value, "stride");
  const offset = fieldOf(value, "offset");
  // Most tensors have neither.
  if (strides === undefined && offset === undefined) return { data, shape: sizes, key };
  return { data: contiguous(name, data, sizes, { strides, offset }), shape: sizes, key };
}

/** The arguments of a call. */
interface Call {
  readonly x: Operand;
  readonly shape: readonly number[];
  readonly options: Record<string, unknown>;
}

/** Reads the arguments of a call, which are `(x, shape, options?)` or `(tensor, options?)`. */
export function readCall(
  args: readonly unknown[],
  allowed: readonly string[],
  earlier: readonly number[] | null = null,
): Call {
  const x = readOperand("x", args[0], earlier);
  if (x.shape) return { x, shape: x.shape, options: readOptions(args[1], allowed) };
  if (tagOf(x.data) === undefined) {
    throw typeError(
      "ERR_BATCHNORM_TYPE",
      `"x" expected a typed array or a tensor { data, shape }, got ${describe(x.data)}`,
    );
  }
  return { x, shape: readShape("shape", args[1], earlier), options: readOptions(args[2], allowed) };
}

/** Returns data in the form in which the operand was given, and in the same kind of array. */
export function asGiven(operand: Operand, data: Data): unknown {
  const array = asCaller(data, isFloat16Array(operand.data));
  return operand.key === null ? array : { data: array, [operand.key]: [...operand.shape!] };
}

/** Results have an element for each channel, and here no array vouches for their number: they could take all memory. */
const MOST_EMPTY = 2 ** 24;

/** All axes, with the channel axes together at the place of the first of them. The others keep their order. */
export function togetherAxes(rank: number, channelAxes: readonly number[]): readonly number[] {
  const [first] = channelAxes as [number];
  const others = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !channelAxes.includes(axis));
  return [...others.slice(0, first), ...channelAxes, ...others.slice(first)];
}

/** Reduces a shape to (outer, channels, inner). If `channels` is given, the axes must have that many. */
export function planOf(shape: readonly number[], axes: ChannelAxes, dtype: DType, channels?: number): Plan {
  const channelAxes = resolveAxes(axes, shape);
  const first = channelAxes[0]!;
  const end = channelAxes.at(-1)! + 1;
  const text = `[${shape.join(", ")}]`;
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  const found = product(channelAxes.map((axis) => shape[axis]!));
  const between = product(shape.slice(first, end).filter((_, i) => !channelAxes.includes(first + i)));
  const where = describeAxes(axes);
  if (found === 0)
    throw rangeError("ERR_BATCHNORM_SHAPE", `"shape" expected at least 1 channel at ${where}, got ${text}`);
  if (channels !== undefined && found !== channels) {
    throw rangeError(
      "ERR_BATCHNORM_SHAPE",
      `"shape" expected ${channels} channels at ${where}, got ${found} in ${text}`,
    );
  }
  const empty = shape.includes(0);
  const outer = empty ? 0 : product(shape.slice(0, first));
  const inner = empty ? 0 : between * product(shape.slice(end));
  const size = outer * found * inner;
  if (Math.max(size, found) > Number.MAX_SAFE_INTEGER)
    throw rangeError("ERR_BATCHNORM_SHAPE", `"shape" expected at most 2^53 - 1 elements, got ${text}`);
  if (empty && channels === undefined && found > MOST_EMPTY)
    throw rangeError("ERR_BATCHNORM_MEMORY", `"shape" expected at most ${MOST_EMPTY} channels, got ${text}`);
  const samples = first === 0 ? null : shape[0]!;
  // Axes of one index do not keep others apart.
  const apartAxes = between > 1 ? Object.freeze([...channelAxes]) : null;
  return Object.freeze({ dtype, shape, outer, channels: found, inner, size, count: outer * inner, samples, apartAxes });
}
