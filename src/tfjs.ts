// `batchnorm/tfjs`: batch normalization for TensorFlow.js.
export {
  bindTfjs,
  type BatchNormalizationConfig,
  type TfjsBatchNorm,
  type TfjsCore,
  type TfjsLayer,
  type TfjsLayerClass,
  type TfjsLayers,
  type TfjsOperations,
  type TfjsTensor,
} from "./adapters/tfjs/bind.js";
export type { TfjsBatchNormOptions } from "./adapters/tfjs/operation.js";
export type { TfjsExtras } from "./adapters/tfjs/settings.js";
