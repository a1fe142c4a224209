// The stateless forward functions: nothing is kept but what the caller holds.
import { readAxis, type Layout } from "./axes.js";
import type { BackendRequest } from "./backend.js";
import { readActivation, type Activation } from "./activation.js";
import { FORWARD, checkWeights, forwardArrays, readSave, workspaceOf, type ForwardOptions } from "./call.js";
import {
  KIND,
  checkData,
  checkOneOf,
  checkOptionalData,
  describe,
  isFloat16Array,
  readOptions,
  tagOf,
} from "./check.js";
import { checkEps, readResources, type Resources } from "./config.js";
import {
  channelMoments,
  computeMoments,
  forwardBatch,
  forwardFixed,
  forwardMoments,
  savedOf,
  type Affine,
  type Kept,
} from "./engine.js";
import { rangeError, typeError } from "./errors.js";
import { MOMENTS, checkMoments, type ChannelMoments } from "./moments.js";
import { asGiven, planOf, readCall, type Plan, type SameForm, type Tensor } from "./plan.js";
import type { Saved } from "./saved.js";
import {
  allocate,
  floatTypeOf,
  type ArrayOf,
  type Data,
  type DType,
  type DTypeOf,
  type Float16Values,
  type ParametersOf,
} from "./types.js";
import { WEIGHTS, readWeights, weightsOf, type StatisticsWeights, type Weights } from "./weights.js";

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

const LAYOUT = ["layout", "axis", "dtype", "backend", "threads"] as const;
const FLOATS = { Float32Array: "float32", Float64Array: "float64" } as const;
const SIXTEEN_BITS = ["float16", "bfloat16"] as const;
const AFFINE = ["weight", "bias", "eps", "activation", ...FORWARD, ...LAYOUT] as const;

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
function readForward(args: readonly unknown[], allowed: readonly string[]): Call {
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

function readAffine({ plan: { dtype, channels }, options }: Call, kept: Kept | null): Affine {
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
function checkGiven(
  moments: Record<string, unknown>,
  { channels, size }: Plan,
  weights: Weights | null,
): ChannelMoments {
  const checked = checkMoments("moments", moments, channels);
  if (checked.count === 0 && size > 0 && weights?.positive !== 0)
    throw rangeError("ERR_BATCHNORM_VALUE", `"moments.count" expected a positive number, got 0`);
  return checked;
}

/** What a stateless forward returns. `saved` is null where `save` is false. */
export interface ForwardResult<D extends DType, Output = ArrayOf<D>> {
  readonly output: Output;
  readonly saved: Saved<D> | null;
}
export interface TrainingResult<D extends DType, Output = ArrayOf<D>> extends ForwardResult<D, Output> {
  /** Statistics the forward normalized with, per channel. */
  readonly moments: ChannelMoments;
}

/**
 * Normalizes a batch with its own statistics (Ioffe & Szegedy 2015, Algorithm 1):
 * y = γ·(x − μ)/√(σ² + ε) + β with the biased variance, then `+ residual`, then the activation.
 * Unlike the layer it normalizes a single value per channel too (y = β).
 */
export function batchNormTraining<A extends Data | Float16Values>(
  x: A,
  shape: readonly number[],
  options?: TrainingOptions<DTypeOf<A>>,
): TrainingResult<DTypeOf<A>>;
export function batchNormTraining<T extends Tensor<DType>>(
  x: T,
  options?: TrainingOptions<DTypeOf<T["data"]>>,
): TrainingResult<DTypeOf<T["data"]>, SameForm<T, DTypeOf<T["data"]>>>;
export function batchNormTraining(...args: unknown[]): unknown {
  const call = readForward(args, [...AFFINE, "moments"]);
  const { plan, options } = call;
  // The getters of `moments`, then those of `residual`, run before any array is checked.
  const given = options.moments === undefined ? null : readOptions(options.moments, MOMENTS, "moments");
  const kept = readSave(options, true);
  const arrays = forwardArrays(plan, call.x, options, readActivation("activation", options.activation), kept, () =>
    allocate(plan.dtype, plan.size),
  );
  const affine = readAffine(call, kept);
  const moments = given && checkGiven(given, plan, arrays.weights);
  const workspace = workspaceOf(plan.dtype, plan, arrays.weights !== null, call.resources);
  if (moments) forwardMoments(workspace, plan, affine, arrays, moments);
  else forwardBatch(workspace, plan, affine, arrays);
  return {
    output: call.asGiven(arrays.y),
    saved: kept && savedOf(workspace, plan, affine, arrays, kept, false),
    moments: channelMoments(workspace.control),
  };
}

/** Normalizes with given statistics: one affine map per channel (Algorithm 2). Saves only where asked. */
export function batchNormInference<A extends Data | Float16Values>(
  x: A,
  shape: readonly number[],
  options: InferenceOptions<DTypeOf<A>>,
): ForwardResult<DTypeOf<A>>;
export function batchNormInference<T extends Tensor<DType>>(
  x: T,
  options: InferenceOptions<DTypeOf<T["data"]>>,
): ForwardResult<DTypeOf<T["data"]>, SameForm<T, DTypeOf<T["data"]>>>;
export function batchNormInference(...args: unknown[]): unknown {
  const call = readForward(args, [...AFFINE, "runningMean", "runningVar"]);
  const { plan, options } = call;
  const kept = readSave(options, false);
  const arrays = forwardArrays(plan, call.x, options, readActivation("activation", options.activation), kept, () =>
    allocate(plan.dtype, plan.size),
  );
  const affine = readAffine(call, kept);
  const type = floatTypeOf(plan.dtype);
  const mean = checkData("runningMean", options.runningMean, type, plan.channels);
  const variance = checkData("runningVar", options.runningVar, type, plan.channels);
  const workspace = workspaceOf(plan.dtype, plan, arrays.weights !== null, call.resources);
  forwardFixed(workspace, plan, affine, arrays, mean, variance);
  return { output: call.asGiven(arrays.y), saved: kept && savedOf(workspace, plan, affine, arrays, kept, true) };
}

/** Options of `moments`. */
export interface MomentsOptions<D extends DType> extends LayoutOptions<D>, StatisticsWeights<D> {}

/**
 * Mean and m2 = Σ(x − mean)² of every channel, float64, and how many values; with weights, mean = Σwx/Σw,
 * m2 = Σw(x − mean)² and the count Σw. Moments of no value, or of weight 0 alone, are zeros.
 */
export function moments<A extends Data | Float16Values>(
  x: A,
  shape: readonly number[],
  options?: MomentsOptions<DTypeOf<A>>,
): ChannelMoments;
export function moments<T extends Tensor<DType>>(x: T, options?: MomentsOptions<DTypeOf<T["data"]>>): ChannelMoments;
export function moments(...args: unknown[]): unknown {
  const { plan, x, options, resources } = readForward(args, [...LAYOUT, ...WEIGHTS]);
  const given = readWeights(options);
  checkData("x", x, plan.dtype, plan.size);
  const weights = weightsOf(plan, given);
  return computeMoments(workspaceOf(plan.dtype, plan, weights !== null, resources), plan, x, weights);
}
