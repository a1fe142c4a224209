// `batchnorm/json`: batch normalizations in JSON text.
export { findBatchNorms, load, open, save } from "./checkpoints/json.js";
export type * from "./checkpoints/common-types.js";
