// The stateless forward functions: nothing is kept but what the caller holds.
import { readActivation } from "../values/activation.js";
import { forwardArrays, readSave, workspaceOf } from "../arguments/forward.js";
import { checkData, readOptions } from "../base/check.js";
import {
  channelMoments,
  computeMoments,
  forwardBatch,
  forwardFixed,
  forwardMoments,
  savedOf,
} from "../engine/forward.js";
import {
  AFFINE,
  LAYOUT,
  checkGiven,
  readAffine,
  readForward,
  type InferenceOptions,
  type LayoutOptions,
  type TrainingOptions,
} from "../arguments/functional-call.js";
import { MOMENTS, type ChannelMoments } from "../kernels/moments.js";
import type { SameForm, Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import {
  allocate,
  floatTypeOf,
  type ArrayOf,
  type Data,
  type DType,
  type DTypeOf,
  type Float16Values,
} from "../base/types.js";
import { WEIGHTS, readWeights, weightsOf, type StatisticsWeights } from "../values/weights.js";

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
