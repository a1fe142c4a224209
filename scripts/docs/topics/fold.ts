/**
 * `batchnorm/fold`: a batch normalization in inference, folded into the convolution or the linear layer beside it.
 *
 * ```js
 * import { foldIntoConv } from "batchnorm/fold";
 *
 * const { weight, bias } = foldIntoConv({ weight: { data, shape: [64, 3, 7, 7] }, bias: null }, bn);
 * ```
 *
 * @module fold
 */
export * from "../../../src/fold.js";
