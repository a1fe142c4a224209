/**
 * `batchnorm/onnx`: batch normalizations in ONNX models, and ONNX's operator itself.
 *
 * ```js
 * import { findBatchNorms, load, onnxBatchNormalization, save } from "batchnorm/onnx";
 *
 * const [{ prefix }] = await findBatchNorms(model);
 * const bn = await load(model, prefix);
 * const changed = await save(model, { [prefix]: bn });
 *
 * const [y] = onnxBatchNormalization(15, [x, scale, bias, mean, variance]);
 * ```
 *
 * @module onnx
 */
export * from "../../../src/onnx.js";
