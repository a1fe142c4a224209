// Sums of gradients of one block: all its columns at once (contract, clause 5).
import { Mask } from "../elements/mask";
import { Block } from "./blocks";
import { wideCenter } from "./buffers";
import { header, stateStride } from "./control";
import { Traversal } from "./layout";
import { Scratch, addGradRun, centersOf } from "./gradRuns";
import { firstSlot, fold, panelSlot, scratchArray } from "./scratch";
import { widenRows } from "./shiftedSums";
import { clear, finite, pairMask } from "./vec";

/** Where the folded Σg·d stand in `sums`, behind Σg: folding 240 slots needs 120 of them. */
const SUM_U: usize = 128 << 3;

function foldSums(b: Block, s: usize, u: usize, size: usize): void {
  const sums = scratchArray(Scratch.sums);
  fold(b, s, sums, size);
  fold(b, u, sums + SUM_U, size);
}

/** Σg and Σg·d of the block's columns by themselves, folded; computed with values of `size` bytes. */
function sumBlock(b: Block, mask: Mask, x: usize, toDy: usize, toMask: usize, size: usize): void {
  const s = scratchArray(Scratch.s), u = scratchArray(Scratch.u), wide = size != header.size;
  if (wide) widenRows(centersOf(b), 0, b.slots, 1, 0, wideCenter());
  clear(s, b.slots * size);
  clear(u, b.slots * size);
  for (let left = b.runs; left; left--, x += b.runStride) addGradRun(b, mask, x, toDy, toMask, s, u, wide);
  foldSums(b, s, u, size);
}

/**
 * Adds the sums of the `pending` columns (bits) to their groups, two at a time. Returns those that are lost, because
 * sums in float32 are not finite.
 */
function finish(b: Block, group: usize, pending: u32, size: usize): u32 {
  const toU = stateStride();
  let sums = scratchArray(Scratch.sums), lost: u32 = 0;
  for (let column: usize = 0; column < b.columns; column += 2, group += 16, sums += 16) {
    const S = v128.load(sums), U = v128.load(sums, SUM_U), wanted = pairMask(pending >> <u32>column);
    const good = size == 4 ? v128.and(v128.and(finite(S), finite(U)), wanted) : wanted;
    lost |= i64x2.bitmask(v128.xor(wanted, good)) << <u32>column;
    const oldS = v128.load(group), oldU = v128.load(group + toU);
    v128.store(group, v128.bitselect(f64x2.add(oldS, S), oldS, good));
    v128.store(group + toU, v128.bitselect(f64x2.add(oldU, U), oldU, good));
  }
  return lost;
}

/** Adds the block to the groups of its columns. Sums in float32 that are not finite are made once more in float64. */
export function blockGradSums(b: Block, mask: Mask, x: usize, toDy: usize, toMask: usize, group: usize): void {
  const slot = firstSlot(b), size = header.size;
  if (header.traversal == Traversal.fewColumns) sumBlock(b, mask, x, toDy, toMask, size);
  else foldSums(b, panelSlot(Scratch.s, slot), panelSlot(Scratch.u, slot), size);
  const lost = finish(b, group, (1 << <u32>b.columns) - 1, size);
  if (!lost) return;
  sumBlock(b, mask, x, toDy, toMask, 8);
  finish(b, group, lost, 8);
}
