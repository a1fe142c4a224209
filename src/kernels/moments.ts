// Moments of a set of values, {count, mean, m2}, and what is made of them: merging, variance,
// running statistics. All float64, O(1) per channel.
import { checkData, checkInRange, lengthOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import type { Floats } from "../base/types.js";

/** Statistics of `count` values: their mean and m2 = Σ(x − mean)². */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly m2: number;
}

/** Moments of every channel over the same `count` values each. */
export interface ChannelMoments {
  /** Values of each channel, or Σw, the sum of their weights. */
  readonly count: number;
  /** Σw²; absent where every weight is 0 or 1, so that it is the count. */
  readonly sumSquaredWeights?: number;
  readonly mean: Float64Array;
  /** Σ(x − mean)², or Σw(x − mean)². */
  readonly m2: Float64Array;
}

export const MOMENTS = ["count", "sumSquaredWeights", "mean", "m2"] as const;

/** Moments a caller gives, checked: of `channels` channels. */
export function checkMoments(
  name: string,
  { count, sumSquaredWeights = count, mean, m2 }: Record<string, unknown>,
  channels: number,
): Required<ChannelMoments> {
  return {
    count: checkInRange(`${name}.count`, count, 0, Number.MAX_VALUE),
    sumSquaredWeights: checkInRange(`${name}.sumSquaredWeights`, sumSquaredWeights, 0, Number.MAX_VALUE),
    mean: checkData(`${name}.mean`, mean, "float64", channels) as Float64Array,
    m2: checkData(`${name}.m2`, m2, "float64", channels) as Float64Array,
  };
}

export const EMPTY: Moments = { count: 0, mean: 0, m2: 0 };

/**
 * Moments of the values of `a` followed by those of `b` (Chan, Golub & LeVeque 1979).
 * Count 0 is the identity. The operations and their order are part of the contract (clause 3).
 */
export function merge(a: Moments, b: Moments): Moments {
  if (b.count === 0) return a;
  if (a.count === 0) return b;
  const count = a.count + b.count;
  const f = b.count / count;
  const delta = b.mean - a.mean;
  return {
    count,
    mean: a.mean + delta * f,
    m2: a.m2 + b.m2 + delta * delta * (a.count * f),
  };
}

/**
 * Moments of the samples of `a` followed by those of `b`, channel by channel: synchronized and
 * accumulated batch normalization merge the moments of their parts in order.
 *
 * @throws RangeError when the numbers of channels differ.
 */
export function mergeMoments(first: ChannelMoments, second: ChannelMoments): ChannelMoments {
  const channels = lengthOf(first.mean);
  const a = checkMoments("first", { ...first }, channels);
  const b = checkMoments("second", { ...second }, channels);
  const mean = new Float64Array(channels);
  const m2 = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    const merged = merge(
      { count: a.count, mean: a.mean[c]!, m2: a.m2[c]! },
      { count: b.count, mean: b.mean[c]!, m2: b.m2[c]! },
    );
    mean[c] = merged.mean;
    m2[c] = merged.m2;
  }
  return { count: a.count + b.count, sumSquaredWeights: a.sumSquaredWeights + b.sumSquaredWeights, mean, m2 };
}

/**
 * Variance per channel, m2/(Σw − correction·Σw²/Σw); without weights m2/(count − correction). Correction 0 is the biased
 * variance that normalizes a batch, 1 (Bessel's) the unbiased one that torch keeps as running variance, for weights as
 * numpy's `aweights`: it does not depend on their scale. Where that divisor is not positive, as with a single value, the
 * biased variance is returned; of no values, 0.
 */
export function variance(moments: ChannelMoments, correction = 1): Float64Array {
  const divisor = divisorOf(moments, correction);
  return moments.m2.map((value) => value / divisor);
}

function divisorOf({ count, sumSquaredWeights = count }: ChannelMoments, correction: number): number {
  if (count === 0) return 1; // m2 is 0
  const divisor = count - (correction * sumSquaredWeights) / count;
  return divisor > 0 ? divisor : count;
}

/** As `updateRunning` with `variance(moments)`, without an array for it: a small forward takes microseconds. */
export function updateRunningVariance(running: Floats, moments: ChannelMoments, momentum: number): void {
  const divisor = divisorOf(moments, 1);
  for (let c = 0; c < running.length; c++) running[c] = mix(running[c]!, moments.m2[c]! / divisor, momentum);
}

/** (1 − momentum)·running + momentum·batch; momentum 1 replaces, whatever was there. */
function mix(running: number, batch: number, momentum: number): number {
  return momentum === 1 ? batch : (1 - momentum) * running + momentum * batch;
}

/**
 * running = (1 − momentum)·running + momentum·batch, in float64, rounded once on storing. Momentum 1 replaces: a running
 * statistic that is not finite heals.
 */
export function updateRunning(running: Floats, batch: Float64Array, momentum: number): void {
  if (batch.length !== running.length) {
    throw rangeError("ERR_BATCHNORM_SHAPE", `"batch" expected length ${running.length}, got ${batch.length}`);
  }
  for (let c = 0; c < running.length; c++) running[c] = mix(running[c]!, batch[c]!, momentum);
}
