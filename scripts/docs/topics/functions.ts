/**
 * Training, inference, backward and double backward without a layer.
 *
 * These functions keep no state. A forward returns a token, and the backward takes it.
 *
 * ```js
 * const { output, saved, moments } = batchNormTraining(x, [32, 64, 56, 56], { weight, bias });
 * const { gradInput, gradWeight, gradBias } = batchNormBackward(gradOutput, saved);
 * ```
 *
 * @module functions
 */
export {
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormInference,
  batchNormTraining,
  type AffineFields,
  type AffineOptions,
  type BackendOptions,
  type BackwardOptions,
  type CallOptions,
  type DoubleGradients,
  type ForwardFields,
  type ForwardOptions,
  type ForwardResult,
  type GivenMoments,
  type GivenStatistics,
  type GradGradients,
  type Gradients,
  type InferenceOptions,
  type LayoutOptions,
  type Need,
  type RenormTables,
  type ResidualOptions,
  type SampleTables,
  type Save,
  type Saved,
  type SavedWith,
  type Saves,
  type TrainingOptions,
  type TrainingResult,
} from "../../../src/index.js";
