// Σg and Σg·d of one run of a block (contract, clause 5). Gradients are masked, and in the escape widened to float64,
// a piece of the run at a time.
import { Mask, inputOf, maskGrads } from "../elements/mask";
import { Block } from "./blocks";
import { ROWS, masked, wideCenter, wideG, wideX } from "./buffers";
import { header } from "./control";
import { Traversal } from "./layout";
import { firstSlot, scratchArray } from "./scratch";
import { widenRows } from "./shiftedSums";
import { laneMask, stripWidth } from "./vec";

/** Scratch arrays. The three before them hold the expanded center, scale and shift. */
export const enum Scratch { s = 3, u, sums }

/**
 * s[slot] += Σg, u[slot] += Σg·d over one strip of a run, d = x − center: of `bytes` bytes of rows, `stride` apart,
 * and of `tail` lanes of one more. The gradients are `toG` from x.
 */
export function addStrip<T>(
  x: usize, toG: usize, bytes: usize, stride: usize, tail: i32, c: usize, s: usize, u: usize,
): void {
  const c0 = v128.load(c), c1 = v128.load(c, 16), c2 = v128.load(c, 32), c3 = v128.load(c, 48);
  let s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
  let u0 = v128.load(u), u1 = v128.load(u, 16), u2 = v128.load(u, 32), u3 = v128.load(u, 48);
  const last = x + bytes, stop = tail > 0 ? last + stride : last;
  for (let p = x; p < stop; p += stride) {
    const g = p + toG;
    let g0 = v128.load(g), g1 = v128.load(g, 16), g2 = v128.load(g, 32), g3 = v128.load(g, 48);
    let d0 = v128.sub<T>(v128.load(p), c0), d1 = v128.sub<T>(v128.load(p, 16), c1);
    let d2 = v128.sub<T>(v128.load(p, 32), c2), d3 = v128.sub<T>(v128.load(p, 48), c3);
    if (p == last) { // g and d are 0 past the tail
      const m0 = laneMask<T>(0, tail), m1 = laneMask<T>(1, tail);
      const m2 = laneMask<T>(2, tail), m3 = laneMask<T>(3, tail);
      g0 = v128.and(g0, m0); g1 = v128.and(g1, m1); g2 = v128.and(g2, m2); g3 = v128.and(g3, m3);
      d0 = v128.and(d0, m0); d1 = v128.and(d1, m1); d2 = v128.and(d2, m2); d3 = v128.and(d3, m3);
    }
    s0 = v128.add<T>(s0, g0); u0 = v128.add<T>(u0, v128.mul<T>(g0, d0));
    s1 = v128.add<T>(s1, g1); u1 = v128.add<T>(u1, v128.mul<T>(g1, d1));
    s2 = v128.add<T>(s2, g2); u2 = v128.add<T>(u2, v128.mul<T>(g2, d2));
    s3 = v128.add<T>(s3, g3); u3 = v128.add<T>(u3, v128.mul<T>(g3, d3));
  }
  v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
  v128.store(u, u0); v128.store(u, u1, 16); v128.store(u, u2, 32); v128.store(u, u3, 48);
}

/** All strips of `rows` rows of slots, and of `tail` slots more. */
function addStrips<T>(
  b: Block, x: usize, toG: usize, rows: usize, stride: usize, tail: usize, c: usize, s: usize, u: usize,
): void {
  const bytes = rows * stride, strip = 64;
  let left = <i32>tail;
  for (const end = s + b.slots * sizeof<T>(); s < end; s += strip, u += strip, c += strip, x += strip) {
    addStrip<T>(x, toG, bytes, stride, min(left, <i32>stripWidth<T>()), c, s, u);
    left -= <i32>stripWidth<T>();
  }
}

/** The expanded centers of the block's slots. */
export function centersOf(b: Block): usize {
  return scratchArray(0) + firstSlot(b) * header.size;
}

/** Masks the gradients of `rows` rows of slots and of `tail` slots below: of a plane at once, else row by row. */
function maskRows(b: Block, mask: Mask, x: usize, toDy: usize, toMask: usize, rows: usize, tail: usize): void {
  const stride = b.stride, arrays = header.scratchStride, size = header.size, c = centersOf(b);
  if (header.traversal == Traversal.planes) {
    return maskGrads(mask, x, x + toDy, x + toMask, masked(), rows * stride + tail * size, c, arrays, 0);
  }
  for (let row: usize = 0, g = masked(); row < rows + (tail ? 1 : 0); row++, x += stride, g += stride) {
    maskGrads(mask, x, x + toDy, x + toMask, g, (row < rows ? b.slots : tail) * size, c, arrays, 1);
  }
}

/** The strips of a piece of a run: of the type of the data, or widened. */
@inline
function addPiece(b: Block, x: usize, g: usize, rows: usize, tail: usize, s: usize, u: usize, wide: bool): void {
  let stride = b.stride, c = centersOf(b);
  if (wide) {
    x = widenRows(x, stride, b.slots, rows, tail, wideX());
    g = widenRows(g, stride, b.slots, rows, tail, wideG());
    stride = b.slots << 3;
    c = wideCenter();
  }
  if (wide || header.size == 8) addStrips<f64>(b, x, g - x, rows, stride, tail, c, s, u);
  else addStrips<f32>(b, x, g - x, rows, stride, tail, c, s, u);
}

/** Σg and Σg·d of a run of the block, to the slots at s and u. Masked rows of a panel are taken one by one. */
export function addGradRun(
  b: Block, mask: Mask, x: usize, toDy: usize, toMask: usize, s: usize, u: usize, wide: bool,
): void {
  const whole = header.traversal == Traversal.planes || (mask == Mask.none && !wide);
  const step: usize = whole ? b.rows : header.traversal == Traversal.rows && mask != Mask.none ? 1 : ROWS;
  for (let row: usize = 0; ; row += step, x += step * b.stride) {
    const rows = min(step, b.rows - row), tail = row + rows == b.rows ? b.tail : 0;
    let g = x + toDy, input = x;
    if (mask != Mask.none) {
      maskRows(b, mask, x, toDy, toMask, rows, tail);
      g = masked();
      input = inputOf(x, masked());
    }
    addPiece(b, input, g, rows, tail, s, u, wide);
    if (row + rows == b.rows) return;
  }
}
