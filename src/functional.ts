// The stateless forward functions: nothing is kept but what the caller holds.
import type { BackendRequest } from "./backend.js";
import { FORWARD, forwardArrays, readSave, workspaceOf, type ForwardOptions } from "./call.js";
import { KIND, checkData, checkOptionalData, describe, readOptions, tagOf } from "./check.js";
import { checkActivation, checkEps, readResources, type Activation, type Resources } from "./config.js";
import {
  channelMoments,
  computeMoments,
  forwardBatch,
  forwardFixed,
  forwardMoments,
  savedOf,
  type Affine,
} from "./engine.js";
import { rangeError, typeError } from "./errors.js";
import { MOMENTS, checkMoments, type ChannelMoments } from "./moments.js";
import { asGiven, planOf, readAxis, readCall, type Layout, type Plan, type SameForm, type Tensor } from "./plan.js";
import type { Saved } from "./saved.js";
import { allocate, type ArrayOf, type Data, type DType, type DTypeOf } from "./types.js";
import { WEIGHTS, readWeights, weightsOf, type StatisticsWeights, type Weights } from "./weights.js";

/** Where the channels are and what runs it. */
export interface LayoutOptions {
  /** Default "channels-first". */
  layout?: Layout;
  /** The channel axis itself, negative from the end. Excludes `layout`. */
  axis?: number;
  backend?: BackendRequest;
  /** Upper limit of native threads. Default: `BATCHNORM_THREADS`, else the cores this process may use. */
  threads?: number;
}

/** γ (default 1), β (default 0), one element per channel each, ε and the activation. */
export interface AffineOptions<D extends DType> extends ForwardOptions<D>, LayoutOptions {
  weight?: ArrayOf<D> | null;
  bias?: ArrayOf<D> | null;
  eps?: number;
  activation?: Activation;
}

export interface TrainingOptions<D extends DType> extends AffineOptions<D> {
  /** Moments to normalize with instead of the batch's own: synchronized or accumulated batch norm. */
  moments?: ChannelMoments;
}

export interface InferenceOptions<D extends DType> extends AffineOptions<D> {
  runningMean: ArrayOf<D>;
  runningVar: ArrayOf<D>;
}

const LAYOUT = ["layout", "axis", "backend", "threads"] as const;
const AFFINE = ["weight", "bias", "eps", "activation", ...FORWARD, ...LAYOUT] as const;

interface Call {
  readonly plan: Plan;
  readonly x: Data;
  readonly options: Record<string, unknown>;
  readonly resources: Resources;
  readonly asGiven: (data: Data) => unknown;
}

function dtypeOf(data: unknown): DType {
  const tag = tagOf(data);
  if (tag === KIND.float32) return "float32";
  if (tag === KIND.float64) return "float64";
  throw typeError("ERR_BATCHNORM_TYPE", `"x" expected a Float32Array or Float64Array, got ${describe(data)}`);
}

/** `(x, shape, options?)` or `(tensor, options?)` → plan; the element type is that of x. */
function readForward(args: readonly unknown[], allowed: readonly string[]): Call {
  const { x, shape, options } = readCall(args, allowed);
  const dtype = dtypeOf(x.data);
  const plan = planOf(shape, readAxis(options), dtype);
  return {
    plan,
    options,
    x: checkData("x", x.data, dtype, plan.size),
    resources: readResources(options),
    asGiven: (data) => asGiven(x, data),
  };
}

function readAffine({ plan: { dtype, channels }, options }: Call): Affine {
  return {
    weight: checkOptionalData("weight", options.weight, dtype, channels),
    bias: checkOptionalData("bias", options.bias, dtype, channels),
    eps: checkEps(options.eps),
  };
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
export function batchNormTraining<A extends Data>(
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
  const save = readSave(options, true);
  const arrays = forwardArrays(plan, call.x, options, checkActivation(options.activation), save, () =>
    allocate(plan.dtype, plan.size),
  );
  const affine = readAffine(call);
  const moments = given && checkGiven(given, plan, arrays.weights);
  const workspace = workspaceOf(plan.dtype, plan, call.resources);
  if (moments) forwardMoments(workspace, plan, affine, arrays, moments);
  else forwardBatch(workspace, plan, affine, arrays);
  return {
    output: call.asGiven(arrays.y),
    saved: save ? savedOf(workspace, plan, affine, arrays, false) : null,
    moments: channelMoments(workspace.control),
  };
}

/** Normalizes with given statistics: one affine map per channel (Algorithm 2). Saves only where asked. */
export function batchNormInference<A extends Data>(
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
  const save = readSave(options, false);
  const arrays = forwardArrays(plan, call.x, options, checkActivation(options.activation), save, () =>
    allocate(plan.dtype, plan.size),
  );
  const affine = readAffine(call);
  const mean = checkData("runningMean", options.runningMean, plan.dtype, plan.channels);
  const variance = checkData("runningVar", options.runningVar, plan.dtype, plan.channels);
  const workspace = workspaceOf(plan.dtype, plan, call.resources);
  forwardFixed(workspace, plan, affine, arrays, mean, variance);
  return { output: call.asGiven(arrays.y), saved: save ? savedOf(workspace, plan, affine, arrays, true) : null };
}

/** Options of `moments`. */
export interface MomentsOptions<D extends DType> extends LayoutOptions, StatisticsWeights<D> {}

/**
 * Mean and m2 = Σ(x − mean)² of every channel, float64, and how many values; with weights, mean = Σwx/Σw,
 * m2 = Σw(x − mean)² and the count Σw. Moments of no value, or of weight 0 alone, are zeros.
 */
export function moments<A extends Data>(
  x: A,
  shape: readonly number[],
  options?: MomentsOptions<DTypeOf<A>>,
): ChannelMoments;
export function moments<T extends Tensor<DType>>(x: T, options?: MomentsOptions<DTypeOf<T["data"]>>): ChannelMoments;
export function moments(...args: unknown[]): unknown {
  const { plan, x, options, resources } = readForward(args, [...LAYOUT, ...WEIGHTS]);
  const given = readWeights(options);
  checkData("x", x, plan.dtype, plan.size);
  return computeMoments(workspaceOf(plan.dtype, plan, resources), plan, x, weightsOf(plan, given));
}
