/**
 * `batchnorm/safetensors`: batch normalizations in files of the format safetensors.
 *
 * ```js
 * import { findBatchNorms, load, save } from "batchnorm/safetensors";
 *
 * const [{ prefix }] = await findBatchNorms(file);
 * const bn = await load(file, prefix);
 * const bytes = save({ [prefix]: bn });
 * ```
 *
 * @module safetensors
 */
export * from "../../../src/safetensors.js";
