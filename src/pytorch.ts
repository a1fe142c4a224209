// `batchnorm/pytorch`: batch normalizations in files of torch.save.
export { findBatchNorms, load, open, save } from "./checkpoints/pytorch.js";
export type * from "./checkpoints/common-types.js";
