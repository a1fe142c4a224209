// `batchnorm/onnx`: batch normalizations in ONNX models, and the operator itself.
export { findBatchNorms, load, open, type OnnxCheckpoint, type OnnxLoadOptions } from "./checkpoints/onnx.js";
export type { ExternalFileFinder, ExternalFiles, OnnxFileOptions } from "./checkpoints/onnx-external.js";
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
export type * from "./checkpoints/common-types.js";
