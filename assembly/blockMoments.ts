// Moments of one block: all its columns at once (contract, clause 2).
import { Block, fold, scratchArray, valueOffset } from "./blocks";
import { round } from "./coefficients";
import { laneMask, read, stripWidth, widen } from "./vec";

const TINY: f64 = 7.52316384526264e-37; // 2^-120: below n·TINY a float32 Σd² may have lost bits to underflow

/** Scratch arrays; `columns` holds the shifts of the block's columns, then their means, then their m2. */
const enum Scratch { columns, shifts, s, q, sumS, sumQ }
const MEAN: usize = 16 << 3;
const M2: usize = 32 << 3;

/** Results of the last blockMoments. */
@inline
export function blockMean(b: Block, column: usize): f64 {
  return load<f64>(scratchArray(b, Scratch.columns) + (column << 3), MEAN);
}

@inline
export function blockM2(b: Block, column: usize): f64 {
  return load<f64>(scratchArray(b, Scratch.columns) + (column << 3), M2);
}

/** s[slot] = Σd, q[slot] = Σd² over one strip of a block, d = x − k. */
function stripMoments<T, A>(b: Block, x: usize, strip: usize): void {
  const at = strip * sizeof<A>();
  const k = scratchArray(b, Scratch.shifts) + at;
  const k0 = v128.load(k), k1 = v128.load(k, 16), k2 = v128.load(k, 32), k3 = v128.load(k, 48);
  const tail = <i32>max<isize>(0, min<isize>(b.tail - strip, stripWidth<A>()));
  const stride = b.stride, rows = b.rows * stride;
  let s0 = i64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, q0 = s0, q1 = s0, q2 = s0, q3 = s0;
  for (let run = b.runs; run; run--, x += b.runStride) {
    const first = x + strip * sizeof<T>(), last = first + rows, end = tail ? last + stride : last;
    for (let p = first; p < end; p += stride) {
      let d0 = v128.sub<A>(widen<T, A>(read<T, A>(p, 0)), k0), d1 = v128.sub<A>(widen<T, A>(read<T, A>(p, 1)), k1);
      let d2 = v128.sub<A>(widen<T, A>(read<T, A>(p, 2)), k2), d3 = v128.sub<A>(widen<T, A>(read<T, A>(p, 3)), k3);
      if (p == last) { // d is 0 past the tail, as if x were the shift there
        d0 = v128.and(d0, laneMask<A>(0, tail)); d1 = v128.and(d1, laneMask<A>(1, tail));
        d2 = v128.and(d2, laneMask<A>(2, tail)); d3 = v128.and(d3, laneMask<A>(3, tail));
      }
      s0 = v128.add<A>(s0, d0); q0 = v128.add<A>(q0, v128.mul<A>(d0, d0));
      s1 = v128.add<A>(s1, d1); q1 = v128.add<A>(q1, v128.mul<A>(d1, d1));
      s2 = v128.add<A>(s2, d2); q2 = v128.add<A>(q2, v128.mul<A>(d2, d2));
      s3 = v128.add<A>(s3, d3); q3 = v128.add<A>(q3, v128.mul<A>(d3, d3));
    }
  }
  const s = scratchArray(b, Scratch.s) + at, q = scratchArray(b, Scratch.q) + at;
  v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
  v128.store(q, q0); v128.store(q, q1, 16); v128.store(q, q2, 32); v128.store(q, q3, 48);
}

/** Σd and Σd² of the block's columns around their shifts, folded. */
function shiftedSums<T, A>(b: Block, x: usize): void {
  const shift = scratchArray(b, Scratch.columns);
  let k = scratchArray(b, Scratch.shifts);
  for (let lane: usize = 0; lane < b.lanes; lane++) {
    for (let column: usize = 0; column < b.columns; column++, k += sizeof<A>()) {
      store<A>(k, <A>load<f64>(shift + (column << 3)));
    }
  }
  for (let strip: usize = 0; strip < b.slots; strip += stripWidth<A>()) stripMoments<T, A>(b, x, strip);
  fold<A>(b, scratchArray(b, Scratch.s), scratchArray(b, Scratch.sumS));
  fold<A>(b, scratchArray(b, Scratch.q), scratchArray(b, Scratch.sumQ));
}

/**
 * Results of the `pending` columns (bits) around their shifts. Returns those that need another
 * attempt: in the low half, with their new shifts, the second pass; in the high half the escape.
 */
function attempt<T, A>(b: Block, x: usize, pending: u32, final: bool): u32 {
  shiftedSums<T, A>(b, x);
  const columns = scratchArray(b, Scratch.columns);
  const sumS = scratchArray(b, Scratch.sumS), sumQ = scratchArray(b, Scratch.sumQ);
  const count = b.count;
  let again: u32 = 0;
  for (let column: usize = 0; column < b.columns; column++) {
    const bit: u32 = 1 << <u32>column;
    if (!(pending & bit)) continue;
    const at = column << 3;
    const S = load<f64>(sumS + at), Q = load<f64>(sumQ + at);
    if (sizeof<A>() == 4) {
      if (!isFinite(S) || !isFinite(Q) || (Q < count * TINY && !(S == 0 && Q == 0))) {
        again |= bit << 16;
        continue;
      }
    }
    const k = load<f64>(columns + at);
    const u = S / count;
    const e = S * u;
    const m2 = Q - e;
    if (!final && e > 0.5 * m2) {
      again |= bit;
      store<f64>(columns + at, round<T>(k + u));
    } else {
      store<f64>(columns + at, k + u, MEAN);
      store<f64>(columns + at, m2 < 0 ? 0 : m2, M2);
    }
  }
  return again;
}

/**
 * The mean of up to 16 values spread over the block, a power of two of them, added pairwise like lanes; the
 * block's first value where that is not finite.
 */
function sampleMean<T>(b: Block, x: usize, column: usize): f64 {
  const count = <usize>b.count, t = scratchArray(b, Scratch.sumS);
  let samples: usize = 16;
  while (samples > count) samples >>= 1;
  for (let j: usize = 0; j < samples; j++) {
    store<f64>(t + (j << 3), <f64>load<T>(x + valueOffset<T>(b, j * count / samples, column)));
  }
  for (let width = samples >> 1; width; width >>= 1) {
    for (let p = t, end = t + (width << 3); p < end; p += 8) store<f64>(p, load<f64>(p) + load<f64>(p + (width << 3)));
  }
  const mean = round<T>(load<f64>(t) / <f64>samples);
  return isFinite(mean) ? mean : <f64>load<T>(x + column * sizeof<T>());
}

/** k: the mean of a sample in the first block of a group, else T(mean of the group so far). */
function firstShifts<T>(b: Block, x: usize, group: usize, first: bool): void {
  const shift = scratchArray(b, Scratch.columns);
  for (let column: usize = 0; column < b.columns; column++) {
    const k = first ? sampleMean<T>(b, x, column) : round<T>(load<f64>(group + (column << 3)));
    store<f64>(shift + (column << 3), k);
  }
}

/** Clause 2: the second pass and, for float32, the escape redo only the columns that need them. */
export function blockMoments<T>(b: Block, x: usize, group: usize, first: bool): void {
  firstShifts<T>(b, x, group, first);
  const again = attempt<T, T>(b, x, (1 << <u32>b.columns) - 1, !first);
  let escaped = again >> 16;
  if (again & 0xffff) escaped |= attempt<T, T>(b, x, again & 0xffff, true) >> 16;
  if (sizeof<T>() == 4) {
    if (!escaped) return;
    firstShifts<T>(b, x, group, first);
    const wide = attempt<T, f64>(b, x, escaped, !first);
    if (wide) attempt<T, f64>(b, x, wide, true);
  }
}
