/**
 * `batchnorm/tfjs`: batch normalization for TensorFlow.js.
 *
 * ```js
 * import * as tf from "@tensorflow/tfjs";
 * import { bindTfjs } from "batchnorm/tfjs";
 *
 * const { BatchNormalization } = bindTfjs(tf);
 * const model = tf.sequential({ layers: [tf.layers.dense({ units: 64, inputShape: [32] }), new BatchNormalization()] });
 * ```
 *
 * @module tfjs
 */
export * from "../../../src/tfjs.js";
