// The sums W of a block's weights (contract, clause 2).
import { Block } from "./blocks";
import { CACHED, weightCache, weightSums } from "./buffers";
import { header } from "./control";
import { scratchArray } from "./scratch";
import { shiftedSums } from "./shiftedSums";
import { Scratch, blockResults, RESULT_STEP } from "./shifts";
import { clear } from "./vec";
import { weightBlock } from "./weights";

/**
 * Sums weights as values are summed around 0, with values of `size` bytes. Sums in float64 replace those in float32
 * that are not finite. Returns whether all were finite.
 */
function sumWeights(own: Block, w: usize, size: usize): bool {
  const sums = scratchArray(Scratch.sumS), bytes = own.columns << 3;
  clear(scratchArray(Scratch.shifts), own.slots * size);
  shiftedSums(own, w, 0, size);
  let all = true;
  for (let at: usize = 0; at < bytes; at += 8) {
    const sum = load<f64>(sums + at);
    if (size == header.size || !isFinite(load<f64>(weightSums() + at))) store<f64>(weightSums() + at, sum);
    if (!isFinite(sum)) all = false;
  }
  return all;
}

/**
 * Sums the weights of a block, at the first of its columns. Those of a first tile's blocks are kept for the other
 * tiles.
 */
export function weighBlock(b: Block, w: usize): void {
  if (b.column != b.channel) return;
  const index = b.number - b.begin, cached = weightCache() + (index << 3);
  if (b.channel && index < CACHED) return store<f64>(weightSums(), load<f64>(cached));
  const own = weightBlock(b);
  if (!sumWeights(own, w, header.size) && header.size == 4) sumWeights(own, w, 8);
  if (index < CACHED) store<f64>(cached, load<f64>(weightSums()));
}

/** Leaves the counts of the block's columns among its results. */
export function countColumns(b: Block): void {
  const counts = blockResults() + 2 * RESULT_STEP;
  for (let j: usize = 0; j < b.columns; j++) {
    store<f64>(counts + (j << 3), load<f64>(weightSums() + ((b.column + j) % header.columnsPerChannel << 3)));
  }
}
