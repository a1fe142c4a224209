// Batches whose statistics are exact in every type and order of summation.
import type { Floats as Data } from "../../src/base/types.js";
import { statistics } from "./textbook.js";
import { channelPositions } from "./reference.js";

export const SHAPE = [4, 2, 2];

/** Small integers, 8 in each channel: their mean and m2 are exact in every type and order. */
export function integers(seed: number): Float32Array {
  return Float32Array.from({ length: 16 }, (_, p) => ((p * p * (seed + 2) + 7 * p + seed) % 23) - 9);
}

/** Mean and unbiased variance of every channel. */
export function batchOf(x: Data): { mean: number[]; variance: number[] } {
  const all = channelPositions(SHAPE, 1).map((at) => statistics(x, at));
  return { mean: all.map(({ mean }) => mean), variance: all.map(({ m2 }) => m2 / 7) };
}

/** running = (1 − w)·running + w·batch in float64, rounded on storing. */
export function moved(running: Float32Array, batch: readonly number[], weightOfNew: number): Float32Array {
  return running.map((value, c) => (1 - weightOfNew) * value + weightOfNew * batch[c]!);
}
