/**
 * `batchnorm/verify`: a check that all backends compute the expected bits here.
 *
 * ```js
 * import { verify } from "batchnorm/verify";
 *
 * console.table(verify());
 * ```
 *
 * @module verify
 */
export * from "../../../src/verify.js";
