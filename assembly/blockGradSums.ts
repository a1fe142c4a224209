// Sums of gradients of one block: all its columns at once (contract, clause 4).
import { Mask, maskedGrad } from "./affine";
import { Block, fold, scratchArray } from "./blocks";
import { Walk } from "./control";
import { laneMask, read, stripWidth, widen } from "./vec";

/** Scratch arrays; the three before them hold the expanded center, scale and shift. */
const enum Scratch { s = 3, u, sums }
const SUM_U: usize = 128 << 3; // in `sums`, behind Σg: folding 240 slots needs 120

/** s[slot] = Σg, u[slot] = Σg·d over one strip of a block, d = x − center. */
function stripGradSums<T, A>(b: Block, mask: Mask, x: usize, dy: usize, aux: usize, strip: usize): void {
  const first = b.walk == Walk.rows ? b.column : 0;
  const c = scratchArray(b, 0) + (first + strip) * sizeof<T>(), cs = b.scratchStride;
  const c0 = widen<T, A>(read<T, A>(c, 0)), c1 = widen<T, A>(read<T, A>(c, 1));
  const c2 = widen<T, A>(read<T, A>(c, 2)), c3 = widen<T, A>(read<T, A>(c, 3));
  const tail = <i32>max<isize>(0, min<isize>(b.tail - strip, stripWidth<A>()));
  const stride = b.stride, rows = b.rows * stride;
  const toDy = dy - x, toAux = aux - x;
  let s0 = i64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, u0 = s0, u1 = s0, u2 = s0, u3 = s0;
  for (let run = b.runs; run; run--, x += b.runStride) {
    const first = x + strip * sizeof<T>(), last = first + rows, end = tail ? last + stride : last;
    for (let p = first; p < end; p += stride) {
      let g0 = widen<T, A>(maskedGrad<T, A>(mask, p, p + toDy, p + toAux, 0, c, cs));
      let g1 = widen<T, A>(maskedGrad<T, A>(mask, p, p + toDy, p + toAux, 1, c, cs));
      let g2 = widen<T, A>(maskedGrad<T, A>(mask, p, p + toDy, p + toAux, 2, c, cs));
      let g3 = widen<T, A>(maskedGrad<T, A>(mask, p, p + toDy, p + toAux, 3, c, cs));
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
  }
  const s = scratchArray(b, Scratch.s) + strip * sizeof<A>(), u = scratchArray(b, Scratch.u) + strip * sizeof<A>();
  v128.store(s, s0); v128.store(s, s1, 16); v128.store(s, s2, 32); v128.store(s, s3, 48);
  v128.store(u, u0); v128.store(u, u1, 16); v128.store(u, u2, 32); v128.store(u, u3, 48);
}

/** Adds the `pending` columns (bits) of the block to their groups; returns those whose sums are not finite. */
function attempt<T, A>(b: Block, mask: Mask, x: usize, dy: usize, aux: usize, group: usize, pending: u32): u32 {
  for (let strip: usize = 0; strip < b.slots; strip += stripWidth<A>()) {
    stripGradSums<T, A>(b, mask, x, dy, aux, strip);
  }
  const sums = scratchArray(b, Scratch.sums);
  fold<A>(b, scratchArray(b, Scratch.s), sums);
  fold<A>(b, scratchArray(b, Scratch.u), sums + SUM_U);
  let lost: u32 = 0;
  for (let column: usize = 0; column < b.columns; column++, group += 8) {
    const bit: u32 = 1 << <u32>column;
    if (!(pending & bit)) continue;
    const S = load<f64>(sums + (column << 3)), U = load<f64>(sums + (column << 3), SUM_U);
    if (sizeof<A>() == 4) {
      if (!isFinite(S) || !isFinite(U)) {
        lost |= bit;
        continue;
      }
    }
    const groupU = group + (b.allColumns << 3);
    store<f64>(group, load<f64>(group) + S);
    store<f64>(groupU, load<f64>(groupU) + U);
  }
  return lost;
}

/** Adds the block to the groups of its columns; for float32, sums that are not finite are redone in float64. */
export function blockGradSums<T>(b: Block, mask: Mask, x: usize, dy: usize, aux: usize, group: usize): void {
  const lost = attempt<T, T>(b, mask, x, dy, aux, group, (1 << <u32>b.columns) - 1);
  if (sizeof<T>() == 4) if (lost) attempt<T, f64>(b, mask, x, dy, aux, group, lost);
}
