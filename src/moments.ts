// Moments of a set of values, {count, mean, m2}, and what is made of them: merging, variance,
// running statistics. All float64, O(1) per channel.

/** Statistics of `count` values: their mean and m2 = Σ(x − mean)². */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  readonly m2: number;
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
    m2: (a.m2 + b.m2) + (delta * delta) * (a.count * f),
  };
}
