// `batchnorm/keras`: batch normalizations in files of Keras, and as its lists of weights.
export { findBatchNorms, load, open, save } from "./checkpoints/keras.js";
export { fromWeights, toWeights } from "./checkpoints/keras-weights.js";
export type { KerasOptions } from "./checkpoints/keras-config.js";
export type { KerasCheckpoint } from "./checkpoints/keras-names.js";
export type { FoundBatchNorm } from "./checkpoints/batch-norms.js";
export type { SavedStates } from "./checkpoints/states.js";
export type { BlobSource, CheckpointSource, FileSource, ResponseSource, UrlSource } from "./checkpoints/source.js";
export type { Checkpoint, CheckpointTensor, TensorArray, TensorDType } from "./checkpoints/tensors.js";
