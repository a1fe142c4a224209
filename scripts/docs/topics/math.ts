/**
 * `batchnorm/math`: functions on statistics, which need no backend.
 *
 * ```js
 * import { updateRunning, variance } from "batchnorm/math";
 *
 * updateRunning(runningMean, moments.mean, momentum);
 * updateRunning(runningVar, variance(moments), momentum);
 * ```
 *
 * @module math
 */
export * from "../../../src/math.js";
