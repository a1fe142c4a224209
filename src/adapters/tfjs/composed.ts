// The gradients of a batch normalization, made of operations of TensorFlow.js. They are slower than the library's, but have
// gradients themselves. So they are what a gradient of a gradient is computed with.
import type { Tensor, Tensorflow } from "./tensorflow.js";

export interface Differentiated {
  readonly x: Tensor;
  readonly gamma: Tensor | null;
  /** The given statistics, or null for those of x. */
  readonly mean: Tensor | null;
  readonly variance: Tensor | null;
  readonly epsilon: number;
  /** The channel axis, from 0. */
  readonly axis: number;
}

export interface ComposedGradients {
  readonly gradInput: Tensor;
  readonly gradGamma: Tensor;
  readonly gradBeta: Tensor;
  /** With respect to given statistics. */
  readonly gradMean: Tensor | null;
  readonly gradVariance: Tensor | null;
}

/**
 * With x̂ = (x − μ)·r and r = 1/√(σ² + ε): dβ = Σdy, dγ = Σdy·x̂, and dx = γ·r·(dy − dβ/m − x̂·dγ/m) with the statistics of
 * x. With given statistics dx = γ·r·dy, dμ = −γ·r·dβ and dσ² = −γ·r²·dγ/2.
 */
export function composedGradients(tf: Tensorflow, dy: Tensor, given: Differentiated): ComposedGradients {
  const { x, gamma, epsilon, axis } = given;
  const channels = x.shape[axis]!;
  const axes = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const share = channels / x.shape.reduce((a, b) => a * b, 1);
  const along = x.shape.map((_, i) => (i === axis ? channels : 1));
  const spread = (table: Tensor): Tensor => tf.reshape(table, along);
  const sum = (t: Tensor): Tensor => tf.reshape(tf.sum(t, axes), [channels]);
  const mean = given.mean ?? tf.mul(sum(x), share);
  const centred = tf.sub(x, spread(mean));
  const variance = given.variance ?? tf.mul(sum(tf.mul(centred, centred)), share);
  const r = tf.rsqrt(tf.add(variance, epsilon));
  const xhat = tf.mul(centred, spread(r));
  const gradBeta = sum(dy);
  const gradGamma = sum(tf.mul(dy, xhat));
  const scale = gamma ? tf.mul(gamma, r) : r;
  if (given.mean) {
    return {
      gradInput: tf.mul(dy, spread(scale)),
      gradGamma,
      gradBeta,
      gradMean: tf.mul(tf.mul(scale, gradBeta), -1),
      gradVariance: tf.mul(tf.mul(tf.mul(scale, r), gradGamma), -0.5),
    };
  }
  const through = tf.add(spread(tf.mul(gradBeta, share)), tf.mul(xhat, spread(tf.mul(gradGamma, share))));
  const gradInput = tf.mul(tf.sub(dy, through), spread(scale));
  return { gradInput, gradGamma, gradBeta, gradMean: null, gradVariance: null };
}
