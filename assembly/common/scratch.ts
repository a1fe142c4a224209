// The control block's scratch arrays: slots of blocks and panels, and the folding of lanes (contract, clause 1).
import { Block, LANES, ROWS_COLUMNS } from "./blocks";
import { Walk, header } from "./control";
import { read, widen } from "./vec";

/** Scratch array `index`. */
@inline
export function scratchArray(index: usize): usize {
  return header.scratch + index * header.scratchStride;
}

/** Where the slots of panels and tiles begin: past what a strip of 16 columns uses. */
export const PANEL_BYTES: usize = ROWS_COLUMNS << 3;

/** The slot of the block's first column among those of its panel, or of its tile, whose channels have 16 each. */
export function firstSlot(b: Block): usize {
  return header.walk == Walk.rows ? b.column : (b.column - b.channel) * LANES;
}

/** A column's slot in a scratch array of its panel, or one of a tile's. */
@inline
export function panelSlot(index: usize, column: usize): usize {
  return scratchArray(index) + PANEL_BYTES + column * header.size;
}

/** Two slots from slot 2·`i` on, as float64. */
@inline
function pair<A>(slots: usize, i: usize): v128 {
  return widen<A, f64>(read<A, f64>(slots + 2 * i * sizeof<A>(), 0));
}

/** The fold of one column's 16 lanes, in registers; what is stored behind the sum is no sum. */
function foldLanes<A>(slots: usize, sum: usize): void {
  const a0 = f64x2.add(pair<A>(slots, 0), pair<A>(slots, 4)), a1 = f64x2.add(pair<A>(slots, 1), pair<A>(slots, 5));
  const a2 = f64x2.add(pair<A>(slots, 2), pair<A>(slots, 6)), a3 = f64x2.add(pair<A>(slots, 3), pair<A>(slots, 7));
  const b = f64x2.add(f64x2.add(a0, a2), f64x2.add(a1, a3));
  v128.store(sum, f64x2.add(b, v128.shuffle<i64>(b, b, 1, 0)));
}

/** Widens the slots of type A to float64 and adds the lanes pairwise, +8, +4, +2, +1: `sums`[column]. */
export function fold<A>(b: Block, slots: usize, sums: usize): void {
  if (b.slots == LANES && b.lanes == LANES) return foldLanes<A>(slots, sums);
  const columns = b.columns, half: usize = b.lanes == 1 ? 0 : columns << 3;
  for (let j: usize = 0, end: usize = half ? half : ROWS_COLUMNS; j < end; j += 2) {
    const low = widen<A, f64>(read<A, f64>(slots + j * sizeof<A>(), 0));
    const high = half ? widen<A, f64>(read<A, f64>(slots + (j + half) * sizeof<A>(), 0)) : f64x2.splat(0);
    v128.store(sums + (j << 3), f64x2.add(low, high));
  }
  for (let width = half >> 1; width > columns; width >>= 1) {
    for (let p = sums, end = sums + (width << 3); p < end; p += 16) {
      v128.store(p, f64x2.add(v128.load(p), v128.load(p + (width << 3))));
    }
  }
  if (!half) return;
  for (let p = sums, end = sums + (columns << 3); p < end; p += 8) {
    store<f64>(p, load<f64>(p) + load<f64>(p + (columns << 3)));
  }
}
