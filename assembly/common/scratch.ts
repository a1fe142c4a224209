// The control block's scratch arrays: slots of blocks, panels and tiles, and the folding of lanes (contract, clause
// 1).
import { Block, ROWS_COLUMNS } from "./blocks";
import { header } from "./control";
import { LANES, Traversal } from "./layout";
import { readPair, spread, storePair } from "./vec";

/** Scratch array `index`. */
@inline
export function scratchArray(index: usize): usize {
  return header.scratch + index * header.scratchStride;
}

/** Where the slots of panels and tiles begin: behind what 16 columns use that are summed again. */
export const PANEL_BYTES: usize = ROWS_COLUMNS << 3;

/** The slot of the block's first column among those of its panel, or of its tile, whose channels have 16 each. */
export function firstSlot(b: Block): usize {
  return header.traversal == Traversal.rows ? b.column : (b.column - b.channel) * LANES;
}

/** The address of a slot of a panel or a tile. */
@inline
export function panelSlot(index: usize, slot: usize): usize {
  return scratchArray(index) + PANEL_BYTES + slot * header.size;
}

/** Writes `count` float64 as slots of `size` bytes: each `inner` times, all that `repeats` times. */
export function expand(values: usize, slots: usize, count: usize, inner: usize, repeats: usize, size: usize): void {
  for (; repeats; repeats--) {
    let p = values;
    const end = values + (count << 3);
    if (inner == 1) {
      for (const stop = values + ((count & ~1) << 3); p < stop; p += 16, slots += 2 * size) {
        storePair(slots, v128.load(p), size);
      }
    }
    for (; p < end; p += 8) {
      const value = load<f64>(p);
      for (const stop = slots + inner * size; slots < stop; slots += size) {
        if (size == 4) store<f32>(slots, <f32>value);
        else store<f64>(slots, value);
      }
    }
  }
}

/** Writes a value for each of the block's columns to all its slots. */
export function spreadColumns(b: Block, values: usize, slots: usize, size: usize): void {
  // One column's in whole vectors: loads of vectors would wait for stores of single values.
  if (b.columns == 1) spread(slots, load<f64>(values), LANES * size, size);
  else expand(values, slots, b.columns, 1, b.lanes, size);
}

/** Slots i and i + 1. */
@inline
function pair<T>(slots: usize, i: usize): v128 {
  return readPair(slots + i * sizeof<T>(), sizeof<T>());
}

/** The fold of one column's 16 lanes, in registers. What is stored behind the sum is no sum. */
function foldLanes<T>(slots: usize, sum: usize): void {
  const a0 = f64x2.add(pair<T>(slots, 0), pair<T>(slots, 8)), a1 = f64x2.add(pair<T>(slots, 2), pair<T>(slots, 10));
  const a2 = f64x2.add(pair<T>(slots, 4), pair<T>(slots, 12)), a3 = f64x2.add(pair<T>(slots, 6), pair<T>(slots, 14));
  const b = f64x2.add(f64x2.add(a0, a2), f64x2.add(a1, a3));
  v128.store(sum, f64x2.add(b, v128.shuffle<i64>(b, b, 1, 0)));
}

/** Widens the slots, of `size` bytes, to float64 and adds the lanes pairwise, +8, +4, +2, +1: `sums`[column]. */
export function fold(b: Block, slots: usize, sums: usize, size: usize): void {
  if (b.slots == LANES && b.lanes == LANES) {
    if (size == 4) foldLanes<f32>(slots, sums);
    else foldLanes<f64>(slots, sums);
    return;
  }
  if (b.lanes == 1) {
    for (let j: usize = 0; j < ROWS_COLUMNS; j += 2) v128.store(sums + (j << 3), readPair(slots + j * size, size));
    return;
  }
  const columns = b.columns, half = columns << 3;
  for (let j: usize = 0; j < half; j += 2) {
    const low = readPair(slots + j * size, size), high = readPair(slots + (j + half) * size, size);
    v128.store(sums + (j << 3), f64x2.add(low, high));
  }
  for (let width = half >> 1; width > columns; width >>= 1) {
    for (let p = sums, end = sums + (width << 3); p < end; p += 16) {
      v128.store(p, f64x2.add(v128.load(p), v128.load(p + (width << 3))));
    }
  }
  for (let p = sums, end = sums + (columns << 3); p < end; p += 8) {
    store<f64>(p, load<f64>(p) + load<f64>(p + (columns << 3)));
  }
}
