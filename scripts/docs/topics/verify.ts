/**
 * `batchnorm/verify`: checks that every backend computes the expected bits here.
 *
 * @module verify
 */
export * from "../../../src/verify.js";
