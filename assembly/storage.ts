// 16-bit storage: a tile's elements to float32 and back, by integer arithmetic, as native/storage.h does one by one.

/** What the header's `storage` says. */
const enum Storage { own, half, bfloat }

/** binary16 in 32 bits each → float32: all three answers, and a choice. */
function widenHalf(bits: v128): v128 {
  const magnitude = v128.and(bits, i32x4.splat(0x7fff)), shifted = i32x4.shl(magnitude, 13);
  const sign = i32x4.shl(v128.xor(bits, magnitude), 16);
  const bias = i32x4.add(shifted, i32x4.splat(112 << 23));
  // Below 2^-14 a multiple of 2^-24: 2^-14 and that many of its units, less 2^-14.
  const units = i32x4.add(shifted, i32x4.splat(113 << 23));
  const small = f32x4.sub(units, f32x4.splat(6.103515625e-5));
  const large = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(0x7f800000));
  const value = v128.bitselect(small, bias, i32x4.lt_s(magnitude, i32x4.splat(0x0400)));
  return v128.or(v128.or(value, large), sign);
}

/** float32 → binary16 in 32 bits each, rounded to nearest, ties to even; a NaN stays quiet. */
function narrowHalf(value: v128): v128 {
  const magnitude = v128.and(value, i32x4.splat(0x7fffffff));
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xfff - (112 << 23))), odd), 13);
  // The sum with 1/2 is rounded to multiples of 2^-24, which are its last bits.
  const small = i32x4.sub(f32x4.add(magnitude, f32x4.splat(0.5)), i32x4.splat(0x3f000000));
  const nan = v128.and(f32x4.ne(value, value), i32x4.splat(0x0200));
  const large = v128.or(i32x4.splat(0x7c00), nan);
  const finite = v128.bitselect(small, normal, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  const result = v128.bitselect(large, finite, i32x4.gt_s(magnitude, i32x4.splat(0x477fffff)));
  return v128.or(result, v128.and(i32x4.shr_u(value, 16), i32x4.splat(0x8000)));
}

/** float32 → bfloat16 in 32 bits each, likewise. */
function narrowBFloat(value: v128): v128 {
  const odd = v128.and(i32x4.shr_u(value, 16), i32x4.splat(1));
  const rounded = i32x4.add(value, i32x4.add(odd, i32x4.splat(0x7fff)));
  const quiet = v128.or(value, i32x4.splat(0x400000));
  return i32x4.shr_u(v128.bitselect(quiet, rounded, f32x4.ne(value, value)), 16);
}

/** `count` elements, a multiple of 8, in the upper half of the memory at p, to float32 from p on. */
export function widen(storage: i32, p: usize, count: usize): void {
  for (let from = p + 2 * count, end = p + 4 * count; from < end; from += 16, p += 32) {
    const v = v128.load(from);
    const low = i32x4.extend_low_i16x8_u(v), high = i32x4.extend_high_i16x8_u(v);
    v128.store(p, storage == Storage.half ? widenHalf(low) : i32x4.shl(low, 16));
    v128.store(p, storage == Storage.half ? widenHalf(high) : i32x4.shl(high, 16), 16);
  }
}

/** `count` float32 values, a multiple of 8, to elements in the lower half of their memory. */
export function narrow(storage: i32, p: usize, count: usize): void {
  for (let from = p, end = p + 4 * count; from < end; from += 32, p += 16) {
    const a = v128.load(from), b = v128.load(from, 16);
    const low = storage == Storage.half ? narrowHalf(a) : narrowBFloat(a);
    const high = storage == Storage.half ? narrowHalf(b) : narrowBFloat(b);
    v128.store(p, i16x8.narrow_i32x4_u(low, high));
  }
}
