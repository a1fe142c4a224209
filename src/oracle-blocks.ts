// Clause 1 of the contract for the oracle: blocks, lanes, and the fold of lanes into one float64.
import { BLOCK, BLOCK_ROWS, Walk, columnsOf, type Control } from "./control.js";
import type { Data } from "./types.js";

const LANES = 16;

/**
 * A block of one column: `runs` runs of `length` values. Value i of a run is in lane i mod `lanes`
 * of the 16; where `lanes` is 1 the column has one accumulator and the fold adds zeros.
 */
export interface Block {
  readonly start: number;
  readonly runs: number;
  readonly runStride: number;
  readonly length: number;
  readonly stride: number;
  readonly lanes: number;
}

/** Clause 1: the blocks of one column, in memory order. */
export function* blocksOf({ extent, walk }: Control, column: number): Generator<Block> {
  const { outer, channels, inner } = extent;
  if (walk === Walk.planes) {
    const runStride = channels * inner;
    const runsPerBlock = Math.max(1, Math.floor(BLOCK / inner));
    for (let o = 0; o < outer; o += runsPerBlock) {
      const runs = Math.min(runsPerBlock, outer - o);
      for (let i = 0; i < inner; i += BLOCK) {
        const start = (o * channels + column) * inner + i;
        yield { start, runs, runStride, length: Math.min(BLOCK, inner - i), stride: 1, lanes: LANES };
      }
    }
  } else {
    const stride = channels * inner;
    const rows = walk === Walk.rows ? BLOCK_ROWS : BLOCK;
    const lanes = walk === Walk.rows ? 1 : LANES;
    for (let r = 0; r < outer; r += rows) {
      yield { start: r * stride + column, runs: 1, runStride: 0, length: Math.min(rows, outer - r), stride, lanes };
    }
  }
}

/** The element's position and lane, for every value of the block in order. */
export function eachValue(block: Block, visit: (position: number, lane: number) => void): void {
  for (let run = 0; run < block.runs; run++) {
    const start = block.start + run * block.runStride;
    for (let i = 0; i < block.length; i++) visit(start + i * block.stride, i % block.lanes);
  }
}

/**
 * Values that stand for a block: 16 spread evenly over it, or the next smaller power of two that it has. A
 * power of two, so that the mean of equal values is exact.
 */
export function sampleOf({ start, runs, runStride, length, stride }: Block, x: Data): number[] {
  const count = runs * length;
  let samples = LANES;
  while (samples > count) samples /= 2;
  return Array.from({ length: samples }, (_, j) => {
    const i = Math.floor((j * count) / samples);
    return x[start + Math.floor(i / length) * runStride + (i % length) * stride]!;
  });
}

/** 16 accumulators that round each addition to their own type. */
export function lanesOf(control: Control, wide: boolean): Data {
  return control.dtype === "float32" && !wide ? new Float32Array(LANES) : new Float64Array(LANES);
}

/** Widens the lanes to float64 and adds them pairwise: of 16, t[j] += t[j+8], then +4, +2, +1. */
export function fold(lanes: ArrayLike<number>): number {
  const t = Float64Array.from(lanes);
  for (let width = t.length / 2; width >= 1; width /= 2) {
    for (let j = 0; j < width; j++) t[j]! += t[j + width]!;
  }
  return t[0]!;
}

/** Results of the columns of each channel, in column order: `visit(channel, column)`. */
export function eachColumn({ extent, walk }: Control, visit: (channel: number, column: number) => void): void {
  const perChannel = walk === Walk.planes ? 1 : extent.inner;
  for (let column = 0; column < columnsOf(extent, walk); column++) visit(Math.floor(column / perChannel), column);
}
