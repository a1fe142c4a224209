// Before a peer is timed: its result against ours.
import type { Result } from "./peer.js";

/**
 * Largest difference allowed, relative to the largest magnitude of the same result, where a channel has `count` values.
 * float32 sums of values one after another, as several peers make them, are off by up to count·2⁻²⁴, and were seen off
 * by 1/140 of that: 1/64 is allowed. On small tensors 1e-4 is left, less than the 1/2n of an unbiased variance in the
 * place of the biased one (1e-3 on shape F); a wrong layout, sign or term is off by about 1 on all.
 */
export function toleranceFor(count: number): number {
  return 1e-4 + count * 2 ** -30;
}

/** Infinity where a value is no number or the lengths differ. */
export function relativeDifference(got: Float32Array, expected: Float32Array): number {
  if (got.length !== expected.length) return Infinity;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(got[i]! - expected[i]!);
    if (!(off <= difference)) difference = Number.isNaN(off) ? Infinity : off;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference === 0 ? 0 : difference / largest;
}

export interface Checked {
  /** The largest relative difference of the result's parts. */
  readonly error: number;
  /** Why it is not timed; absent where all is well. */
  readonly wrong?: string;
}

export function checkResult(got: Result, expected: Result, tolerance: number): Checked {
  let error = 0;
  for (const name of ["out", "gradWeight", "gradBias"] as const) {
    const [values, reference] = [got[name], expected[name]];
    if (!values || !reference) continue;
    const difference = relativeDifference(values, reference);
    error = Math.max(error, difference);
    if (difference > tolerance) {
      const wrong = `its ${name} differs from ours by ${difference.toExponential(1)} of the largest value`;
      return { error, wrong };
    }
  }
  return { error };
}
