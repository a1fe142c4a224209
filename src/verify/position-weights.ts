// Seeded weights of positions, by the name of what they provoke.
import type { Extent } from "../kernels/control.js";
import { allocate, type ArrayOf, type FloatType as DType } from "../base/types.js";
import { EXTREME } from "./data.js";

interface Site {
  /** The position, of so many. */
  readonly at: number;
  readonly count: number;
  readonly dtype: DType;
}

const WEIGHTS = {
  /** A mask of half the positions. */
  mask: (_, next) => (next() < 0.5 ? 0 : 1),
  uniform: (_, next) => next(),
  /** Whole blocks without weight, in front: the group begins later. */
  padding: ({ at, count }, next) => (at < 0.6 * count ? 0 : next() < 0.1 ? 0 : 1 + Math.floor(3 * next())),
  /** Few, far apart: most samples hold none. */
  sparse: (_, next) => (next() < 0.03 ? 0.25 + next() : 0),
  /** From twenty powers of two below to twenty above, and zeros between. */
  wideRange: (_, next) => (next() < 0.25 ? 0 : (0.5 + next()) * 2 ** Math.round(40 * (next() - 0.5))),
  /** Stretches that overflow or underflow when multiplied, and some that no sum of float32 holds. */
  extreme: ({ at, dtype }, next) =>
    [next(), 1e30 * next(), EXTREME[dtype].smallest * Math.floor(100 * next()), 3e38 * next()][
      Math.floor(at / 700) % 4
    ]!,
  zero: () => 0,
} as const satisfies Record<string, (site: Site, next: () => number) => number>;

export type WeightKind = keyof typeof WEIGHTS;
export const WEIGHT_KINDS = Object.keys(WEIGHTS) as readonly WeightKind[];

/** Weights of all positions. */
export function positionWeights<D extends DType>(
  dtype: D,
  kind: WeightKind,
  extent: Extent,
  next: () => number,
): ArrayOf<D> {
  const count = extent.outer * extent.inner;
  const data = allocate(dtype, count) as ArrayOf<D>;
  for (let at = 0; at < count; at++) data[at] = WEIGHTS[kind]({ at, count, dtype }, next);
  return data;
}
