// `batchnorm/onnx`: batch normalizations in ONNX models, and the operator itself.
export {
  findBatchNorms,
  load,
  open,
  type OnnxBatchNorm,
  type OnnxCheckpoint,
  type OnnxInput,
} from "./checkpoints/onnx.js";
export type { FoundBatchNorm } from "./checkpoints/batch-norms.js";
export type { BlobSource, CheckpointSource, FileSource, ResponseSource, UrlSource } from "./checkpoints/source.js";
export type { Checkpoint, CheckpointTensor, TensorArray, TensorDType } from "./checkpoints/tensors.js";
