// Folding a batch normalization in inference into the layer before it or behind it.
import type { DType } from "../base/types.js";
import type { Tensor } from "../values/plan.js";
import { fillBefore, fillBehind, fold, type FoldedWeights, type MaybeBias, type Weights } from "./apply.js";
import { KINDS, type WeightConvention } from "./geometry.js";
import type { Foldable, NormOptions } from "./scale-shift.js";

/** The options of a fold into a linear layer. */
export interface FoldLinearOptions extends NormOptions {
  /** The order of the axes of the weight. The default is `"torch"`: [out, in]. */
  convention?: "torch" | "keras" | undefined;
  /** The element type of a `Uint16Array`. Other arrays say it themselves. */
  dtype?: "float16" | "bfloat16" | undefined;
}

/** The options of a fold into a transposed convolution. */
export interface FoldConvTransposeOptions extends NormOptions {
  /** The order of the axes of the weight. The default is `"torch"`: [in, out/groups, k…]. */
  convention?: "torch" | "onnx" | "keras" | undefined;
  /** The number of groups. The default is 1. */
  groups?: number | undefined;
  /** The element type of a `Uint16Array`. Other arrays say it themselves. */
  dtype?: "float16" | "bfloat16" | undefined;
}

/** The options of a fold into a convolution. */
export interface FoldConvOptions extends NormOptions {
  /** The order of the axes of the weight. The default is `"torch"`: [out, in/groups, k…]. */
  convention?: WeightConvention | undefined;
  /** The number of groups. The default is 1. The convention `"keras-depthwise"` has as many as input channels. */
  groups?: number | undefined;
  /** The element type of a `Uint16Array`. Other arrays say it themselves. */
  dtype?: "float16" | "bfloat16" | undefined;
}

/**
 * Folds a batch normalization in inference into the convolution before it. The convolution with the new weight and bias
 * gives what the two give: W' = W·γ/√(σ² + ε) by output channels, b' = (b − μ)·γ/√(σ² + ε) + β. The convolution may have
 * any number of spatial axes, groups, padding, strides and dilation. An activation of the batch normalization stays to be
 * applied.
 *
 * Each new value is computed in float64 and rounded once to the type of its array. If both are evaluated exactly, an
 * output therefore differs from that of the pair by at most u·(Σ|W'·x| + |b'|) + 8·2⁻⁵³·(Σ|W'·x| + (|b| + |μ|)·|s| + |β|),
 * where s = γ/√(σ² + ε), and u is 2⁻⁵³ for float64, 2⁻²⁴ for float32, 2⁻¹¹ for float16 and 2⁻⁸ for bfloat16. Values that
 * are subnormal in their type have an error of half its smallest number instead of u.
 *
 * @param conv The weight and the bias of the convolution. They are not changed.
 * @param bn The batch normalization: a layer, in any mode, or a state.
 * @param options The order of the axes, the number of groups, ε, and the prefix of the names of a state.
 * @returns A new weight and a new bias.
 * @throws RangeError if a shape does not fit (`ERR_BATCHNORM_SHAPE`), if there are no running statistics
 * (`ERR_BATCHNORM_STATE`), or if a value of the batch normalization is NaN, σ² + ε is not positive, or a new value is too
 * large for its type (`ERR_BATCHNORM_VALUE`).
 * @throws TypeError if an argument has the wrong kind (`ERR_BATCHNORM_TYPE`, `ERR_BATCHNORM_OPTION`).
 */
export function foldIntoConv<T extends Tensor<DType>, B extends MaybeBias = null>(
  conv: Weights<T, B>,
  bn: Foldable,
  options?: FoldConvOptions,
): FoldedWeights<T, B> {
  return fold(KINDS.conv, conv, bn, options, fillBefore);
}

/**
 * Folds a batch normalization in inference into the transposed convolution before it. The formulas, the error and what it
 * throws are those of `foldIntoConv`. With groups, output channels are counted across all groups.
 *
 * @param conv The weight and the bias of the transposed convolution. They are not changed.
 * @param bn The batch normalization: a layer, in any mode, or a state.
 * @param options The order of the axes, the number of groups, ε, and the prefix of the names of a state.
 * @returns A new weight and a new bias.
 */
export function foldIntoConvTranspose<T extends Tensor<DType>, B extends MaybeBias = null>(
  conv: Weights<T, B>,
  bn: Foldable,
  options?: FoldConvTransposeOptions,
): FoldedWeights<T, B> {
  return fold(KINDS.convTranspose, conv, bn, options, fillBefore);
}

/**
 * Folds a batch normalization in inference into the linear layer before it. The formulas, the error and what it throws
 * are those of `foldIntoConv`.
 *
 * @param linear The weight and the bias of the linear layer. They are not changed.
 * @param bn The batch normalization: a layer, in any mode, or a state.
 * @param options The order of the axes, ε, and the prefix of the names of a state.
 * @returns A new weight and a new bias.
 */
export function foldIntoLinear<T extends Tensor<DType>, B extends MaybeBias = null>(
  linear: Weights<T, B>,
  bn: Foldable,
  options?: FoldLinearOptions,
): FoldedWeights<T, B> {
  return fold(KINDS.linear, linear, bn, options, fillBefore);
}

/**
 * Folds a batch normalization in inference into the linear layer behind it, if no activation stands between the two:
 * W' = W·s by input channels, b' = b + ΣW·t over them, with s and t of `scaleShift`.
 *
 * Each new value is computed in float64 and rounded once. If both are evaluated exactly, an output differs from that of
 * the pair by at most u·(Σ|W'·x| + |b'|) + (n + 8)·2⁻⁵³·(Σ|W'·x| + |b| + Σ|W|·(|β| + |μ·s|)) with n inputs. u is that of
 * `foldIntoConv`, which also says what is thrown.
 *
 * @param linear The weight and the bias of the linear layer. They are not changed.
 * @param bn The batch normalization: a layer, in any mode, or a state.
 * @param options The order of the axes, ε, and the prefix of the names of a state.
 * @returns A new weight and a new bias.
 */
export function foldIntoNextLinear<T extends Tensor<DType>, B extends MaybeBias = null>(
  linear: Weights<T, B>,
  bn: Foldable,
  options?: FoldLinearOptions,
): FoldedWeights<T, B> {
  return fold(KINDS.linear, linear, bn, options, fillBehind);
}

/**
 * Folds a batch normalization in inference into the convolution behind it, if no activation stands between the two. The
 * kernel must have 1 position (1×1), and the convolution no padding: zeros that are padded are not shifted. The formulas,
 * the error and what it throws are those of `foldIntoNextLinear`.
 *
 * @param conv The weight and the bias of the convolution. They are not changed.
 * @param bn The batch normalization: a layer, in any mode, or a state.
 * @param options The order of the axes, the number of groups, ε, and the prefix of the names of a state.
 * @returns A new weight and a new bias.
 */
export function foldIntoNextConv<T extends Tensor<DType>, B extends MaybeBias = null>(
  conv: Weights<T, B>,
  bn: Foldable,
  options?: FoldConvOptions,
): FoldedWeights<T, B> {
  return fold(KINDS.conv, conv, bn, options, fillBehind);
}
