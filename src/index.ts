// The public API.
export type { Activation, LeakyRelu } from "./activation.js";
export { createArena, type Arena } from "./arena.js";
export type { Layout } from "./axes.js";
export { backends, createBackend, type BackendRequest, type BackendStatus } from "./backend.js";
export { BatchNorm, type LayerBackwardOptions } from "./batch-norm.js";
export type { ForwardOptions, Save } from "./call.js";
export type { BackwardOptions, Gradients } from "./call-backward.js";
export type { BackendName } from "./candidates.js";
export type { BatchNormOptions, SingleValue } from "./config.js";
export type { GradCoefficients, GradSums } from "./engine-backward.js";
export { BackendUnavailableError, type ErrorCode } from "./errors.js";
export {
  batchNormInference,
  batchNormTraining,
  moments,
  type ForwardResult,
  type MomentsOptions,
  type TrainingResult,
} from "./functional.js";
export {
  batchNormBackward,
  coefficients,
  gradInput,
  gradSums,
  type BackendOptions,
  type InputGradients,
} from "./functional-backward.js";
export type { AffineOptions, InferenceOptions, LayoutOptions, TrainingOptions } from "./functional-call.js";
export { batchNormDoubleBackward, type DoubleGradients, type GradGradients } from "./functional-double-backward.js";
export type { InstructionSet } from "./instruction-sets.js";
export { contractVersion } from "./kernels.js";
export { mergeMoments, type ChannelMoments } from "./moments.js";
export type { Need } from "./need.js";
export type { DimsTensor, SameForm, ShapeTensor, Tensor } from "./plan.js";
export type { Saved } from "./saved.js";
export type { StateDict } from "./state-dict.js";
export type { ArrayOf, BitsOf, Data, DType, DTypeOf, Float16Values, Floats, FloatType, ParametersOf } from "./types.js";
export type { Mask, MaskedOutput, StatisticsWeights } from "./weights.js";
