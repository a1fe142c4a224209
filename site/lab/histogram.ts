// Histograms on a scale that several of them share.

export const BINS = 48;

export interface Scale {
  readonly min: number;
  readonly max: number;
}

/** A scale from the 1st to the 99th percentile of all finite values, so that a few far ones do not flatten the rest. */
export function scaleOf(sets: readonly Float32Array[]): Scale {
  const sorted = Float64Array.from(sets.flatMap((set) => Array.from(set).filter(Number.isFinite))).sort();
  if (sorted.length === 0) return { min: -1, max: 1 };
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!;
  const [min, max] = [at(0.01), at(0.99)];
  const margin = 0.1 * (max - min) || 1;
  return { min: min - margin, max: max + margin };
}

/** The share of the values in each bin. What lies outside the scale counts in the first or the last bin. */
export function histogram(values: Float32Array, { min, max }: Scale): number[] {
  const counts = new Array<number>(BINS).fill(0);
  let finite = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const bin = Math.floor((BINS * (value - min)) / (max - min));
    counts[Math.min(BINS - 1, Math.max(0, bin))]! += 1;
    finite++;
  }
  return counts.map((count) => count / Math.max(1, finite));
}
