// Moments of one block: all its columns at once (contract, clauses 2 and 6).
import { takeTile } from "../planes/moments";
import { takePanel } from "../rows/moments";
import { Block } from "./blocks";
import { header } from "./control";
import { Traversal } from "./layout";
import { scratchArray, spreadColumns } from "./scratch";
import { shiftedSums } from "./shiftedSums";
import { RESULT_STEP, Scratch, firstShifts, opens } from "./shifts";
import { finite, pairMask, roundPair } from "./vec";
import { countColumns } from "./weightSums";

/** 2^-120: below n times that a float32 Σd² may have lost bits to underflow. */
const TINY: f64 = 7.52316384526264e-37;

/** The sums of two columns that float32 lost: they overflowed, or may have lost bits to underflow. */
@inline
function lostSums(S: v128, Q: v128, W: v128, tiny: v128): v128 {
  const zero = f64x2.splat(0), nothing = v128.and(f64x2.eq(S, zero), f64x2.eq(Q, zero));
  const small = v128.or(v128.andnot(f64x2.lt(Q, tiny), nothing), f64x2.lt(W, tiny));
  return v128.or(small, v128.not(v128.and(finite(S), finite(Q))));
}

/**
 * Results of the `pending` columns (bits) from their sums, two at a time. Returns those that need another attempt: in
 * the low half, with their new shifts, the second pass; in the high half the escape, which only sums in float32 have.
 */
function finish(b: Block, w: usize, group: usize, pending: u32, final: bool, size: usize): u32 {
  const count = f64x2.splat(b.count), tiny = f64x2.splat(b.count * TINY), zero = f64x2.splat(0);
  let k = scratchArray(Scratch.columns), again: u32 = 0;
  const toS = scratchArray(Scratch.sumS) - k, toQ = scratchArray(Scratch.sumQ) - k;
  for (let column: usize = 0; column < b.columns; column += 2, k += 16, group += 16) {
    const S = v128.load(k + toS), Q = v128.load(k + toQ), shift = v128.load(k);
    let W = count, wanted = pairMask(pending >> <u32>column);
    if (w) {
      W = v128.load(k, 3 * RESULT_STEP);
      wanted = v128.and(wanted, f64x2.ne(W, zero));
    }
    const u = f64x2.div(S, W), e = f64x2.mul(S, u), m2 = f64x2.sub(Q, e), mean = f64x2.add(shift, u);
    let lost = zero;
    if (size == 4) {
      lost = v128.and(lostSums(S, Q, W, tiny), wanted);
      again |= i64x2.bitmask(lost) << (<u32>column + 16);
    }
    if (!final) {
      let far = v128.andnot(v128.and(f64x2.gt(e, f64x2.mul(f64x2.splat(0.5), m2)), wanted), lost);
      if (w) far = v128.and(far, opens(group));
      again |= i64x2.bitmask(far) << <u32>column;
      v128.store(k, v128.bitselect(roundPair(mean, header.size), shift, far));
    }
    v128.store(k, v128.bitselect(mean, v128.load(k, RESULT_STEP), wanted), RESULT_STEP);
    const clamped = v128.andnot(m2, f64x2.lt(m2, zero));
    v128.store(k, v128.bitselect(clamped, v128.load(k, 2 * RESULT_STEP), wanted), 2 * RESULT_STEP);
  }
  return again;
}

/** The sums of a block by itself around its shifts, computed with values of `size` bytes. */
function sumBlock(b: Block, x: usize, w: usize, size: usize): void {
  spreadColumns(b, scratchArray(Scratch.columns), scratchArray(Scratch.shifts), size);
  shiftedSums(b, x, w, size);
}

/** Clause 2: the second pass and, for float32, the escape redo only the columns that need them. */
export function blockMoments(b: Block, x: usize, w: usize, group: usize, first: bool): void {
  const size = header.size, final = !w && !first;
  if (w) countColumns(b);
  if (header.traversal == Traversal.rows) {
    takePanel(b);
  } else if (header.traversal == Traversal.planes && !w) {
    takeTile(b);
  } else {
    firstShifts(b, x, w, group, first);
    sumBlock(b, x, w, size);
  }
  const again = finish(b, w, group, (1 << <u32>b.columns) - 1, final, size);
  let escaped = again >> 16;
  if (again & 0xffff) {
    sumBlock(b, x, w, size);
    escaped |= finish(b, w, group, again & 0xffff, true, size) >> 16;
  }
  if (!escaped) return;
  firstShifts(b, x, w, group, first);
  for (let last = final; escaped; last = true) {
    sumBlock(b, x, w, 8);
    escaped = finish(b, w, group, escaped, last, 8);
  }
}
