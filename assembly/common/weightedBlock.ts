// Moments of one block whose values have weights: all its columns at once (contract, clause 6).
import { Block } from "./blocks";
import { MEAN, TINY, TO_M2, spreadShifts } from "./blockMoments";
import { Walk, header } from "./control";
import { takeSums } from "../rows/moments";
import { fold, scratchArray } from "./scratch";
import { Scratch, addPairs, sampleOffsets, samplesOf } from "./shifts";
import { clear, finite, laneMask, pairMask, read, readPair, roundPair, stripWidth, widen } from "./vec";
import { laidOut, layOut, weightStride, weightSums } from "./weights";

/** State arrays from a group's means to its counts. */
export const TO_COUNT: usize = 3;

/** Rows with few columns that are laid out together. */
const ROWS: usize = 8;

/** The counts of a block's columns. */
const counts: usize = memory.data(17 * 8, 16);

/** v, or +0 where w is 0. */
@inline
export function whereWeighted<T>(v: v128, w: v128): v128 {
  return v128.andnot(v, v128.le<T>(w, i64x2.splat(0)));
}

/** d of vector i at p: x − k, or +0 where w is 0. */
@inline
function difference<T, A>(p: usize, i: usize, k: v128, w: v128): v128 {
  return whereWeighted<A>(v128.sub<A>(widen<T, A>(read<T, A>(p, i)), k), w);
}

/**
 * s[slot] += Σv, q[slot] += Σv·d over one strip, half as wide as unweighted ones, so that registers hold it, of `rows` rows
 * of `runs` runs; weights are `toW` from x.
 */
function stripMoments<T, A>(b: Block, x: usize, toW: usize, runs: usize, rows: usize, end: usize, strip: usize): void {
  const at = strip * sizeof<A>();
  const k = scratchArray(Scratch.shifts) + at, s = scratchArray(Scratch.s) + at, q = scratchArray(Scratch.q) + at;
  const k0 = v128.load(k), k1 = v128.load(k, 16);
  const tail = <i32>max<isize>(0, min<isize>(end - strip, stripWidth<A>() / 2));
  const stride = b.stride, bytes = rows * stride, nextRun = header.inner * sizeof<T>() - b.runStride;
  let s0 = v128.load(s), s1 = v128.load(s, 16), q0 = v128.load(q), q1 = v128.load(q, 16);
  for (let run = runs; run; run--, x += b.runStride, toW += nextRun) {
    let p = x + strip * sizeof<T>();
    for (const last = p + bytes; p < last; p += stride) {
      const w = p + toW, w0 = widen<T, A>(read<T, A>(w, 0)), w1 = widen<T, A>(read<T, A>(w, 1));
      const d0 = difference<T, A>(p, 0, k0, w0), v0 = v128.mul<A>(w0, d0);
      const d1 = difference<T, A>(p, 1, k1, w1), v1 = v128.mul<A>(w1, d1);
      s0 = v128.add<A>(s0, v0); q0 = v128.add<A>(q0, v128.mul<A>(v0, d0));
      s1 = v128.add<A>(s1, v1); q1 = v128.add<A>(q1, v128.mul<A>(v1, d1));
    }
    if (!tail) continue;
    // Weights are 0 past the tail.
    const w = p + toW, w0 = v128.and(widen<T, A>(read<T, A>(w, 0)), laneMask<A>(0, tail));
    const w1 = v128.and(widen<T, A>(read<T, A>(w, 1)), laneMask<A>(1, tail));
    const d0 = difference<T, A>(p, 0, k0, w0), v0 = v128.mul<A>(w0, d0);
    const d1 = difference<T, A>(p, 1, k1, w1), v1 = v128.mul<A>(w1, d1);
    s0 = v128.add<A>(s0, v0); q0 = v128.add<A>(q0, v128.mul<A>(v0, d0));
    s1 = v128.add<A>(s1, v1); q1 = v128.add<A>(q1, v128.mul<A>(v1, d1));
  }
  v128.store(s, s0); v128.store(s, s1, 16);
  v128.store(q, q0); v128.store(q, q1, 16);
}

/** All strips. Types are told apart here and not by a copy of each caller, since a strip takes as long as the choice. */
function stripsMoments(b: Block, x: usize, w: usize, runs: usize, rows: usize, tail: usize, single: bool): void {
  const step = (single ? stripWidth<f32>() : stripWidth<f64>()) / 2;
  for (let strip: usize = 0; strip < b.slots; strip += step) {
    if (single) stripMoments<f32, f32>(b, x, w - x, runs, rows, tail, strip);
    else if (header.size == 4) stripMoments<f32, f64>(b, x, w - x, runs, rows, tail, strip);
    else stripMoments<f64, f64>(b, x, w - x, runs, rows, tail, strip);
  }
}

/** Σv and Σv·d of the block's columns around their shifts, folded; in float32 where `single`. */
function shiftedSums(b: Block, x: usize, w: usize, single: bool): void {
  const s = scratchArray(Scratch.s), q = scratchArray(Scratch.q), bytes = b.slots << (single ? 2 : 3);
  if (single) spreadShifts<f32>(b);
  else spreadShifts<f64>(b);
  clear(s, bytes);
  clear(q, bytes);
  if (header.walk == Walk.planes) {
    stripsMoments(b, x, w, b.runs, b.rows, b.tail, single);
  } else {
    const step: usize = b.lanes == 1 ? 1 : ROWS, next = step * b.lanes * weightStride();
    let row: usize = 0;
    do {
      const rows = min(step, b.rows - row), tail = row + rows == b.rows ? b.tail : 0;
      layOut(w, b.column, rows * b.slots + tail, laidOut);
      stripsMoments(b, x, laidOut, 1, rows, tail, single);
      row += rows;
      x += rows * b.stride;
      w += next;
    } while (row < b.rows);
  }
  foldBoth(b, s, q, single);
}

/** Folds the slots at s and q. */
function foldBoth(b: Block, s: usize, q: usize, single: bool): void {
  const sumS = scratchArray(Scratch.sumS), sumQ = scratchArray(Scratch.sumQ);
  if (single) {
    fold<f32>(b, s, sumS);
    fold<f32>(b, q, sumQ);
  } else {
    fold<f64>(b, s, sumS);
    fold<f64>(b, q, sumQ);
  }
}

/** All bits in the columns, two, whose group has no weight yet. */
@inline
function opens(group: usize): v128 {
  return f64x2.eq(v128.load(group + TO_COUNT * (header.columns << 3)), f64x2.splat(0));
}

@inline
function weightAt(w: usize, column: usize): f64 {
  const p = w + (column % header.columnsPerChannel) * header.size;
  return header.size == 4 ? <f64>load<f32>(p) : load<f64>(p);
}

/** The means of those of the samples of two columns that have a weight; 0 where there is none, or it is not finite. */
function sampleMeans(b: Block, x: usize, w: usize, column: usize, samples: usize): v128 {
  const t = scratchArray(Scratch.sumS), offsets = scratchArray(Scratch.sumQ);
  const count = <usize>b.count, stride = weightStride();
  let kept = f64x2.splat(0);
  for (let j: usize = 0; j < samples; j++) {
    const at = w + j * count / samples * stride;
    const weights = f64x2.replace_lane(f64x2.splat(weightAt(at, column)), 1, weightAt(at, column + 1));
    v128.store(t + (j << 4), whereWeighted<f64>(readPair(x + load<usize>(offsets + (j << 3)), header.size), weights));
    kept = f64x2.add(kept, whereWeighted<f64>(f64x2.splat(1), weights));
  }
  addPairs(t, samples);
  const mean = roundPair(f64x2.div(v128.load(t), kept), header.size);
  return v128.and(mean, finite(mean));
}

/** k: the mean of a sample as long as the group has no weight, else T(mean of the group so far). */
export function weightedShifts(b: Block, x: usize, w: usize, group: usize): void {
  const samples = samplesOf(b);
  let shift = scratchArray(Scratch.columns), sampled = false;
  for (let j: usize = 0; j < b.columns; j += 2, shift += 16, group += 16, x += 2 * header.size) {
    const first = opens(group);
    let k = roundPair(v128.load(group), header.size);
    if (v128.any_true(first)) {
      if (!sampled) sampleOffsets(b, samples, scratchArray(Scratch.sumQ));
      sampled = true;
      k = v128.bitselect(sampleMeans(b, x, w, b.column + j, samples), k, first);
    }
    v128.store(shift, k);
  }
}

/**
 * Results of the `pending` columns (bits) from their sums, two at a time. Returns those that need another attempt: in the
 * low half, with their new shifts, the second pass; in the high half the escape, of `single` sums.
 */
function finish(b: Block, group: usize, pending: u32, final: bool, single: bool): u32 {
  const tiny = f64x2.splat(b.count * TINY), zero = f64x2.splat(0);
  let k = scratchArray(Scratch.columns), again: u32 = 0;
  const toS = scratchArray(Scratch.sumS) - k, toQ = scratchArray(Scratch.sumQ) - k, toCount = counts - k;
  for (let column: usize = 0; column < b.columns; column += 2, k += 16, group += 16) {
    const S = v128.load(k + toS), Q = v128.load(k + toQ), shift = v128.load(k), W = v128.load(k + toCount);
    const u = f64x2.div(S, W), e = f64x2.mul(S, u), m2 = f64x2.sub(Q, e), mean = f64x2.add(shift, u);
    const wanted = v128.and(pairMask(pending >> <u32>column), f64x2.ne(W, zero));
    let lost = zero;
    if (single) {
      const nothing = v128.and(f64x2.eq(S, zero), f64x2.eq(Q, zero));
      const small = v128.or(v128.andnot(f64x2.lt(Q, tiny), nothing), f64x2.lt(W, tiny));
      lost = v128.and(v128.or(small, v128.not(v128.and(finite(S), finite(Q)))), wanted);
      again |= i64x2.bitmask(lost) << (<u32>column + 16);
    }
    if (!final) {
      const far = v128.andnot(v128.and(f64x2.gt(e, f64x2.mul(f64x2.splat(0.5), m2)), v128.and(wanted, opens(group))), lost);
      again |= i64x2.bitmask(far) << <u32>column;
      v128.store(k, v128.bitselect(roundPair(mean, header.size), shift, far));
    }
    v128.store(k + MEAN, v128.bitselect(mean, v128.load(k + MEAN), wanted));
    const clamped = v128.andnot(m2, f64x2.lt(m2, zero));
    v128.store(k + MEAN + TO_M2, v128.bitselect(clamped, v128.load(k + MEAN + TO_M2), wanted));
  }
  return again;
}

function attempt(b: Block, x: usize, w: usize, group: usize, pending: u32, final: bool, single: bool): u32 {
  shiftedSums(b, x, w, single);
  return finish(b, group, pending, final, single);
}

/** As blockMoments; returns where the counts of the columns are. */
export function weightedBlockMoments(b: Block, x: usize, w: usize, group: usize): usize {
  for (let j: usize = 0; j < b.columns; j++) {
    store<f64>(counts + (j << 3), load<f64>(weightSums + ((b.column + j) % header.columnsPerChannel << 3)));
  }
  const single = header.size == 4;
  if (header.walk != Walk.rows) {
    weightedShifts(b, x, w, group);
    shiftedSums(b, x, w, single);
  } else if (single) takeSums<f32>(b);
  else takeSums<f64>(b);
  const again = finish(b, group, (1 << <u32>b.columns) - 1, false, single);
  let escaped = again >> 16;
  if (again & 0xffff) escaped |= attempt(b, x, w, group, again & 0xffff, true, single) >> 16;
  if (escaped) {
    weightedShifts(b, x, w, group);
    const wide = attempt(b, x, w, group, escaped, false, false);
    if (wide) attempt(b, x, w, group, wide, true, false);
  }
  return counts;
}
