// The public API.
export type { Activation, LeakyRelu } from "./values/activation.js";
export { createArena, type Arena, type ArenaRange, type WebAssemblyMemory } from "./backends/arena.js";
export type { Layout } from "./base/axes.js";
export { backends, createBackend, type BackendRequest, type BackendStatus } from "./backends/backend.js";
export { BatchNorm, type LayerBackwardOptions } from "./layer/batch-norm.js";
export type { ForwardOptions, Save } from "./arguments/forward.js";
export type { BackwardOptions, Gradients } from "./arguments/backward.js";
export type { BackendName } from "./backends/candidates.js";
export type { BatchNormOptions, SingleValue } from "./layer/config.js";
export type { GradCoefficients, GradSums } from "./engine/backward.js";
export { BackendUnavailableError, type ErrorCode } from "./base/errors.js";
export {
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  type ForwardResult,
  type MomentsOptions,
  type TrainingResult,
} from "./functional/forward.js";
export {
  batchNormBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  type BackendOptions,
  type InputGradients,
} from "./functional/backward.js";
export type { AffineOptions, InferenceOptions, LayoutOptions, TrainingOptions } from "./arguments/stateless.js";
export { batchNormDoubleBackward, type DoubleGradients, type GradGradients } from "./functional/double-backward.js";
export type { InstructionSet } from "./backends/native/instruction-sets.js";
export { contractVersion } from "./kernels/kernels.js";
export { mergeMoments, type ChannelMoments } from "./kernels/moments.js";
export type { Need } from "./values/need.js";
export type { DimsTensor, SameForm, ShapeTensor, Tensor } from "./values/plan.js";
export type { Saved } from "./values/saved.js";
export type { StateDict } from "./layer/state-dict.js";
export type {
  ArrayOf,
  BitsOf,
  Data,
  DType,
  DTypeOf,
  Float16Values,
  Floats,
  FloatType,
  ParametersOf,
} from "./base/types.js";
export type { Mask, MaskedOutput, StatisticsWeights } from "./values/weights.js";
