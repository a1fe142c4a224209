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

/** Moments of every channel over the same `count` values each; with weights, `count` is their sum, Σw. */
export interface ChannelMoments {
  readonly count: number;
  readonly mean: Float64Array;
  readonly m2: Float64Array;
}

export const MOMENTS = ["count", "mean", "m2"] as const;

/** Moments a caller gives, checked: of `channels` channels. */
export function checkMoments(
  name: string,
  { count, mean, m2 }: Record<string, unknown>,
  channels: number,
): ChannelMoments {
  return {
    count: checkInRange(`${name}.count`, count, 0, Number.MAX_VALUE),
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
  return { count: a.count + b.count, mean, m2 };
}

/**
 * Variance per channel, m2/max(count − correction, 1). Correction 0 is the biased variance that
 * normalizes a batch, 1 (Bessel's) the estimate that running statistics keep in torch. With weights it is m2/(Σw − 1), as
 * for weights that say how often a value occurs; where Σw is less than 2, m2 itself.
 */
export function variance(moments: ChannelMoments, correction = 1): Float64Array {
  const divisor = bessel(moments, correction);
  return moments.m2.map((value) => value / divisor);
}

function bessel({ count }: ChannelMoments, correction: number): number {
  return Math.max(count - correction, 1);
}

/** As `updateRunning` with `variance(moments)`, without an array for it: a small forward takes microseconds. */
export function updateRunningVariance(running: Floats, moments: ChannelMoments, momentum: number): void {
  const divisor = bessel(moments, 1);
  for (let c = 0; c < running.length; c++) {
    running[c] = (1 - momentum) * running[c]! + momentum * (moments.m2[c]! / divisor);
  }
}

/** running = (1 − momentum)·running + momentum·batch, in float64, rounded once on storing. */
export function updateRunning(running: Floats, batch: Float64Array, momentum: number): void {
  if (batch.length !== running.length) {
    throw rangeError("ERR_BATCHNORM_SHAPE", `"batch" expected length ${running.length}, got ${batch.length}`);
  }
  for (let c = 0; c < running.length; c++) running[c] = (1 - momentum) * running[c]! + momentum * batch[c]!;
}
