// `batchnorm/onnx`: batch normalizations in ONNX models, and the operator itself.
export { findBatchNorms, load, open, type OnnxCheckpoint } from "./checkpoints/onnx.js";
export type { OnnxBatchNorm, OnnxInput } from "./checkpoints/onnx-nodes.js";
export { onnxBatchNormalization } from "./operators/onnx.js";
export type {
  OnnxAttributes,
  OnnxDataOf,
  OnnxInputs,
  OnnxOptions,
  OnnxTrainingOutputs,
} from "./operators/onnx-types.js";
export type { OnnxTensor, OnnxTensorLike } from "./operators/onnx-tensors.js";
export { save } from "./checkpoints/onnx-save.js";
export type { SavedStates } from "./checkpoints/states.js";
export type { FoundBatchNorm } from "./checkpoints/batch-norms.js";
export type { BlobSource, CheckpointSource, FileSource, ResponseSource, UrlSource } from "./checkpoints/source.js";
export type { Checkpoint, CheckpointTensor, TensorArray, TensorDType } from "./checkpoints/tensors.js";
