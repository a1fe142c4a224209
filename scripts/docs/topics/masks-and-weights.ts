/**
 * Masks and sample weights, which say what counts in the statistics.
 *
 * They are options of every forward and of `batchNormMoments`. In this example the padding behind two sequences of 7
 * and 3 steps does not count:
 *
 * ```js
 * const bn = new BatchNorm(64, { layout: "channels-last" });
 * const mask = [7, 3].flatMap((length) => Array.from({ length: 7 }, (_, step) => step < length));
 * const y = bn.forward(x, [2, 7, 64], { mask, maskedOutput: "zero" });
 * ```
 *
 * @module masks-and-weights
 */
export type { Mask, MaskedOutput, StatisticsWeights } from "../../../src/index.js";
