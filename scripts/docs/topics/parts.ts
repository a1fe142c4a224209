/**
 * The parts of a forward and a backward, for batches that are spread over workers or micro-batches.
 *
 * You exchange the results of the parts in between. Each part has a counterpart in torch, which torch.nn.SyncBatchNorm
 * uses:
 *
 * | here | in torch | what differs |
 * | --- | --- | --- |
 * | `batchNormMoments(x, shape)` | `batch_norm_stats(input, eps)` | It returns count, mean and m2 in float64. torch returns the mean and 1/√(σ² + ε). |
 * | `mergeMoments(first, second)` | `batch_norm_gather_stats_with_counts(…)` | It merges two parts, so that the caller chooses the order. It does not update running statistics. |
 * | `batchNormTraining(x, shape, { moments })` | `batch_norm_elemt(input, weight, bias, mean, invstd, eps)` | It also returns the token for the backward. |
 * | `batchNormGradSums(gradOutput, saved)` | `batch_norm_backward_reduce(…)` | `sumGX` is centred at the mean rounded to the data's type. The gradient of the activation is applied. |
 * | `batchNormGradCoefficients(saved, sums)` | a step of `batch_norm_backward_elemt(…)` | The count is that of the merged moments, which the token has. |
 * | `batchNormGradInput(gradOutput, saved, coefficients)` | `batch_norm_backward_elemt(…)` | It handles the activation, the residual and the weights too. |
 *
 * In this example `gather` sends a value to all workers and returns the values of all of them, in one fixed order:
 *
 * ```js
 * const parts = await gather(batchNormMoments(x, shape));
 * const moments = parts.reduce((first, second) => mergeMoments(first, second));
 * const { output, saved } = batchNormTraining(x, shape, { weight, bias, moments });
 *
 * const { gradWeight, gradBias, ...sums } = batchNormGradSums(gradOutput, saved);
 * const all = await gather(sums);
 * const add = (name) => all[0][name].map((_, c) => all.reduce((sum, part) => sum + part[name][c], 0));
 * const coefficients = batchNormGradCoefficients(saved, { sumG: add("sumG"), sumGX: add("sumGX") });
 * const { gradInput } = batchNormGradInput(gradOutput, saved, coefficients);
 * ```
 *
 * All workers get the same bits if they merge and add in the same order. A worker without samples takes part too: its
 * moments have count 0.
 *
 * With weights, `count` is the sum of the weights and `sumSquaredWeights` the sum of their squares. Merging adds both,
 * and the unbiased variance needs both. Pass the same mask and weights to `batchNormMoments` and to
 * `batchNormTraining`.
 *
 * `forwardPart` and `backwardPart` do the same with a layer, exactly: they exchange the moments and the sums of the groups of
 * the exactness contract before these are merged.
 *
 * @module parts
 */
export {
  backwardPart,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormMoments,
  forwardPart,
  mergeMoments,
  type BackwardPart,
  type ChannelMoments,
  type ForwardPart,
  type GradCoefficients,
  type GradSums,
  type GroupMoments,
  type GroupSums,
  type InputGradients,
  type MomentsOptions,
} from "../../../src/index.js";
