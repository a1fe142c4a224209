/**
 * `batchnorm/json`: batch normalizations in JSON text, to the bit.
 *
 * ```js
 * import { load, save } from "batchnorm/json";
 *
 * const text = save({ "bn1.": bn });
 * const again = await load(text, "bn1.");
 * ```
 *
 * @module json
 */
export * from "../../../src/json.js";
