// Where the channels of a tensor are: a layout, one axis, or several axes.
import { checkSize, checkOneOf, describe } from "./check.js";
import { rangeError, typeError } from "./errors.js";

/**
 * Where the channels of a tensor are.
 *
 * - `"channels-first"`: axis 1, as in torch and ONNX.
 * - `"channels-last"`: the last axis, as in Keras and TensorFlow.
 * - `"per-activation"`: every axis but the first, so that statistics are taken over the batch alone. Ioffe & Szegedy
 *   2015 (section 3.2) use it behind a fully connected layer. ONNX opsets 7 and 8 call it `spatial = 0`.
 */
export type Layout = "channels-first" | "channels-last" | "per-activation";

/** Where the channels are: `layout` or `axis`, which exclude each other. */
export type AxisOptions =
  | {
      /** Where the channels are. The default is `"channels-first"`, which is axis 1. It excludes `axis`. */
      layout?: Layout | undefined;
      /** It excludes `layout`. */
      axis?: undefined;
    }
  | {
      /** It excludes `axis`. */
      layout?: undefined;
      /**
       * The channel axis. A negative one counts from the end. It may be a list of axes in ascending order: then all their
       * indices together, in row-major order, are the channel. If other axes lie between them, each call copies x, the
       * residual, gradOutput and the results. It excludes `layout`.
       */
      axis?: number | readonly number[] | undefined;
    };

/** The channel axes as the options name them, before the rank of a tensor is known. */
export type ChannelAxes = number | readonly number[] | "per-activation";

/** The most axes of a shape. numpy allows as many. A longer list is refused before it is read. */
export const MOST_AXES = 64;

/** What other libraries call the layouts: NCHW, NDHWC, channels_last and their like. */
const ELSEWHERE = /^(?:NC[DHWL]+|N[DHWL]+C|channels(?:_|[A-Z ])\w*)$/;

function checkAxis(name: string, value: unknown): number {
  if (typeof value !== "number") {
    const kind = name === "axis" ? "a number or an array of numbers" : "a number";
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected ${kind}, got ${describe(value)}`);
  }
  if (!Number.isSafeInteger(value))
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected an integer, got ${value}`);
  return value;
}

/** Copies a list of axes and reads each of them once. */
function readAxes(values: readonly unknown[]): readonly number[] {
  const length = checkSize("axis", "length", values.length);
  if (length > MOST_AXES)
    throw rangeError("ERR_BATCHNORM_VALUE", `"axis" expected at most ${MOST_AXES} axes, got ${length}`);
  const axes = Array.from({ length }, (_, i) => checkAxis(`axis[${i}]`, values[i]));
  if (axes.length === 0) throw rangeError("ERR_BATCHNORM_VALUE", `"axis" expected at least one axis, got []`);
  return Object.freeze(axes);
}

/** Reads the channel axes from `layout` or `axis`. */
export function readAxis({ layout, axis }: Record<string, unknown>): ChannelAxes {
  if (layout !== undefined && axis !== undefined) {
    throw rangeError("ERR_BATCHNORM_OPTION", `"layout" and "axis" exclude each other`);
  }
  if (axis !== undefined) return Array.isArray(axis) ? readAxes(axis) : checkAxis("axis", axis);
  if (layout === undefined) return 1;
  if (typeof layout === "string" && ELSEWHERE.test(layout)) {
    const ours = /c$|last$/i.test(layout) ? "channels-last" : "channels-first";
    throw rangeError("ERR_BATCHNORM_VALUE", `"layout" ${describe(layout)} is called "${ours}" here`);
  }
  const checked = checkOneOf("layout", layout, ["channels-first", "channels-last", "per-activation"] as const);
  return checked === "per-activation" ? checked : checked === "channels-first" ? 1 : -1;
}

/** Describes the axes for an error message. */
export function describeAxes(axes: ChannelAxes): string {
  if (axes === "per-activation") return "every axis but the first";
  if (typeof axes === "number") return `axis ${axes}`;
  return `${axes.length === 1 ? "axis" : "axes"} ${axes.join(", ")}`;
}

function listOf(axes: ChannelAxes, rank: number): readonly number[] {
  if (axes === "per-activation") return Array.from({ length: Math.max(rank - 1, 1) }, (_, i) => i + 1);
  return typeof axes === "number" ? [axes] : axes;
}

/** The channel axes of a shape, in ascending order. */
export function resolveAxes(axes: ChannelAxes, shape: readonly number[]): readonly number[] {
  const rank = shape.length;
  const resolved = listOf(axes, rank).map((axis) => (axis < 0 ? axis + rank : axis));
  const text = `rank ${rank}: [${shape.join(", ")}]`;
  if (!resolved.every((axis) => axis >= 0 && axis < rank)) {
    throw rangeError("ERR_BATCHNORM_SHAPE", `"shape" expected channels at ${describeAxes(axes)}, got ${text}`);
  }
  if (!resolved.every((axis, i) => i === 0 || axis > resolved[i - 1]!)) {
    throw rangeError(
      "ERR_BATCHNORM_SHAPE",
      `"axis" expected axes in ascending order, got ${resolved.join(", ")} of ${text}`,
    );
  }
  return resolved;
}
