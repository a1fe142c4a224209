// Clauses 2, 3 and 6 of the contract, executable: moments of channels, of values that may have weights.
import type { Control } from "../../kernels/control.js";
import { EMPTY, merge, type Moments } from "../../kernels/moments.js";
import { addUp, columnMoments, firstShift, weightSum, type Call, type Pair } from "./block-moments.js";
import { columnOf, fold, slotsOf, weightsOf, widthOf } from "./blocks.js";
import { reduce, statesByGroup, type Summation } from "./reduce.js";
import { round, type Floats } from "../../base/types.js";

/** How blocks are added to the moments of their groups. */
function blockAdder(control: Control, x: Floats, w: Floats | null): Summation<Moments>["addBlock"] {
  const { isFloat32 } = control;
  const call: Call = { x, w, isFloat32 };
  const width = widthOf(control);
  const k = new Float64Array(width);
  const slots = slotsOf(width);
  /** W of blocks by where their weights begin: the channels share them. */
  const known = new Map<number, number[]>();

  /** For each column of the weights, W; without weights, how many values a column has. */
  function countsOf({ block, weights }: Pair): number[] {
    if (!w) return [(block.runs * block.length) / block.columns];
    let counts = known.get(weights.start);
    if (!counts) {
      counts = Array.from({ length: weights.columns }, (_, i) => weightSum(w, columnOf(weights, i), isFloat32));
      known.set(weights.start, counts);
    }
    return counts;
  }

  return (block, groups) => {
    const pair = { block, weights: w ? weightsOf(control, block) : block };
    const counts = countsOf(pair);
    if (counts.every((count) => count === 0)) return;
    for (let j = 0; j < block.columns; j++) {
      const { count, mean } = groups[block.column + j]!;
      k[j] = count === 0 ? firstShift(call, pair, j) : round(isFloat32, mean);
    }
    addUp(call, pair, k, slots, isFloat32);
    for (let j = 0; j < block.columns; j++) {
      const count = counts[j % counts.length]!;
      if (count === 0) continue;
      const group = groups[block.column + j]!;
      const sums = { S: fold(slots.first, block.columns, j), Q: fold(slots.second, block.columns, j) };
      const own = columnMoments(call, pair, j, count, group.count === 0, k[j]!, sums);
      groups[block.column + j] = merge(group, own);
    }
  };
}

/** The moments of all columns by groups, before they are merged. */
export function momentsByGroup(control: Control, x: Floats, w: Floats | null): Moments[][] {
  return statesByGroup(control, { empty: EMPTY, addBlock: blockAdder(control, x, w) });
}

/** The kernel: with weights, also Σw as the header's `count`. */
export function moments(control: Control, x: Floats, w: Floats | null): void {
  const { fields } = control;
  reduce(control, { empty: EMPTY, merge, addBlock: blockAdder(control, x, w) }).forEach(({ count, mean, m2 }, c) => {
    fields.mean[c] = mean;
    fields.m2[c] = m2;
    if (w) control.set("count", count);
  });
}
