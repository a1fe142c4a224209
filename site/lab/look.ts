// Algorithm 1 and its backward pass with a mini-batch's own numbers, and what enters a layer before and after it.
import { batchNormMoments } from "batchnorm";
import { columns, percentiles } from "../../examples/digits/network/evaluate.js";
import type { Network } from "../../examples/digits/network/network.js";
import type { Samples } from "../../examples/digits/network/samples.js";

/** So many values of a layer are enough for its histogram. */
const ENOUGH = 2400;

/** The numbers of one unit; without normalization there is none. */
export interface Algorithm {
  readonly labels: readonly number[];
  readonly x: readonly number[];
  readonly mean: number;
  readonly variance: number;
  readonly eps: number;
  readonly xhat: readonly number[];
  readonly gamma: number;
  readonly beta: number;
  readonly y: readonly number[];
  readonly momentum: number;
  readonly running: { readonly mean: number; readonly variance: number };
  readonly gradY: readonly number[];
  readonly gradGamma: number;
  readonly gradBeta: number;
  readonly gradX: readonly number[];
}

export interface Look {
  /** Values of all units before normalization and after it. Without normalization both are the same. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  /** The 15th, 50th and 85th percentiles of what enters the unit's activation. */
  readonly spread: readonly number[];
  readonly algorithm: Algorithm | null;
}

function thinned(values: Float32Array): Float32Array {
  const stride = Math.ceil(values.length / ENOUGH);
  return stride === 1 ? values : values.filter((_, i) => i % stride === 0);
}

/** Runs the batch forward and backward through a network whose running statistics may move. */
export function lookAt(network: Network, batch: Samples, layer: number, unit: number): Look {
  const hidden = network.hidden[layer]!;
  const { norm } = hidden;
  const running = { mean: norm?.runningMean?.[unit] ?? 0, variance: norm?.runningVar?.[unit] ?? 1 };
  network.gradients(batch);
  const { normInput, entering } = hidden;
  const units = hidden.dense.outputs;
  const column = (values: Float32Array): number[] => [...columns(values, units)[unit]!];
  const shown = {
    before: thinned(normInput),
    after: thinned(entering),
    spread: percentiles(column(entering), [0.15, 0.5, 0.85]),
  };
  if (!norm) return { ...shown, algorithm: null };

  const gradientOf = (value: Float32Array | null): number =>
    hidden.trained().find((trained) => trained.value === value)?.gradient[unit] ?? NaN;
  const moments = batchNormMoments(normInput, [batch.count, units]);
  const mean = moments.mean[unit]!;
  const variance = moments.m2[unit]! / batch.count;
  const x = column(normInput);
  const algorithm: Algorithm = {
    labels: [...batch.labels],
    x,
    mean,
    variance,
    eps: norm.eps,
    xhat: x.map((value) => (value - mean) / Math.sqrt(variance + norm.eps)),
    gamma: norm.weight![unit]!,
    beta: norm.bias![unit]!,
    y: column(entering),
    momentum: norm.momentum as number,
    running,
    gradY: column(hidden.normGradOutput),
    gradGamma: gradientOf(norm.weight),
    gradBeta: gradientOf(norm.bias),
    gradX: column(hidden.normGradInput),
  };
  return { ...shown, algorithm };
}
