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
  type LayerBackwardOptions,
  type LayerOptions,
  type MomentumOptions,
  type ParameterOptions,
  type SingleValue,
  type StateDict,
} from "../../../src/index.js";
