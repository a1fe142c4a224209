// 16-bit storage: a tile's elements to float32 and back, by integer arithmetic, as native/storage.h does one by one.
import { Own, own } from "./control";
import { Storage } from "./layout";

// The constants of the loops stand in memory. V8 would put constants of the code together anew in every round, which
// takes longer than what is done with them.
const enum At { low15, bias, smallest, largest, infinity, magnitude, overflow, rounding, small, half }

@inline
function put(at: At, bits: u32): void {
  store<u32>(own(Own.constants) + (at << 2), bits);
}

function putConstants(): void {
  put(At.low15, 0x7fff);
  put(At.bias, 112 << 23);
  put(At.smallest, 113 << 23);
  put(At.largest, 0x7bff);
  put(At.infinity, 0x7f800000);
  put(At.magnitude, 0x7fffffff);
  put(At.overflow, 0x47800000);
  put(At.rounding, 0xc8000fff);
  put(At.small, 0x39000000);
  put(At.half, 0x3f000000);
}

@inline
function constant(at: At): v128 {
  return v128.load32_splat(own(Own.constants) + (at << 2));
}

/** binary16 → float32. */
function widenHalves(from: usize, p: usize, end: usize): void {
  const low15 = constant(At.low15), bias = constant(At.bias), largest = constant(At.largest);
  // 2^-14, as a number and as the step from a magnitude to it.
  const smallest = constant(At.smallest), infinity = constant(At.infinity);
  for (; from < end; from += 8, p += 16) {
    const bits = v128.load16x4_u(from);
    const magnitude = v128.and(bits, low15), shifted = i32x4.shl(magnitude, 13);
    const sign = i32x4.shl(v128.xor(bits, magnitude), 16);
    // Below 2^-14 a multiple of 2^-24: 2^-14 and that many of its units, less 2^-14. That is the smaller there alone.
    const small = f32x4.sub(i32x4.add(shifted, smallest), smallest);
    const value = i32x4.min_s(small, i32x4.add(shifted, bias));
    const large = v128.and(i32x4.gt_s(magnitude, largest), infinity);
    v128.store(p, v128.or(v128.or(value, large), sign));
  }
}

/** float32 → binary16, rounded to nearest, ties to even; a NaN stays quiet. */
function narrowHalves(from: usize, p: usize, end: usize): void {
  const mask = constant(At.magnitude), overflow = constant(At.overflow), rounding = constant(At.rounding);
  const smallEnd = constant(At.small), half = constant(At.half);
  for (; from < end; from += 16, p += 8) {
    const value = v128.load(from), magnitude = v128.and(value, mask);
    const clamped = i32x4.min_s(magnitude, overflow); // 2^16, which is rounded to infinity
    const odd = i32x4.shr_u(i32x4.shl(clamped, 18), 31);
    const normal = i32x4.shr_s(i32x4.add(i32x4.add(clamped, rounding), odd), 13);
    // Below 2^-14, where that is too small: the sum with 1/2 is rounded to multiples of 2^-24, which are its last bits.
    const small = i32x4.sub(f32x4.add(i32x4.min_s(clamped, smallEnd), half), half);
    const nan = i32x4.shr_u(f32x4.ne(value, value), 22);
    const sign = i32x4.shr_u(v128.xor(value, magnitude), 16);
    const result = v128.or(v128.or(i32x4.max_s(small, normal), nan), sign);
    v128.store64_lane(p, i16x8.narrow_i32x4_u(result, result), 0);
  }
}

function widenBFloats(from: usize, p: usize, end: usize): void {
  for (; from < end; from += 8, p += 16) v128.store(p, i32x4.shl(v128.load16x4_u(from), 16));
}

/** Rounded likewise. NaN is cut: what arithmetic or a bfloat16 made has its quiet bit in the upper half. */
function narrowBFloats(from: usize, p: usize, end: usize): void {
  const low15 = constant(At.low15);
  for (; from < end; from += 16, p += 8) {
    const value = v128.load(from);
    const odd = i32x4.shr_u(i32x4.shl(value, 15), 31);
    const half = v128.and(i32x4.add(odd, low15), f32x4.eq(value, value));
    const result = i32x4.shr_u(i32x4.add(value, half), 16);
    v128.store64_lane(p, i16x8.narrow_i32x4_u(result, result), 0);
  }
}

/** `count` elements, a multiple of 4, in the upper half of the memory at p, to float32 from p on. */
export function widen(storage: i32, p: usize, count: usize): void {
  const from = p + 2 * count, end = p + 4 * count;
  putConstants();
  if (storage == Storage.float16) widenHalves(from, p, end);
  else widenBFloats(from, p, end);
}

/** `count` float32 values, a multiple of 4, to elements in the lower half of their memory. */
export function narrow(storage: i32, p: usize, count: usize): void {
  const end = p + 4 * count;
  putConstants();
  if (storage == Storage.float16) narrowHalves(p, p, end);
  else narrowBFloats(p, p, end);
}
