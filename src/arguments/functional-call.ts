// The options of the stateless forward functions and how their calls are read.
import type { Activation } from "../values/activation.js";
import { readAxis, type Layout } from "../base/axes.js";
import type { BackendRequest } from "../backends/backend.js";
import { FORWARD, checkWeights, type ForwardOptions } from "./forward.js";
import { KIND, checkData, checkOneOf, checkOptionalData, describe, isFloat16Array, tagOf } from "../base/check.js";
import { checkEps, readResources, type Resources } from "./config.js";
import type { Affine, Kept } from "../engine/forward.js";
import { rangeError, typeError } from "../base/errors.js";
import { checkMoments, type ChannelMoments } from "../kernels/moments.js";
import { asGiven, planOf, readCall, type Plan } from "../values/plan.js";
import { floatTypeOf, type Data, type DType, type ParametersOf } from "../base/types.js";
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

export const LAYOUT = ["layout", "axis", "dtype", "backend", "threads"] as const;
const FLOATS = { Float32Array: "float32", Float64Array: "float64" } as const;
const SIXTEEN_BITS = ["float16", "bfloat16"] as const;
export const AFFINE = ["weight", "bias", "eps", "activation", ...FORWARD, ...LAYOUT] as const;

interface Call {
  readonly plan: Plan;
  readonly x: Data;
  readonly options: Record<string, unknown>;
  readonly resources: Resources;
  readonly asGiven: (data: Data) => unknown;
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
export function readForward(args: readonly unknown[], allowed: readonly string[]): Call {
  const { x, shape, options } = readCall(args, allowed);
  const dtype = dtypeOf(x.data, options.dtype);
  const plan = planOf(shape, readAxis(options), dtype);
  return {
    plan,
    options,
    x: checkData("x", x.data, dtype, plan.size),
    resources: readResources(options),
    asGiven: (data) => asGiven(x, data),
  };
}

export function readAffine({ plan: { dtype, channels }, options }: Call, kept: Kept | null): Affine {
  const type = floatTypeOf(dtype);
  const affine = {
    weight: checkOptionalData("weight", options.weight, type, channels),
    bias: checkOptionalData("bias", options.bias, type, channels),
    eps: checkEps(options.eps),
  };
  checkWeights(kept, affine);
  return affine;
}

/** Given moments: of no value only where the batch has none either. */
export function checkGiven(
  moments: Record<string, unknown>,
  { channels, size }: Plan,
  weights: Weights | null,
): ChannelMoments {
  const checked = checkMoments("moments", moments, channels);
  if (checked.count === 0 && size > 0 && weights?.positive !== 0)
    throw rangeError("ERR_BATCHNORM_VALUE", `"moments.count" expected a positive number, got 0`);
  return checked;
}
