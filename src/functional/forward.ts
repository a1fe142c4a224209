// The stateless forward functions. They keep nothing. All state is the caller's.
import type { Save, Saves } from "../arguments/forward.js";
import { now } from "../base/later.js";
import type { ArrayOf, Data, DType, DTypeOf, Float16Values } from "../base/types.js";
import { computeMoments } from "../engine/statistics.js";
import type { InferenceOptions, LayoutOptions, TrainingOptions } from "../arguments/stateless.js";
import type { ChannelMoments } from "../kernels/moments.js";
import { forwardTogether, together } from "../policies/apart-axes.js";
import { asGiven, type SameForm, type Sizes, type Tensor } from "../values/plan.js";
import type { Saved } from "../values/saved.js";
import type { StatisticsWeights } from "../values/weights.js";
import { prepareInference, prepareMoments, prepareTraining, trainingResult, workspaceFor } from "./prepare.js";

/** What a forward leaves with the option `save`: a token, or null with `save: false`. */
export type SavedWith<D extends DType, S extends Save> = S extends false ? null : Saved<D>;

/** The result of a forward without a layer. `S` is the option `save`. */
export interface ForwardResult<D extends DType, Output = ArrayOf<D>, S extends Save = Save> {
  /** The output, in the shape of x. */
  readonly output: Output;
  /** The token for the backward, or null if the forward did not save. */
  readonly saved: SavedWith<D, S>;
}

/** The result of `batchNormTraining`. `S` is the option `save`. */
export interface TrainingResult<D extends DType, Output = ArrayOf<D>, S extends Save = Save> extends ForwardResult<
  D,
  Output,
  S
> {
  /** The moments that the forward normalized with. `updateRunning` and `variance` make running statistics of them. */
  readonly moments: ChannelMoments;
}

/**
 * Normalizes a batch with its own statistics (Ioffe & Szegedy 2015, Algorithm 1), or with given moments:
 * y = γ·(x − μ)/√(σ² + ε) + β with the biased variance σ². Then it adds the residual and applies the activation.
 *
 * It updates no running statistics. Unlike the layer, it always accepts one value per channel, which gives y = β. If
 * σ² + ε is 0, or no value counts, y is β too.
 *
 * @param x The elements in row-major order.
 * @param shape The size of each axis. The tensor may have any rank.
 * @param options The parameters, the place of the channels, and more. By default γ is 1, β is 0 and ε is 1e-5.
 * @returns The output, the token for the backward, and the moments of the batch.
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function batchNormTraining<A extends Data | Float16Values, S extends Save = true>(
  x: A,
  shape: Sizes,
  options?: TrainingOptions<DTypeOf<A>> & Saves<S>,
): TrainingResult<DTypeOf<A>, ArrayOf<DTypeOf<A>>, S>;
/**
 * Normalizes a batch, given as a tensor, with its own statistics (Ioffe & Szegedy 2015, Algorithm 1), or with given
 * moments: y = γ·(x − μ)/√(σ² + ε) + β with the biased variance σ². Then it adds the residual and applies the
 * activation.
 *
 * It updates no running statistics. Unlike the layer, it always accepts one value per channel, which gives y = β. If σ²
 * + ε is 0, or no value counts, y is β too.
 *
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
 * @param options The parameters, the place of the channels, and more. By default γ is 1, β is 0 and ε is 1e-5.
 * @returns The output as a tensor of the same form as x, the token for the backward, and the moments of the batch.
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function batchNormTraining<T extends Tensor<DType>, S extends Save = true>(
  x: T,
  options?: TrainingOptions<DTypeOf<T["data"]>> & Saves<S>,
): TrainingResult<DTypeOf<T["data"]>, SameForm<T, DTypeOf<T["data"]>>, S>;
export function batchNormTraining(...args: unknown[]): unknown {
  const prepared = prepareTraining(args);
  const { call, arrays, source } = prepared;
  const done = now(forwardTogether(workspaceFor(call, arrays), arrays, source));
  return trainingResult(prepared, done, arrays.y);
}

/**
 * Normalizes x with a given mean and variance: y = γ·(x − runningMean)/√(runningVar + ε) + β. This is one affine map
 * per channel (Ioffe & Szegedy 2015, Algorithm 2). Then it adds the residual and applies the activation.
 *
 * A channel whose runningVar + ε is 0 gives y = β. A variance that is negative or NaN throws `ERR_BATCHNORM_VALUE`. The
 * call leaves a token only with `save: true`. A backward treats
 * the statistics as constants.
 *
 * @param x The elements in row-major order.
 * @param shape The size of each axis. The tensor may have any rank.
 * @param options The statistics, which are required, the parameters, the place of the channels, and more.
 * @returns The output, and the token if `save` asks for it.
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function batchNormInference<A extends Data | Float16Values, S extends Save = false>(
  x: A,
  shape: Sizes,
  options: InferenceOptions<DTypeOf<A>> & Saves<S>,
): ForwardResult<DTypeOf<A>, ArrayOf<DTypeOf<A>>, S>;
/**
 * Normalizes a tensor with a given mean and variance: y = γ·(x − runningMean)/√(runningVar + ε) + β. This is one affine
 * map per channel (Ioffe & Szegedy 2015, Algorithm 2). Then it adds the residual and applies the activation.
 *
 * A channel whose runningVar + ε is 0 gives y = β. A variance that is negative or NaN throws `ERR_BATCHNORM_VALUE`. The
 * call leaves a token only with `save: true`. A backward treats
 * the statistics as constants.
 *
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
 * @param options The statistics, which are required, the parameters, the place of the channels, and more.
 * @returns The output as a tensor of the same form as x, and the token if `save` asks for it.
 * @throws TypeError or RangeError if an argument is wrong, before anything is written. `ErrorCode` lists the codes.
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function batchNormInference<T extends Tensor<DType>, S extends Save = false>(
  x: T,
  options: InferenceOptions<DTypeOf<T["data"]>> & Saves<S>,
): ForwardResult<DTypeOf<T["data"]>, SameForm<T, DTypeOf<T["data"]>>, S>;
export function batchNormInference(...args: unknown[]): unknown {
  const { call, arrays, source } = prepareInference(args);
  const { saved } = now(forwardTogether(workspaceFor(call, arrays), arrays, source));
  return { output: asGiven(call.x, arrays.y), saved };
}

/** The options of `batchNormMoments`. */
export type MomentsOptions<D extends DType> = LayoutOptions<D> & StatisticsWeights<D>;

/**
 * Computes the moments of every channel: the count n, the mean Σx/n and m2 = Σ(x − mean)², in float64. With weights the
 * count is W = Σw, the mean is Σw·x/W, and m2 is Σw·(x − mean)². If no value counts, all moments are 0.
 *
 * torch.batch_norm_stats does the same for the statistics of one worker. It returns the mean and 1/√(σ² + ε). Here the
 * result has no ε in it, so that moments of several parts can be merged without loss.
 *
 * @param x The elements in row-major order.
 * @param shape The size of each axis. The tensor may have any rank.
 * @param options The place of the channels, a mask, weights and the backend.
 * @returns New arrays with one element per channel, the count, and Σw² as `sumSquaredWeights`.
 * @throws TypeError or RangeError if an argument is wrong. `ErrorCode` lists the codes.
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function batchNormMoments<A extends Data | Float16Values>(
  x: A,
  shape: Sizes,
  options?: MomentsOptions<DTypeOf<A>>,
): ChannelMoments;
/**
 * Computes the moments of every channel of a tensor: the count n, the mean Σx/n and m2 = Σ(x − mean)², in float64. With
 * weights the count is W = Σw, the mean is Σw·x/W, and m2 is Σw·(x − mean)². If no value counts, all moments are 0.
 *
 * @param x The tensor, `{ data, shape }` or `{ data, dims }`. It may have any rank.
 * @param options The place of the channels, a mask, weights and the backend.
 * @returns New arrays with one element per channel, the count, and Σw² as `sumSquaredWeights`.
 * @throws TypeError or RangeError if an argument is wrong. `ErrorCode` lists the codes.
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function batchNormMoments<T extends Tensor<DType>>(
  x: T,
  options?: MomentsOptions<DTypeOf<T["data"]>>,
): ChannelMoments;
export function batchNormMoments(...args: unknown[]): unknown {
  const { call, batch } = prepareMoments(args);
  return now(computeMoments(workspaceFor(call, batch), { ...batch, x: together(batch.plan, batch.x) }));
}
