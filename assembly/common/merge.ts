// Clause 3: moments a, then b, in float64. Those of neighbouring columns stand in arrays of means, m2 and, with
// weights, counts, `stepA` and `stepB` bytes apart.
import { storePartial } from "./vec";

/** Stores two values, or the first alone where there is no other column. */
@inline
function put(p: usize, v: v128, isPair: bool): void {
  if (isPair) v128.store(p, v);
  else storePartial<f64>(p, v, 1);
}

/** Merges b into a, where all columns have as many values. */
export function merge(a: usize, stepA: usize, countA: f64, b: usize, stepB: usize, countB: f64, columns: usize): void {
  if (countB == 0) return;
  const f = countB / (countA + countB);
  const part = f64x2.splat(f), weight = f64x2.splat(countA * f);
  for (const end = a + (columns << 3); a < end; a += 16, b += 16) {
    let mean = v128.load(b), m2 = v128.load(b + stepB);
    if (countA != 0) {
      const old = v128.load(a), delta = f64x2.sub(mean, old);
      mean = f64x2.add(old, f64x2.mul(delta, part));
      m2 = f64x2.add(f64x2.add(v128.load(a + stepA), m2), f64x2.mul(f64x2.mul(delta, delta), weight));
    }
    put(a, mean, a + 16 <= end);
    put(a + stepA, m2, a + 16 <= end);
  }
}

/** The merged value, or where b has no weight, that of a; where a has none, that of b. */
@inline
function choose(merged: v128, a: v128, b: v128, noA: v128, noB: v128): v128 {
  return v128.bitselect(a, v128.bitselect(b, merged, noA), noB);
}

/** Merges b into a, where each column has counts of its own. */
export function mergeWeighted(a: usize, stepA: usize, b: usize, stepB: usize, columns: usize): void {
  const zero = f64x2.splat(0);
  for (const end = a + (columns << 3); a < end; a += 16, b += 16) {
    const na = v128.load(a + 2 * stepA), nb = v128.load(b + 2 * stepB), n = f64x2.add(na, nb);
    const noA = f64x2.eq(na, zero), noB = f64x2.eq(nb, zero), f = f64x2.div(nb, n);
    const ma = v128.load(a), mb = v128.load(b), qa = v128.load(a + stepA), qb = v128.load(b + stepB);
    const delta = f64x2.sub(mb, ma);
    const spread = f64x2.mul(f64x2.mul(delta, delta), f64x2.mul(na, f));
    put(a, choose(f64x2.add(ma, f64x2.mul(delta, f)), ma, mb, noA, noB), a + 16 <= end);
    put(a + stepA, choose(f64x2.add(f64x2.add(qa, qb), spread), qa, qb, noA, noB), a + 16 <= end);
    put(a + 2 * stepA, n, a + 16 <= end);
  }
}
