// Vectors: T is the data's type, A the accumulators' (float64 for T = float32 in the escape).
// A strip is four vectors of A, so the contract's 16 lanes are one strip of float32 or two of float64.

/** Values in a strip. */
@inline
export function stripWidth<A>(): usize {
  return 64 / sizeof<A>();
}

/** Vector `i` of the strip at p, still in T: only the low half is filled where A is wider. */
@inline
export function read<T, A>(p: usize, i: usize): v128 {
  return sizeof<T>() == sizeof<A>() ? v128.load(p + i * 16) : v128.load_zero<u64>(p + i * 8);
}

@inline
export function widen<T, A>(v: v128): v128 {
  return sizeof<T>() == sizeof<A>() ? v : f64x2.promote_low_f32x4(v);
}

/** All bits of vector `i` in the first `valid` lanes of a strip. */
@inline
export function laneMask<A>(i: i32, valid: i32): v128 {
  return sizeof<A>() == 4
    ? i32x4.gt_s(i32x4.splat(valid - 4 * i), i32x4(0, 1, 2, 3))
    : i64x2.gt_s(i64x2.splat(<i64>(valid - 2 * i)), i64x2(0, 1));
}

/** Stores the first `count` lanes, fewer than a vector has. */
@inline
export function storePartial<T>(p: usize, v: v128, count: usize): void {
  if (sizeof<T>() == 8) {
    v128.store64_lane(p, v, 0);
  } else if (count == 1) {
    v128.store32_lane(p, v, 0);
  } else {
    v128.store64_lane(p, v, 0);
    if (count == 3) v128.store32_lane(p, v, 2, 8);
  }
}
