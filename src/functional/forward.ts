// The stateless forward functions: nothing is kept but what the caller holds.
import { checkForward, workspaceOf } from "../arguments/forward.js";
import { readActivation } from "../values/activation.js";
import { checkData, readOptions } from "../base/check.js";
import { forward, type ForwardArrays } from "../engine/forward.js";
import { batchStatistics, computeMoments, givenMoments, runningStatistics } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import {
  AFFINE_OPTIONS,
  LAYOUT_OPTIONS,
  checkGiven,
  checkParameters,
  readStateless,
  type InferenceOptions,
  type LayoutOptions,
  type StatelessCall,
  type TrainingOptions,
} from "../arguments/stateless.js";
import { MOMENTS, type ChannelMoments } from "../kernels/moments.js";
import { asGiven, type SameForm, type Tensor } from "../values/plan.js";
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
import { WEIGHTS, weightsOf, type StatisticsWeights } from "../values/weights.js";

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
  const call = readStateless(args, [...AFFINE_OPTIONS, "moments"]);
  const { moments: option } = call.options;
  const given = option === undefined ? null : readOptions(option, MOMENTS, "moments");
  const arrays = checkStateless(call, true);
  const source = given ? givenMoments(checkGiven(given, call.plan, arrays.weights)) : batchStatistics;
  const { moments, saved } = forward(workspaceFor(call, arrays), arrays, source);
  const { mean, m2, ...counts } = moments!;
  return { output: asGiven(call.x, arrays.y), saved, moments: { ...counts, mean: mean.slice(), m2: m2.slice() } };
}

/** The activation's getters run first, then everything is checked. */
function checkStateless(call: StatelessCall, saves: boolean): ForwardArrays {
  const { plan, options } = call;
  const activation = readActivation("activation", options.activation);
  const parameters = checkParameters(call);
  const own = (): Data => allocate(plan.dtype, plan.size);
  return checkForward(plan, call, { activation, parameters, saves, own });
}

function workspaceFor({ plan, resources }: StatelessCall, { weights }: Pick<ForwardArrays, "weights">): Workspace {
  return workspaceOf(plan.dtype, plan, weights !== null, resources);
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
  const call = readStateless(args, [...AFFINE_OPTIONS, "runningMean", "runningVar"]);
  const { plan, options } = call;
  const arrays = checkStateless(call, false);
  const type = floatTypeOf(plan.dtype);
  const mean = checkData("runningMean", options.runningMean, type, plan.channels);
  const variance = checkData("runningVar", options.runningVar, type, plan.channels);
  const { saved } = forward(workspaceFor(call, arrays), arrays, runningStatistics(mean, variance));
  return { output: asGiven(call.x, arrays.y), saved };
}

/** Options of `batchNormMoments`. */
export interface MomentsOptions<D extends DType> extends LayoutOptions<D>, StatisticsWeights<D> {}

/**
 * Mean and m2 = Σ(x − mean)² of every channel, float64, and how many values; with weights, mean = Σwx/Σw,
 * m2 = Σw(x − mean)² and the count Σw. Moments of no value, or of weight 0 alone, are zeros.
 */
export function batchNormMoments<A extends Data | Float16Values>(
  x: A,
  shape: readonly number[],
  options?: MomentsOptions<DTypeOf<A>>,
): ChannelMoments;
export function batchNormMoments<T extends Tensor<DType>>(
  x: T,
  options?: MomentsOptions<DTypeOf<T["data"]>>,
): ChannelMoments;
export function batchNormMoments(...args: unknown[]): unknown {
  const call = readStateless(args, [...LAYOUT_OPTIONS, ...WEIGHTS]);
  const { plan } = call;
  const x = checkData("x", call.x.data, plan.dtype, plan.size);
  const weights = weightsOf(plan, call.weights);
  return computeMoments(workspaceFor(call, { weights }), { plan, x, weights });
}
