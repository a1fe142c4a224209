/**
 * Calls that leave the event loop free.
 *
 * The layer has `forwardAsync` and `backwardAsync`, and these functions do the same without a layer. They return promises
 * of what the synchronous calls return, to the bit.
 *
 * ```js
 * const { output, saved } = await batchNormTrainingAsync(x, [32, 64, 56, 56], { weight, bias, signal });
 * const { gradInput } = await batchNormBackwardAsync(gradOutput, saved);
 * ```
 *
 * @module async
 */
export {
  batchNormBackwardAsync,
  batchNormDoubleBackwardAsync,
  batchNormGradInputAsync,
  batchNormGradSumsAsync,
  batchNormInferenceAsync,
  batchNormMomentsAsync,
  batchNormTrainingAsync,
  type AbortSignalLike,
  type AsyncOptions,
} from "../../../src/index.js";
