/**
 * Functions without a layer: training, inference, backward and double backward. They keep no state.
 *
 * @module functions
 */
export {
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormInference,
  batchNormTraining,
  type AffineOptions,
  type BackendOptions,
  type BackwardOptions,
  type DoubleGradients,
  type ForwardOptions,
  type ForwardResult,
  type GradGradients,
  type Gradients,
  type InferenceOptions,
  type LayoutOptions,
  type Need,
  type Save,
  type Saved,
  type TrainingOptions,
  type TrainingResult,
} from "../../../src/index.js";
