/**
 * `batchnorm/keras`: batch normalizations in files of Keras, and as its lists of weights.
 *
 * ```js
 * import { findBatchNorms, fromWeights, load } from "batchnorm/keras";
 *
 * const [{ prefix }] = await findBatchNorms(file); // needs the package h5wasm
 * const bn = await load(file, prefix);
 * const other = fromWeights([gamma, beta, movingMean, movingVariance]);
 * ```
 *
 * @module keras
 */
export * from "../../../src/keras.js";
