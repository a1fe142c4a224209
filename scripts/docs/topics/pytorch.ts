/**
 * `batchnorm/pytorch`: batch normalizations in files of `torch.save`.
 *
 * ```js
 * import { findBatchNorms, load, save } from "batchnorm/pytorch";
 *
 * const [{ prefix }] = await findBatchNorms(file);
 * const bn = await load(file, prefix);
 * const bytes = save({ [prefix]: bn });
 * ```
 *
 * No code of a file is run.
 *
 * @module pytorch
 */
export * from "../../../src/pytorch.js";
