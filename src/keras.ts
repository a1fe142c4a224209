// `batchnorm/keras`: batch normalizations in files of Keras, and as its lists of weights.
export { findBatchNorms, load, open, save } from "./checkpoints/keras.js";
export { fromWeights, toWeights } from "./checkpoints/keras-weights.js";
export type { KerasOptions } from "./checkpoints/keras-config.js";
export type { KerasCheckpoint } from "./checkpoints/keras-names.js";
export type * from "./checkpoints/common-types.js";
