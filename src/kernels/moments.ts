// Moments of a set of values, {count, mean, m2}, and what follows from them: merging, the variance and the running
// statistics. All of it is float64 and takes constant time per channel.
import { tableOf, zeros } from "../base/arrays.js";
import { KIND, checkArray, checkData, checkInRange, checkVariances, lengthOf } from "../base/check.js";
import { typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import type { Floats } from "../base/types.js";

/** The statistics of `count` values: their mean, and m2 = Σ(x − mean)². */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly m2: number;
}

/**
 * The moments of every channel of a batch, or of a part of one. All channels have the same count. Moments of parts can
 * be merged without loss, unlike a variance or 1/√(σ² + ε).
 */
export interface ChannelMoments {
  /** The number of values of each channel. With weights it is Σw. */
  readonly count: number;
  /**
   * Σw², the sum of the squared weights. The unbiased variance needs it. If it is absent, it equals `count`, as it does
   * without weights and with a mask.
   */
  readonly sumSquaredWeights?: number | undefined;
  /** The mean of each channel: Σx/n, or Σw·x/Σw. */
  readonly mean: Float64Array;
  /** The sum of squared deviations of each channel: Σ(x − mean)², or Σw·(x − mean)². */
  readonly m2: Float64Array;
}

const MOMENTS = ["count", "sumSquaredWeights", "mean", "m2"] as const;

/** Moments that say both counts. */
export type WholeMoments = ChannelMoments & { readonly sumSquaredWeights: number };

/** Reads and checks moments that a caller gives. They must have `channels` channels, if that is known. */
export function readMoments(name: string, value: unknown, channels?: number): WholeMoments {
  if (value === undefined) throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected an object, got undefined`);
  const { count, sumSquaredWeights = count, mean, m2 } = readOptions(value, MOMENTS, name);
  const table = checkArray(`${name}.mean`, mean, [KIND.float64]) as Float64Array;
  const length = channels ?? lengthOf(table);
  return {
    count: checkInRange(`${name}.count`, count, 0, Number.MAX_VALUE),
    sumSquaredWeights: checkInRange(`${name}.sumSquaredWeights`, sumSquaredWeights, 0, Number.MAX_VALUE),
    mean: checkData(`${name}.mean`, table, "float64", length) as Float64Array,
    m2: checkVariances(`${name}.m2`, checkData(`${name}.m2`, m2, "float64", length) as Float64Array, table),
  };
}

/** Copies of the tables, by no method of an array that may be the caller's. */
export function copyMoments({ count, sumSquaredWeights, mean, m2 }: WholeMoments): WholeMoments {
  return { count, sumSquaredWeights, mean: tableOf(mean), m2: tableOf(m2) };
}

/** The first channel whose moments are not finite numbers, or −1. */
export function firstNotFinite({ mean, m2 }: ChannelMoments): number {
  // x − x is NaN where x is NaN or infinite.
  for (let c = 0; c < mean.length; c++) if (mean[c]! - mean[c]! + (m2[c]! - m2[c]!) !== 0) return c;
  return -1;
}

/** The moments of no values, in new tables. */
export function emptyMoments(channels: number): WholeMoments {
  return { count: 0, sumSquaredWeights: 0, mean: zeros(channels), m2: zeros(channels) };
}

export const EMPTY: Moments = { count: 0, mean: 0, m2: 0 };

/**
 * The moments of the values of `a` followed by those of `b` (Chan, Golub & LeVeque 1979). If a count is 0, the result
 * is the other argument. The operations and their order are part of the contract (clause 3).
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
 * Merges the moments of two parts of a batch, channel by channel (Chan, Golub & LeVeque 1979). The result is that of
 * both parts together, up to rounding. `count` and `sumSquaredWeights` are added. A part with count 0 changes nothing.
 *
 * Synchronized and accumulated batch normalization merge the moments of all parts in a fixed order. A variance or an
 * average of means cannot replace them. torch.batch_norm_gather_stats_with_counts merges all parts at once. It also
 * updates the running statistics. Here `updateRunning` of `batchnorm/math` does that.
 *
 * @param first The moments of the first part.
 * @param second The moments of the second part.
 * @returns New moments of both parts together.
 * @throws TypeError if an argument has the wrong kind (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if the numbers of channels differ (`ERR_BATCHNORM_SHAPE`), if a count is negative, NaN or infinite,
 * or if an element of `m2` is negative or NaN (`ERR_BATCHNORM_VALUE`).
 */
export function mergeMoments(first: ChannelMoments, second: ChannelMoments): ChannelMoments {
  // The getters of both run before either is checked.
  const given = second && readOptions(second, MOMENTS, "second");
  const a = readMoments("first", first);
  const channels = a.mean.length;
  const b = readMoments("second", given, channels);
  const { mean, m2 } = emptyMoments(channels);
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
 * Returns the variance of each channel: m2/(count − correction). With weights it is m2/(W − correction·Σw²/W), where W
 * = Σw is the count and Σw² is `sumSquaredWeights`.
 *
 * - Correction 0 gives the biased variance, which normalizes a batch and which Keras and ONNX keep as running variance.
 * - Correction 1 gives the unbiased variance (Bessel's correction), which torch keeps as running variance. With weights
 *   it is the `aweights` of numpy.cov and does not depend on the scale of the weights.
 *
 * If the divisor is not positive, as with a single value, the biased variance is returned. With count 0 it is 0.
 *
 * @param moments The moments of a batch.
 * @param correction The correction, a finite number that is not negative. The default is 1.
 * @returns A new array with one element per channel.
 * @throws TypeError if an argument has the wrong kind (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if a number is negative, NaN or infinite (`ERR_BATCHNORM_VALUE`).
 */
export function variance(moments: ChannelMoments, correction = 1): Float64Array {
  const { m2, ...counts } = readMoments("moments", moments);
  const divisor = divisorOf(counts, checkInRange("correction", correction, 0, Number.MAX_VALUE));
  const result = zeros(lengthOf(m2));
  for (let c = 0; c < result.length; c++) result[c] = m2[c]! / divisor;
  return result;
}

type Counts = Pick<ChannelMoments, "count" | "sumSquaredWeights">;

function divisorOf({ count, sumSquaredWeights = count }: Counts, correction: number): number {
  if (count === 0) return 1; // m2 is 0 then
  const divisor = count - (correction * sumSquaredWeights) / count;
  return divisor > 0 ? divisor : count;
}

/**
 * Does the same as `updateRunning` with `variance(moments, correction)`, but allocates no array. A small forward takes
 * microseconds.
 */
export function updateRunningVariance(
  running: Floats,
  moments: ChannelMoments,
  correction: 0 | 1,
  momentum: number,
): void {
  const divisor = divisorOf(moments, correction);
  for (let c = 0; c < running.length; c++) running[c] = mix(running[c]!, moments.m2[c]! / divisor, momentum);
}

/** (1 − momentum)·running + momentum·batch. A weight of 0 leaves out even what is NaN or infinite. */
function mix(running: number, batch: number, momentum: number): number {
  if (momentum === 0) return running;
  return momentum === 1 ? batch : (1 - momentum) * running + momentum * batch;
}

/** Mixes a statistic of a batch into a running one. The arguments have been checked. */
export function mixInto(running: Floats, batch: Float64Array, momentum: number): void {
  const channels = lengthOf(running);
  for (let c = 0; c < channels; c++) running[c] = mix(running[c]!, batch[c]!, momentum);
}

/**
 * Updates a running statistic in place: running = (1 − momentum)·running + momentum·batch. It is computed in float64,
 * and each stored value is rounded once. Momentum 1 replaces the running statistic, even where it was NaN or infinite.
 * Momentum 0 keeps it, even where the batch is NaN or infinite.
 *
 * @param running The running mean or the running variance, one element per channel. It is overwritten.
 * @param batch The mean of the batch, or its `variance`, one element per channel.
 * @param momentum The weight of the new batch, from 0 to 1, as in torch. Keras and ONNX name the weight of the old one.
 * @throws TypeError if an argument has the wrong kind (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if the lengths differ (`ERR_BATCHNORM_SHAPE`) or the momentum is out of range
 * (`ERR_BATCHNORM_VALUE`).
 */
export function updateRunning(running: Floats, batch: Float64Array, momentum: number): void {
  const target = checkArray("running", running, [KIND.float32, KIND.float64]);
  const source = checkData("batch", batch, "float64", lengthOf(target)) as Float64Array;
  mixInto(target, source, checkInRange("momentum", momentum, 0, 1));
}
