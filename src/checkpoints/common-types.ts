// The types that all formats have in common. Each format's entry exports them.
export type { FoundBatchNorm } from "./batch-norms.js";
export type { BlobSource, CheckpointSource, FileSource, ResponseSource, UrlSource } from "./source.js";
export type { SavedStates } from "./states.js";
export type { Checkpoint, CheckpointTensor, TensorArray, TensorDType } from "./tensors.js";
