// Sums of gradients of one block: all its columns at once (contract, clause 4).
import { Mask, inputOf, maskGrads, masked } from "../elements/affine";
import { Block, LANES } from "./blocks";
import { Walk, header } from "./control";
import { firstSlot, fold, panelSlot, scratchArray } from "./scratch";
import { clear, finite, laneMask, pairMask, read, stripWidth, widen } from "./vec";

/** Scratch arrays; the three before them hold the expanded center, scale and shift. */
export const enum Scratch { s = 3, u, sums }
const SUM_U: usize = 128 << 3; // in `sums`, behind Σg: folding 240 slots needs 120

/** s[slot] += Σg, u[slot] += Σg·d over one strip of `rows` rows of a run, d = x − center; g is `toG` from x. */
function stripGradSums<T, A>(
  b: Block, x: usize, toG: usize, rows: usize, end: usize, strip: usize, c: usize, s: usize, u: usize,
): void {
  const c0 = widen<T, A>(read<T, A>(c, 0)), c1 = widen<T, A>(read<T, A>(c, 1));
  const c2 = widen<T, A>(read<T, A>(c, 2)), c3 = widen<T, A>(read<T, A>(c, 3));
  const tail = <i32>max<isize>(0, min<isize>(end - strip, stripWidth<A>()));
  const stride = b.stride, bytes = rows * stride;
  let s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
  let u0 = v128.load(u), u1 = v128.load(u, 16), u2 = v128.load(u, 32), u3 = v128.load(u, 48);
  const first = x + strip * sizeof<T>(), last = first + bytes, stop = tail ? last + stride : last;
  for (let p = first; p < stop; p += stride) {
    const g = p + toG;
    let g0 = widen<T, A>(read<T, A>(g, 0)), g1 = widen<T, A>(read<T, A>(g, 1));
    let g2 = widen<T, A>(read<T, A>(g, 2)), g3 = widen<T, A>(read<T, A>(g, 3));
    let d0 = v128.sub<A>(widen<T, A>(read<T, A>(p, 0)), c0), d1 = v128.sub<A>(widen<T, A>(read<T, A>(p, 1)), c1);
    let d2 = v128.sub<A>(widen<T, A>(read<T, A>(p, 2)), c2), d3 = v128.sub<A>(widen<T, A>(read<T, A>(p, 3)), c3);
    if (p == last) { // g and d are 0 past the tail
      const m0 = laneMask<A>(0, tail), m1 = laneMask<A>(1, tail);
      const m2 = laneMask<A>(2, tail), m3 = laneMask<A>(3, tail);
      g0 = v128.and(g0, m0); g1 = v128.and(g1, m1); g2 = v128.and(g2, m2); g3 = v128.and(g3, m3);
      d0 = v128.and(d0, m0); d1 = v128.and(d1, m1); d2 = v128.and(d2, m2); d3 = v128.and(d3, m3);
    }
    s0 = v128.add<A>(s0, g0); u0 = v128.add<A>(u0, v128.mul<A>(g0, d0));
    s1 = v128.add<A>(s1, g1); u1 = v128.add<A>(u1, v128.mul<A>(g1, d1));
    s2 = v128.add<A>(s2, g2); u2 = v128.add<A>(u2, v128.mul<A>(g2, d2));
    s3 = v128.add<A>(s3, g3); u3 = v128.add<A>(u3, v128.mul<A>(g3, d3));
  }
  v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
  v128.store(u, u0); v128.store(u, u1, 16); v128.store(u, u2, 32); v128.store(u, u3, 48);
}

/** All strips of `rows` rows of a run and a last one of `tail` slots, to the slots at s and u. */
function stripsGradSums<T, A>(
  b: Block, x: usize, g: usize, rows: usize, tail: usize, s: usize, u: usize,
): void {
  const c = scratchArray(0) + firstSlot(b) * sizeof<T>();
  for (let strip: usize = 0; strip < b.slots; strip += stripWidth<A>()) {
    const at = strip * sizeof<A>();
    stripGradSums<T, A>(b, x, g - x, rows, tail, strip, c + strip * sizeof<T>(), s + at, u + at);
  }
}

/** Masks the gradients of `rows` rows of a run and of `tail` slots below; of a plane at once, else row by row. */
function maskRows<T>(
  b: Block, mask: Mask, x: usize, toDy: usize, toAux: usize, rows: usize, tail: usize,
): void {
  const stride = b.stride, cs = header.scratchStride, rest = tail * sizeof<T>(), slots = b.slots * sizeof<T>();
  const c = scratchArray(0) + firstSlot(b) * sizeof<T>();
  if (header.walk == Walk.planes) {
    return maskGrads<T>(mask, x, x + toDy, x + toAux, masked, rows * stride + rest, c, cs, 0);
  }
  for (let r: usize = 0; r < rows + (tail ? 1 : 0); r++, x += stride) {
    maskGrads<T>(mask, x, x + toDy, x + toAux, masked + r * stride, r < rows ? slots : rest, c, cs, 1);
  }
}

/** The sums of one run with masked gradients: of a plane at once, of rows one or a few at a time. */
function maskedGradSums<T, A>(b: Block, mask: Mask, x: usize, toDy: usize, toAux: usize, s: usize, u: usize): void {
  const step = header.walk == Walk.planes ? b.rows : header.walk == Walk.rows ? 1 : 8;
  let row: usize = 0;
  do {
    const rows = min(step, b.rows - row), tail = row + rows == b.rows ? b.tail : 0;
    maskRows<T>(b, mask, x, toDy, toAux, rows, tail);
    stripsGradSums<T, A>(b, inputOf(x, masked), masked, rows, tail, s, u);
    row += rows;
    x += rows * b.stride;
  } while (row < b.rows);
}

function foldSums<A>(b: Block, s: usize, u: usize): void {
  const sums = scratchArray(Scratch.sums);
  fold<A>(b, s, sums);
  fold<A>(b, u, sums + SUM_U);
}

/** Σg and Σg·d of a run of the block, to the slots at s and u. */
function addRun<T, A>(b: Block, mask: Mask, x: usize, toDy: usize, toAux: usize, s: usize, u: usize): void {
  if (mask == Mask.none) stripsGradSums<T, A>(b, x, x + toDy, b.rows, b.tail, s, u);
  else maskedGradSums<T, A>(b, mask, x, toDy, toAux, s, u);
}

/** Σg and Σg·d of the block's columns, folded. */
function blockSums<T, A>(b: Block, mask: Mask, x: usize, dy: usize, aux: usize): void {
  const s = scratchArray(Scratch.s), u = scratchArray(Scratch.u), toDy = dy - x, toAux = aux - x;
  clear(s, b.slots * sizeof<A>());
  clear(u, b.slots * sizeof<A>());
  for (let left = b.runs; left; left--, x += b.runStride) addRun<T, A>(b, mask, x, toDy, toAux, s, u);
  foldSums<A>(b, s, u);
}

/** Σg and Σg·d of a block of `channels` channels of the planes walk, left in their slots. */
export function sumTile<T>(b: Block, channels: usize, mask: Mask, x: usize, dy: usize, aux: usize): void {
  const slots = LANES * sizeof<T>(), run = header.inner * sizeof<T>();
  const s = panelSlot(Scratch.s, 0), toU = panelSlot(Scratch.u, 0) - s, toDy = dy - x, toAux = aux - x;
  clear(s, channels * slots);
  clear(s + toU, channels * slots);
  for (let left = b.runs; left; left--, x += b.runStride) {
    let p = x, slot = s;
    for (const end = s + channels * slots; slot < end; slot += slots, p += run, b.column++) {
      addRun<T, T>(b, mask, p, toDy, toAux, slot, slot + toU);
    }
    b.column = b.channel;
  }
}

/**
 * Adds the sums of the `pending` columns (bits) to their groups, two at a time. Returns those that are lost, because
 * `single` sums, float32, are not finite.
 */
function finish(b: Block, group: usize, pending: u32, single: bool): u32 {
  const toU = header.columns << 3;
  let sums = scratchArray(Scratch.sums), lost: u32 = 0;
  for (let column: usize = 0; column < b.columns; column += 2, group += 16, sums += 16) {
    const S = v128.load(sums), U = v128.load(sums, SUM_U), wanted = pairMask(pending >> <u32>column);
    const good = single ? v128.and(v128.and(finite(S), finite(U)), wanted) : wanted;
    lost |= i64x2.bitmask(v128.xor(wanted, good)) << <u32>column;
    const oldS = v128.load(group), oldU = v128.load(group + toU);
    v128.store(group, v128.bitselect(f64x2.add(oldS, S), oldS, good));
    v128.store(group + toU, v128.bitselect(f64x2.add(oldU, U), oldU, good));
  }
  return lost;
}

/** Adds the block to the groups of its columns; for float32, sums that are not finite are redone in float64. */
export function blockGradSums<T>(b: Block, mask: Mask, x: usize, dy: usize, aux: usize, group: usize): void {
  const slot = firstSlot(b);
  if (header.walk == Walk.fewColumns) blockSums<T, T>(b, mask, x, dy, aux);
  else foldSums<T>(b, panelSlot(Scratch.s, slot), panelSlot(Scratch.u, slot));
  const lost = finish(b, group, (1 << <u32>b.columns) - 1, sizeof<T>() == 4);
  if (sizeof<T>() == 4) {
    if (!lost) return;
    blockSums<T, f64>(b, mask, x, dy, aux);
    finish(b, group, lost, false);
  }
}
