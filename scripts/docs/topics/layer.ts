/**
 * The layer `BatchNorm`, its options and its state dict.
 *
 * `ForwardOptions`, `Gradients` and the token `Saved` are on the page of the functions, which use them too.
 *
 * @module layer
 */
export {
  BatchNorm,
  MicroBatches,
  updateStatistics,
  type Batches,
  type BatchNormOptions,
  type ConditionalOptions,
  type Convention,
  type IncompatibleKeys,
  type LayerBackwardOptions,
  type LayerForwardOptions,
  type LayerOptions,
  type LoadStateDictOptions,
  type MicroBatch,
  type MicroBatchGradients,
  type MicroBatchTotals,
  type ModeOptions,
  type Momentum,
  type MomentumOptions,
  type MomentumSchedule,
  type OnNonFinite,
  type ParameterOptions,
  type Renorm,
  type RenormLimits,
  type RenormMetrics,
  type RenormSchedule,
  type SingleValue,
  type StateDict,
  type StateDictOptions,
  type StateSource,
  type StatisticsProgress,
  type UpdateStatisticsOptions,
  type VirtualBatches,
} from "../../../src/index.js";
