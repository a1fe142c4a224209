// What ONNX's operator takes and returns.
import type { BackendRequest } from "../backends/backend.js";
import type { Data, Float16Values } from "../base/types.js";
import type { OnnxTensor, OnnxTensorLike } from "./onnx-tensors.js";

/** The attributes of a node `BatchNormalization`. One that the opset does not have throws `ERR_BATCHNORM_OPTION`. */
export interface OnnxAttributes {
  /** ε, which is added to the variance. The default is 1e-5. */
  epsilon?: number | undefined;
  /** The weight of the old statistics, from 0 to 1. The default is 0.9. */
  momentum?: number | undefined;
  /** Since opset 14: with 1 the node trains. The default is 0. */
  training_mode?: 0 | 1 | undefined;
  /** In opsets 7 and 8: with 0 there are statistics for each position of a sample. The default is 1. */
  spatial?: 0 | 1 | undefined;
}

/** What a call of the operator asks for beside the node's attributes. */
export interface OnnxOptions {
  /**
   * The number of the node's outputs. Before opset 14 it says whether the node trains: with more than 1, which are up to
   * 5. Since opset 14 there are up to 3, if `training_mode` is 1. The default is 1 before opset 14, and all since then.
   */
  outputs?: 1 | 2 | 3 | 4 | 5 | undefined;
  /** The backend to run on, as of `batchNormInference`. */
  backend?: BackendRequest | undefined;
  /** The upper limit of native threads, as of `batchNormInference`. */
  threads?: number | undefined;
}

/** The array of an output that has the type of an input. Of onnxruntime's general tensors it is any of float arrays. */
export type OnnxDataOf<T extends OnnxTensorLike> =
  Extract<T["data"], Data | Float16Values> extends infer A ? ([A] extends [never] ? Data | Float16Values : A) : never;

/** The inputs of a node: X, scale, B, the mean and the variance. */
export type OnnxInputs<X extends OnnxTensorLike, S extends OnnxTensorLike> = readonly [
  X: X,
  scale: OnnxTensorLike,
  B: OnnxTensorLike,
  input_mean: S,
  input_var: S,
];

/** The outputs of a node in training, since opset 14. */
export type OnnxTrainingOutputs<X extends OnnxTensorLike, S extends OnnxTensorLike> = readonly [
  Y: OnnxTensor<OnnxDataOf<X>>,
  running_mean: OnnxTensor<OnnxDataOf<S>>,
  running_var: OnnxTensor<OnnxDataOf<S>>,
];
