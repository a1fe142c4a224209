// The options of the stateless forward functions and how their calls are read.
import type { Activation } from "../values/activation.js";
import { readAxis, type Layout } from "../base/axes.js";
import type { BackendRequest } from "../backends/backend.js";
import { FORWARD_OPTIONS, readForward, type ForwardOptions, type GivenForward } from "./forward.js";
import { KIND, checkOneOf, checkOptionalData, describe, isFloat16Array, tagOf } from "../base/check.js";
import { RESOURCES, checkEps, readResources, type Resources } from "./resources.js";
import type { Parameters } from "../engine/forward.js";
import type { WholeMoments } from "../engine/statistics.js";
import { rangeError, typeError } from "../base/errors.js";
import { checkMoments, type ChannelMoments } from "../kernels/moments.js";
import { planOf, type Plan } from "../values/plan.js";
import { floatTypeOf, type DType, type ParametersOf } from "../base/types.js";
import type { Weights } from "../values/weights.js";

/** Where the channels are, of what type x is, and what runs it. */
export interface LayoutOptions<D extends DType = DType> {
  /** What a Uint16Array holds; of other arrays no more than they say themselves. */
  dtype?: D;
  /** Default "channels-first". */
  layout?: Layout;
  /** The channel axis itself, negative from the end, or several as a layer's. Excludes `layout`. */
  axis?: number | readonly number[];
  backend?: BackendRequest;
  /** Upper limit of native threads. Default: `BATCHNORM_THREADS`, else the cores this process may use. */
  threads?: number;
}

/** γ (default 1), β (default 0), one element per channel each, ε and the activation. */
export interface AffineOptions<D extends DType> extends ForwardOptions<D>, LayoutOptions<D> {
  weight?: ParametersOf<D> | null;
  bias?: ParametersOf<D> | null;
  eps?: number;
  activation?: Activation;
}

export interface TrainingOptions<D extends DType> extends AffineOptions<D> {
  /** Moments to normalize with instead of the batch's own: synchronized or accumulated batch norm. */
  moments?: ChannelMoments;
}

export interface InferenceOptions<D extends DType> extends AffineOptions<D> {
  runningMean: ParametersOf<D>;
  runningVar: ParametersOf<D>;
}

export const LAYOUT_OPTIONS = ["layout", "axis", "dtype", ...RESOURCES] as const;
const FLOATS = { Float32Array: "float32", Float64Array: "float64" } as const;
const SIXTEEN_BITS = ["float16", "bfloat16"] as const;
export const AFFINE_OPTIONS = ["weight", "bias", "eps", "activation", ...FORWARD_OPTIONS, ...LAYOUT_OPTIONS] as const;

/** The arguments of a stateless forward, as they came, and their plan. */
export interface StatelessCall extends GivenForward {
  readonly plan: Plan;
  readonly resources: Resources;
}

/** The element type of x; of a Uint16Array the one that is named. */
function dtypeOf(data: unknown, named: unknown): DType {
  const tag = tagOf(data);
  const own = isFloat16Array(data) ? "float16" : tag === KIND.float32 || tag === KIND.float64 ? FLOATS[tag] : null;
  if (own === null && tag !== KIND.float16) {
    const kinds = "a Float32Array, Float64Array, Float16Array or Uint16Array";
    throw typeError("ERR_BATCHNORM_TYPE", `"x" expected ${kinds}, got ${describe(data)}`);
  }
  const allowed: readonly DType[] = own === null ? SIXTEEN_BITS : [own];
  return own !== null && named === undefined ? own : checkOneOf("dtype", named, allowed);
}

/** `(x, shape, options?)` or `(tensor, options?)` → plan. */
export function readStateless(args: readonly unknown[], allowed: readonly string[]): StatelessCall {
  const given = readForward(args, allowed);
  const { x, shape, options } = given;
  const dtype = dtypeOf(x.data, options.dtype);
  return { ...given, plan: planOf(shape, readAxis(options), dtype), resources: readResources(options) };
}

/** γ, β and ε of a call. */
export function checkParameters({ plan: { dtype, channels }, options }: StatelessCall): Parameters {
  const type = floatTypeOf(dtype);
  return {
    weight: checkOptionalData("weight", options.weight, type, channels),
    bias: checkOptionalData("bias", options.bias, type, channels),
    eps: checkEps(options.eps),
  };
}

/** Given moments: of no value only where the batch has none either. */
export function checkGiven(
  moments: Record<string, unknown>,
  { channels, size }: Plan,
  weights: Weights | null,
): WholeMoments {
  const checked = checkMoments("moments", moments, channels);
  if (checked.count === 0 && size > 0 && weights?.positive !== 0)
    throw rangeError("ERR_BATCHNORM_VALUE", `"moments.count" expected a positive number, got 0`);
  return checked;
}
