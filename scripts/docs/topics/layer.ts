/**
 * The layer `BatchNorm`: its options, its forward and backward, and its state dict.
 *
 * @module layer
 */
export {
  BatchNorm,
  type BatchNormOptions,
  type LayerBackwardOptions,
  type SingleValue,
  type StateDict,
} from "../../../src/index.js";
