// `batchnorm/pytorch`: batch normalizations in files of torch.save.
export { findBatchNorms, load, open, save } from "./checkpoints/pytorch.js";
export type { FoundBatchNorm } from "./checkpoints/batch-norms.js";
export type { SavedStates } from "./checkpoints/states.js";
export type { BlobSource, CheckpointSource, FileSource, ResponseSource, UrlSource } from "./checkpoints/source.js";
export type { Checkpoint, CheckpointTensor, TensorArray, TensorDType } from "./checkpoints/tensors.js";
