// Σd and Σd² of one block by itself (contract, clause 2), and with weights Σv and Σv·d. The escape widens a
// few rows of slots to float64 at a time, and goes through the same loops.
import { Block } from "./blocks";
import { ROWS, laidOut, wideW, wideX } from "./buffers";
import { header } from "./control";
import { Traversal } from "./layout";
import { fold, scratchArray } from "./scratch";
import { Scratch } from "./shifts";
import { clear, laneMask, readPair, stripWidth, whereWeighted } from "./vec";
import { layOut, weightStride } from "./weights";

/**
 * s[slot] += Σd, q[slot] += Σd² over one strip of a run: of `bytes` bytes of rows, `stride` apart, and of `tail` lanes
 * of one more. Inlined into the loops that call it, it would be slower, because V8 would keep the sums in memory.
 */
export function addRun<T>(x: usize, bytes: usize, stride: usize, tail: i32, k: usize, s: usize, q: usize): void {
  const k0 = v128.load(k), k1 = v128.load(k, 16), k2 = v128.load(k, 32), k3 = v128.load(k, 48);
  let s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
  let q0 = v128.load(q), q1 = v128.load(q, 16), q2 = v128.load(q, 32), q3 = v128.load(q, 48), p = x;
  for (const end = x + bytes; p < end; p += stride) {
    const d0 = v128.sub<T>(v128.load(p), k0), d1 = v128.sub<T>(v128.load(p, 16), k1);
    const d2 = v128.sub<T>(v128.load(p, 32), k2), d3 = v128.sub<T>(v128.load(p, 48), k3);
    s0 = v128.add<T>(s0, d0); q0 = v128.add<T>(q0, v128.mul<T>(d0, d0));
    s1 = v128.add<T>(s1, d1); q1 = v128.add<T>(q1, v128.mul<T>(d1, d1));
    s2 = v128.add<T>(s2, d2); q2 = v128.add<T>(q2, v128.mul<T>(d2, d2));
    s3 = v128.add<T>(s3, d3); q3 = v128.add<T>(q3, v128.mul<T>(d3, d3));
  }
  v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
  v128.store(q, q0); v128.store(q, q1, 16); v128.store(q, q2, 32); v128.store(q, q3, 48);
  const lanes = 16 / sizeof<T>();
  for (; tail > 0; tail -= lanes, p += 16, k += 16, s += 16, q += 16) {
    // Past the tail d is 0, as if x were the shift.
    const d = v128.and(v128.sub<T>(v128.load(p), v128.load(k)), laneMask<T>(0, tail));
    v128.store(s, v128.add<T>(v128.load(s), d));
    v128.store(q, v128.add<T>(v128.load(q), v128.mul<T>(d, d)));
  }
}

/**
 * s[slot] += Σv, q[slot] += Σv·d over one strip of `runs` runs, whose weights are `toW` from x. It is half as wide as
 * an unweighted one, so that registers hold it.
 */
function addWeightedRuns<T>(
  b: Block, x: usize, toW: usize, runs: usize, bytes: usize, stride: usize, tail: i32, k: usize, s: usize, q: usize,
): void {
  const k0 = v128.load(k), k1 = v128.load(k, 16), nextRun = header.inner * sizeof<T>() - b.runStride;
  let s0 = v128.load(s), s1 = v128.load(s, 16), q0 = v128.load(q), q1 = v128.load(q, 16);
  for (; runs; runs--, x += b.runStride, toW += nextRun) {
    const last = x + bytes, stop = tail > 0 ? last + stride : last;
    for (let p = x; p < stop; p += stride) {
      let w0 = v128.load(p + toW), w1 = v128.load(p + toW, 16);
      if (p == last) { // weights are 0 past the tail
        w0 = v128.and(w0, laneMask<T>(0, tail));
        w1 = v128.and(w1, laneMask<T>(1, tail));
      }
      const d0 = whereWeighted<T>(v128.sub<T>(v128.load(p), k0), w0), v0 = v128.mul<T>(w0, d0);
      const d1 = whereWeighted<T>(v128.sub<T>(v128.load(p, 16), k1), w1), v1 = v128.mul<T>(w1, d1);
      s0 = v128.add<T>(s0, v0); q0 = v128.add<T>(q0, v128.mul<T>(v0, d0));
      s1 = v128.add<T>(s1, v1); q1 = v128.add<T>(q1, v128.mul<T>(v1, d1));
    }
  }
  v128.store(s, s0); v128.store(s, s1, 16);
  v128.store(q, q0); v128.store(q, q1, 16);
}

/** All strips of `runs` runs, of `rows` rows of slots and `tail` slots each. */
function addStrips<T>(
  b: Block, x: usize, w: usize, runs: usize, rows: usize, stride: usize, tail: usize,
): void {
  const step = w ? stripWidth<T>() / 2 : stripWidth<T>(), bytes = rows * stride, last = b.slots;
  let k = scratchArray(Scratch.shifts), s = scratchArray(Scratch.s), q = scratchArray(Scratch.q);
  for (let strip: usize = 0; strip < last; strip += step) {
    const at = x + strip * sizeof<T>(), own = min(<i32>tail - <i32>strip, <i32>step);
    if (w) addWeightedRuns<T>(b, at, w - x, runs, bytes, stride, own, k, s, q);
    else for (let run = runs, p = at; run; run--, p += b.runStride) addRun<T>(p, bytes, stride, own, k, s, q);
    k += step * sizeof<T>(); s += step * sizeof<T>(); q += step * sizeof<T>();
  }
}

/** Widens float32 rows of slots, `stride` bytes apart, and `tail` slots more to float64 side by side. */
export function widenRows(from: usize, stride: usize, slots: usize, rows: usize, tail: usize, to: usize): usize {
  for (let row: usize = 0, p = to; row <= rows; row++, from += stride, p += slots << 3) {
    const count = row < rows ? slots : tail;
    for (let j: usize = 0; j < count; j += 2) v128.store(p + (j << 3), readPair(from + (j << 2), 4));
  }
  return to;
}

/** The weights of some rows of slots in the rows traversals, side by side. */
function layRows(b: Block, w: usize, rows: usize, tail: usize): usize {
  const bytes = b.slots * header.size, stride = b.lanes * weightStride();
  for (let row: usize = 0, to = laidOut(); row <= rows; row++, w += stride, to += bytes) {
    layOut(w, b.column, row < rows ? b.slots : tail, to);
  }
  return laidOut();
}

/** The same for values of `size` bytes. */
function addTyped(
  b: Block, x: usize, w: usize, runs: usize, rows: usize, stride: usize, tail: usize, size: usize,
): void {
  if (size == 4) addStrips<f32>(b, x, w, runs, rows, stride, tail);
  else addStrips<f64>(b, x, w, runs, rows, stride, tail);
}

/** A run, a few rows of slots at a time: their weights are laid out, or values of float32 are widened. */
function addCopies(b: Block, x: usize, w: usize, size: usize): void {
  const slots = b.slots, planes = header.traversal == Traversal.planes, wide = size != header.size;
  // Laid out rows of weights stand side by side. Rows of values in a panel do not, so they are taken one by one.
  const step: usize = b.lanes == 1 && !wide ? 1 : ROWS, nextWeights: usize = w ? step * b.lanes * weightStride() : 0;
  for (let row: usize = 0; ; row += step, x += step * b.stride, w += nextWeights) {
    const rows = min(step, b.rows - row), tail = row + rows == b.rows ? b.tail : 0;
    const weights = w && !planes ? layRows(b, w, rows, tail) : w;
    if (wide) {
      const ownWeights = w ? widenRows(weights, slots << 2, slots, rows, tail, wideW()) : 0;
      addTyped(b, widenRows(x, b.stride, slots, rows, tail, wideX()), ownWeights, 1, rows, slots << 3, tail, 8);
    } else {
      addTyped(b, x, weights, 1, rows, b.stride, tail, size);
    }
    if (row + rows == b.rows) return;
  }
}

/** Sums of the block's columns around the shifts in their slots, folded; computed with values of `size` bytes. */
export function shiftedSums(b: Block, x: usize, w: usize, size: usize): void {
  const s = scratchArray(Scratch.s), q = scratchArray(Scratch.q);
  clear(s, b.slots * size);
  clear(q, b.slots * size);
  if (size == header.size && (!w || header.traversal == Traversal.planes)) {
    addTyped(b, x, w, b.runs, b.rows, b.stride, b.tail, size);
  } else {
    const nextRun = w ? header.inner * header.size : 0;
    for (let run = b.runs; run; run--, x += b.runStride, w += nextRun) addCopies(b, x, w, size);
  }
  fold(b, s, scratchArray(Scratch.sumS), size);
  fold(b, q, scratchArray(Scratch.sumQ), size);
}
