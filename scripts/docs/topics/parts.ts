/**
 * The parts of a forward and a backward.
 *
 * @module parts
 */
export {
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormMoments,
  mergeMoments,
  type ChannelMoments,
  type GradCoefficients,
  type GradSums,
  type InputGradients,
  type MomentsOptions,
} from "../../../src/index.js";
