// Clause 1 of the contract for the oracle: blocks, their slots, and the fold of a column's lanes into one float64.
import { BLOCK, BLOCK_ROWS, Walk, columnsOf, type Control } from "../../kernels/control.js";
import type { Floats } from "../../base/types.js";

export const LANES = 16;

/**
 * A block of `columns` columns from `column` on: `runs` runs of `length` values, `stride` apart. Value e of a run
 * goes to slot e mod (lanes·columns); slot lane·columns + j is that lane of the j-th column.
 */
export interface Block {
  readonly column: number;
  readonly columns: number;
  readonly lanes: number;
  readonly start: number;
  readonly runs: number;
  readonly runStride: number;
  readonly length: number;
  readonly stride: number;
}

/** Lanes of a column (clause 1). */
function lanesOf(walk: Walk): number {
  return walk === Walk.rows ? 1 : LANES;
}

/** Slots of a block. */
export function widthOf({ extent, walk }: Control): number {
  return walk === Walk.planes ? LANES : lanesOf(walk) * columnsOf(extent, walk);
}

/** How many passes over the blocks there are: one a channel in the planes walk, else one of all columns. */
export function passesOf({ extent, walk }: Control): number {
  return walk === Walk.planes ? extent.channels : 1;
}

/** Two sums for every slot of a block. */
export interface Slots {
  readonly first: Float64Array;
  readonly second: Float64Array;
}

export function slotsOf(width: number): Slots {
  return { first: new Float64Array(width), second: new Float64Array(width) };
}

/** Values of one column. */
export function countOf({ runs, length, columns }: Block): number {
  return (runs * length) / columns;
}

/** Clause 1: the blocks in memory order; in the planes walk of one channel, otherwise of all columns side by side. */
export function* blocksOf({ extent, walk }: Control, channel: number): Generator<Block> {
  const { outer, channels, inner } = extent;
  if (walk === Walk.planes) {
    const runStride = channels * inner;
    const runsPerBlock = Math.max(1, Math.floor(BLOCK / inner));
    for (let o = 0; o < outer; o += runsPerBlock) {
      const runs = Math.min(runsPerBlock, outer - o);
      for (let i = 0; i < inner; i += BLOCK) {
        const start = (o * channels + channel) * inner + i;
        const length = Math.min(BLOCK, inner - i);
        yield { column: channel, columns: 1, lanes: LANES, start, runs, runStride, length, stride: 1 };
      }
    }
  } else {
    const columns = columnsOf(extent, walk);
    const rows = walk === Walk.rows ? BLOCK_ROWS : BLOCK;
    const lanes = lanesOf(walk);
    for (let r = 0; r < outer; r += rows) {
      const length = Math.min(rows, outer - r) * columns;
      yield { column: 0, columns, lanes, start: r * columns, runs: 1, runStride: 0, length, stride: 1 };
    }
  }
}

/** The j-th column of a block by itself. */
export function columnOf(block: Block, j: number): Block {
  const { column, columns, start, length, stride } = block;
  if (columns === 1) return block;
  const alone = { column: column + j, columns: 1, start: start + j, length: length / columns };
  return { ...block, ...alone, stride: stride * columns };
}

/**
 * Values that stand for a block of one column: 16 spread evenly over it, or the next smaller power of two that it
 * has. A power of two, so that the mean of equal values is exact.
 */
export function sampleOf(block: Block, x: Floats): Float64Array {
  const { start, runs, runStride, length, stride } = block;
  const count = runs * length;
  let samples = LANES;
  while (samples > count) samples /= 2;
  const values = new Float64Array(samples);
  for (let j = 0; j < samples; j++) {
    const i = Math.floor((j * count) / samples);
    values[j] = x[start + Math.floor(i / length) * runStride + (i % length) * stride]!;
  }
  return values;
}

/** Adds the lanes of the j-th of `columns` columns pairwise, in place: of 16, t[j] += t[j+8], then +4, +2, +1. */
export function fold(slots: Float64Array, columns: number, j: number): number {
  for (let width = slots.length / 2; width >= columns; width /= 2) {
    for (let slot = j; slot < width; slot += columns) slots[slot]! += slots[slot + width]!;
  }
  return slots[j]!;
}
