/**
 * `batchnorm/math`: functions on statistics. They need no backend.
 *
 * @module math
 */
export * from "../../../src/math.js";
