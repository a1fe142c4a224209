// Vectors. T is the type that is computed with: the data's own, or float64 in the escape, for values that were
// widened. A strip is four vectors, so the contract's 16 lanes are one strip of float32 or two of float64.

/** Values in a strip. */
@inline
export function stripWidth<T>(): usize {
  return 64 / sizeof<T>();
}

/** All bits of vector `i` in the first `valid` lanes of a strip. */
@inline
export function laneMask<T>(i: i32, valid: i32): v128 {
  return sizeof<T>() == 4
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

/** Where the last vector of a run of `bytes` bytes begins. */
@inline
export function lastOf(bytes: usize): usize {
  return bytes >= 16 ? bytes - 16 : 0;
}

/**
 * Stores the last vector of a run. It has to be computed before the others are stored: it may overlap them, and y may
 * be an input.
 */
@inline
export function storeLast<T>(y: usize, z: v128, bytes: usize): void {
  if (bytes >= 16) v128.store(y + bytes - 16, z);
  else storePartial<T>(y, z, bytes / sizeof<T>());
}

/** Two values of `size` bytes as float64. */
@inline
export function readPair(p: usize, size: usize): v128 {
  return size == 8 ? v128.load(p) : f64x2.promote_low_f32x4(v128.load_zero<u64>(p));
}

/** Stores two float64 as values of `size` bytes. */
@inline
export function storePair(p: usize, v: v128, size: usize): void {
  if (size == 8) v128.store(p, v);
  else v128.store64_lane(p, f32x4.demote_f64x2_zero(v), 0);
}

/** Two float64 rounded once to the data's type, of `size` bytes. */
@inline
export function roundPair(v: v128, size: usize): v128 {
  return size == 8 ? v : f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(v));
}

/** All bits where a float64 is finite. */
@inline
export function finite(v: v128): v128 {
  return f64x2.eq(f64x2.sub(v, v), f64x2.splat(0));
}

/** All bits of lane i where bit i is set. */
@inline
export function pairMask(bits: u32): v128 {
  return i64x2.ne(v128.and(i64x2.splat(<i64>bits), i64x2(1, 2)), i64x2.splat(0));
}

/** v, or +0 where w is 0. */
@inline
export function whereWeighted<T>(v: v128, w: v128): v128 {
  return v128.andnot(v, v128.le<T>(w, i64x2.splat(0)));
}

/** Fills `bytes` bytes, a multiple of 16, with a value rounded to `size` bytes. */
@inline
export function spread(p: usize, value: f64, bytes: usize, size: usize): void {
  const v = size == 4 ? f32x4.splat(<f32>value) : f64x2.splat(value);
  for (const end = p + bytes; p < end; p += 16) v128.store(p, v);
}

/** Zeros, in whole vectors. For few bytes this is quicker than memory.fill, which engines make a call of. */
export function clear(p: usize, bytes: usize): void {
  for (const end = p + bytes; p < end; p += 16) v128.store(p, i64x2.splat(0));
}
