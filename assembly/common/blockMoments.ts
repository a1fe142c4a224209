// Moments of one block: all its columns at once (contract, clause 2).
import { Block, LANES } from "./blocks";
import { Walk, header } from "./control";
import { takeChannel } from "../planes/moments";
import { takeSums } from "../rows/moments";
import { fold, scratchArray } from "./scratch";
import { Scratch, firstShifts } from "./shifts";
import { clear, finite, laneMask, pairMask, read, roundPair, stripWidth, widen } from "./vec";

export const TINY: f64 = 7.52316384526264e-37; // 2^-120: below n·TINY a float32 Σd² may have lost bits to underflow

export const MEAN: usize = 16 << 3;
export const TO_M2: usize = 16 << 3;

/** Means of the last blockMoments; TO_M2 behind them its m2. */
export function blockMeans(): usize {
  return scratchArray(Scratch.columns) + MEAN;
}

/** d of vector i at p: x − k. */
@inline
function difference<T, A>(p: usize, i: usize, k: v128): v128 {
  return v128.sub<A>(widen<T, A>(read<T, A>(p, i)), k);
}

/**
 * s[slot] += Σd, q[slot] += Σd² over one strip of a run: of `bytes` bytes of rows, `stride` apart, and of `tail` lanes of one
 * more. As a part of the loops that call it, V8 would keep its sums in memory: 1.1-1.4 times the time.
 */
export function addRun<T, A>(
  x: usize, bytes: usize, stride: usize, tail: i32, k: usize, s: usize, q: usize,
): void {
  const k0 = v128.load(k), k1 = v128.load(k, 16), k2 = v128.load(k, 32), k3 = v128.load(k, 48);
  let s0 = v128.load(s), s1 = v128.load(s, 16), s2 = v128.load(s, 32), s3 = v128.load(s, 48);
  let q0 = v128.load(q), q1 = v128.load(q, 16), q2 = v128.load(q, 32), q3 = v128.load(q, 48), p = x;
  for (const end = x + bytes; p < end; p += stride) {
    const d0 = difference<T, A>(p, 0, k0), d1 = difference<T, A>(p, 1, k1);
    const d2 = difference<T, A>(p, 2, k2), d3 = difference<T, A>(p, 3, k3);
    s0 = v128.add<A>(s0, d0); q0 = v128.add<A>(q0, v128.mul<A>(d0, d0));
    s1 = v128.add<A>(s1, d1); q1 = v128.add<A>(q1, v128.mul<A>(d1, d1));
    s2 = v128.add<A>(s2, d2); q2 = v128.add<A>(q2, v128.mul<A>(d2, d2));
    s3 = v128.add<A>(s3, d3); q3 = v128.add<A>(q3, v128.mul<A>(d3, d3));
  }
  v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
  v128.store(q, q0); v128.store(q, q1, 16); v128.store(q, q2, 32); v128.store(q, q3, 48);
  const lanes = 16 / sizeof<A>();
  for (; tail > 0; tail -= lanes, p += lanes * sizeof<T>(), k += 16, s += 16, q += 16) {
    const d = v128.and(difference<T, A>(p, 0, v128.load(k)), laneMask<A>(0, tail)); // as if x were the shift past it
    v128.store(s, v128.add<A>(v128.load(s), d));
    v128.store(q, v128.add<A>(v128.load(q), v128.mul<A>(d, d)));
  }
}

/** The shifts of the block's columns in every slot. */
export function spreadShifts<A>(b: Block): void {
  const shift = scratchArray(Scratch.columns);
  let k = scratchArray(Scratch.shifts);
  if (b.columns == 1) { // whole vectors: loads of them would wait for single values
    const value = v128.splat<A>(<A>load<f64>(shift));
    for (const end = k + LANES * sizeof<A>(); k < end; k += 16) v128.store(k, value);
  } else for (let lane: usize = 0; lane < b.lanes; lane++) {
    for (let column: usize = 0; column < b.columns; column++, k += sizeof<A>()) {
      store<A>(k, <A>load<f64>(shift + (column << 3)));
    }
  }
}

/** Σd and Σd² of the block's columns around their shifts, folded. */
function shiftedSums<T, A>(b: Block, x: usize): void {
  const k = scratchArray(Scratch.shifts), s = scratchArray(Scratch.s), q = scratchArray(Scratch.q);
  spreadShifts<A>(b);
  clear(s, b.slots * sizeof<A>());
  clear(q, b.slots * sizeof<A>());
  for (let left = b.runs; left; left--, x += b.runStride) {
    for (let strip: usize = 0; strip < b.slots; strip += stripWidth<A>()) {
      const at = strip * sizeof<A>(), tail = min(<i32>b.tail - <i32>strip, <i32>stripWidth<A>());
      addRun<T, A>(x + strip * sizeof<T>(), b.rows * b.stride, b.stride, tail, k + at, s + at, q + at);
    }
  }
  fold<A>(b, s, scratchArray(Scratch.sumS));
  fold<A>(b, q, scratchArray(Scratch.sumQ));
}

/**
 * Results of the `pending` columns (bits) from their sums, two at a time. Returns those that need another
 * attempt: in the low half, with their new shifts, the second pass; in the high half the escape, which only
 * `single` sums, float32, have.
 */
function finish(b: Block, pending: u32, final: bool, single: bool): u32 {
  const count = f64x2.splat(b.count), tiny = f64x2.splat(b.count * TINY), zero = f64x2.splat(0);
  let k = scratchArray(Scratch.columns), again: u32 = 0;
  const toS = scratchArray(Scratch.sumS) - k, toQ = scratchArray(Scratch.sumQ) - k;
  for (let column: usize = 0; column < b.columns; column += 2, k += 16) {
    const S = v128.load(k + toS), Q = v128.load(k + toQ), shift = v128.load(k);
    const u = f64x2.div(S, count), e = f64x2.mul(S, u), m2 = f64x2.sub(Q, e);
    const mean = f64x2.add(shift, u);
    const wanted = pairMask(pending >> <u32>column);
    let lost = zero;
    if (single) {
      const nothing = v128.and(f64x2.eq(S, zero), f64x2.eq(Q, zero));
      const small = v128.andnot(f64x2.lt(Q, tiny), nothing);
      lost = v128.and(v128.or(small, v128.not(v128.and(finite(S), finite(Q)))), wanted);
      again |= i64x2.bitmask(lost) << (<u32>column + 16);
    }
    if (!final) {
      const far = v128.andnot(v128.and(f64x2.gt(e, f64x2.mul(f64x2.splat(0.5), m2)), wanted), lost);
      again |= i64x2.bitmask(far) << <u32>column;
      v128.store(k, v128.bitselect(roundPair(mean, header.size), shift, far));
    }
    v128.store(k + MEAN, v128.bitselect(mean, v128.load(k + MEAN), wanted));
    const clamped = v128.andnot(m2, f64x2.lt(m2, zero));
    v128.store(k + MEAN + TO_M2, v128.bitselect(clamped, v128.load(k + MEAN + TO_M2), wanted));
  }
  return again;
}

function attempt<T, A>(b: Block, x: usize, pending: u32, final: bool): u32 {
  shiftedSums<T, A>(b, x);
  return finish(b, pending, final, sizeof<A>() == 4);
}

/** Clause 2: the second pass and, for float32, the escape redo only the columns that need them. */
export function blockMoments<T>(b: Block, x: usize, group: usize, first: bool): void {
  if (header.walk == Walk.rows) {
    takeSums<T>(b);
  } else if (header.walk == Walk.planes) {
    takeChannel<T>(b);
  } else {
    firstShifts(b, x, group, first);
    shiftedSums<T, T>(b, x);
  }
  const again = finish(b, (1 << <u32>b.columns) - 1, !first, sizeof<T>() == 4);
  let escaped = again >> 16;
  if (again & 0xffff) escaped |= attempt<T, T>(b, x, again & 0xffff, true) >> 16;
  if (sizeof<T>() == 4) {
    if (!escaped) return;
    firstShifts(b, x, group, first);
    const wide = attempt<T, f64>(b, x, escaped, !first);
    if (wide) attempt<T, f64>(b, x, wide, true);
  }
}
