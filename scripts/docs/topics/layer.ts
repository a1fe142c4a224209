/**
 * The layer `BatchNorm`, its options and its state dict.
 *
 * `ForwardOptions`, `Gradients` and the token `Saved` are on the page of the functions, which use them too.
 *
 * @module layer
 */
export {
  BatchNorm,
  type BatchNormOptions,
  type IncompatibleKeys,
  type LayerBackwardOptions,
  type LayerOptions,
  type LoadStateDictOptions,
  type MomentumOptions,
  type ParameterOptions,
  type SingleValue,
  type StateDict,
  type StateDictOptions,
  type StateSource,
} from "../../../src/index.js";
