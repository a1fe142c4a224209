/**
 * Masks and sample weights.
 *
 * @module masks-and-weights
 */
export type { Mask, MaskedOutput, StatisticsWeights } from "../../../src/index.js";
