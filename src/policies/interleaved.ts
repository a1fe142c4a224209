// Interleaved virtual batches without a copy. Sample i is in virtual batch i mod k, so a row of k samples has one of each: with
// the channels of all k side by side, the batch is one of k times the channels, each with the statistics of its own batch.
import { partsOf, zeros } from "../base/arrays.js";
import { lengthOf } from "../base/check.js";
import type { Floats } from "../base/types.js";
import type { Forward, ForwardArrays } from "../engine/forward.js";
import { traversalOf } from "../kernels/control.js";
import type { WholeMoments } from "../kernels/moments.js";
import type { Plan } from "../values/plan.js";

/** The plan of `count` virtual batches side by side, or null where they are not as long, or not in rows of samples. */
export function sideBySide({ outer, channels, inner, ...plan }: Plan, samples: number, count: number): Plan | null {
  if (samples % count !== 0 || outer !== samples) return null;
  const wide = { outer: outer / count, channels: channels * count, inner };
  // The traversal of each alone, or other bits would come of it.
  if (traversalOf(wide) !== traversalOf({ outer, channels, inner })) return null;
  return {
    ...plan,
    ...wide,
    apartAxes: null,
    shape: [wide.outer, wide.channels, inner],
    count: plan.count / count,
    samples: wide.outer,
  };
}

function tiled(table: Floats | null, count: number): Floats | null {
  if (!table) return null;
  const length = lengthOf(table);
  const all = zeros(length * count);
  for (let i = 0; i < all.length; i++) all[i] = table[i % length]!;
  return all;
}

/** The arrays of the batch as one of such a plan. */
export function asOneBatch(arrays: ForwardArrays, plan: Plan, count: number): ForwardArrays {
  const { weight, bias, eps } = arrays.parameters;
  return { ...arrays, plan, parameters: { weight: tiled(weight, count), bias: tiled(bias, count), eps } };
}

/** The moments of each virtual batch. */
export function momentsOfEach({ moments }: Forward, count: number): WholeMoments[] {
  const { mean, m2, ...counts } = moments!;
  const channels = mean.length / count;
  const part = (table: Float64Array, g: number): Float64Array => partsOf(table)(g * channels, channels) as Float64Array;
  return Array.from({ length: count }, (_, g) => ({ ...counts, mean: part(mean, g), m2: part(m2, g) }));
}
