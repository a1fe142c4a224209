// The public API.
export type {
  Activation,
  ActivationName,
  CheckedActivation,
  CheckedClamp,
  CheckedLeakyRelu,
  Clamp,
  LeakyRelu,
  NamedActivation,
  Prelu,
} from "./values/activation.js";
export {
  createArena,
  type Arena,
  type ArenaOptions,
  type ArenaRange,
  type WebAssemblyMemory,
} from "./backends/arena.js";
export type { AxisOptions, Layout } from "./base/axes.js";
export { backends, createBackend, type BackendRequest, type BackendStatus } from "./backends/backend.js";
export { BatchNorm, type LayerBackwardOptions, type LayerForwardOptions } from "./layer/batch-norm.js";
export type { ForwardFields, ForwardOptions, ResidualOptions, Save, Saves } from "./arguments/forward.js";
export type { BackwardOptions, Gradients } from "./arguments/backward.js";
export type { BackendName } from "./backends/candidates.js";
export type {
  BatchNormOptions,
  LayerOptions,
  MomentumOptions,
  OnNonFinite,
  ParameterOptions,
  SingleValue,
} from "./layer/options.js";
export type { Convention } from "./layer/convention.js";
export type { ModeOptions } from "./layer/mode.js";
export type { ConditionalOptions } from "./arguments/conditional.js";
export type { VirtualBatches } from "./policies/virtual-batches.js";
export type { Renorm, RenormLimits, RenormMetrics, RenormSchedule } from "./policies/renorm.js";
export {
  MicroBatches,
  type MicroBatch,
  type MicroBatchGradients,
  type MicroBatchTotals,
} from "./layer/micro-batches.js";
export {
  backwardPart,
  forwardPart,
  type BackwardPart,
  type ForwardPart,
  type GroupMoments,
  type GroupSums,
} from "./layer/part.js";
export type { Momentum, MomentumSchedule } from "./layer/running.js";
export {
  updateStatistics,
  type Batches,
  type StatisticsProgress,
  type UpdateStatisticsOptions,
} from "./layer/population.js";
export type { GradCoefficients, GradSums } from "./engine/backward.js";
export { BackendUnavailableError, type ErrorCode } from "./base/errors.js";
export {
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  type ForwardResult,
  type MomentsOptions,
  type SavedWith,
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
export {
  batchNormBackwardAsync,
  batchNormInferenceAsync,
  batchNormMomentsAsync,
  batchNormTrainingAsync,
} from "./functional/async.js";
export {
  batchNormDoubleBackwardAsync,
  batchNormGradInputAsync,
  batchNormGradSumsAsync,
} from "./functional/gradients-async.js";
export type { AsyncOptions } from "./arguments/async.js";
export type { AbortSignalLike } from "./base/signal.js";
export type {
  AffineFields,
  AffineOptions,
  CallOptions,
  GivenMoments,
  GivenStatistics,
  InferenceOptions,
  LayoutOptions,
  TrainingOptions,
} from "./arguments/stateless.js";
export { warmUp, type WarmedUp } from "./functional/warm-up.js";
export { batchNormDoubleBackward, type DoubleGradients } from "./functional/double-backward.js";
export type { GradGradients } from "./functional/prepare-double-backward.js";
export type { InstructionSet } from "./backends/native/instruction-sets.js";
export { contractVersion } from "./kernels/kernels.js";
export { mergeMoments, type ChannelMoments } from "./kernels/moments.js";
export type { Need } from "./values/need.js";
export type { DimsTensor, SameForm, ShapeTensor, Sizes, StridedFields, Tensor } from "./values/plan.js";
export type { SampleTables } from "./values/sample-tables.js";
export type { RenormTables, Saved } from "./values/saved.js";
export type { LoadStateDictOptions, StateDict, StateDictOptions, StateSource } from "./layer/state-dict.js";
export type { IncompatibleKeys } from "./layer/state-keys.js";
export { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from "./base/storage.js";
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
  WasmModule,
} from "./base/types.js";
export type { Mask, MaskedOutput, StatisticsWeights } from "./values/weights.js";
