// `batchnorm/safetensors`: batch normalizations in files of the format safetensors.
export { findBatchNorms, load, open, save, type SafetensorsOptions } from "./checkpoints/safetensors.js";
export type * from "./checkpoints/common-types.js";
