// The gradient g that goes through an activation, a piece at a time.
import { TO_INPUT } from "../common/buffers";
import { getSlot, hasFlag, header, kindOf } from "../common/control";
import { Flag, Kind, Slot, Storage } from "../common/layout";
import { affine, leaky, leakyRun, slopeOf } from "./affine";
import { curveGrads } from "./curve";

/** What y the mask of a gradient looks at: none, the affine map of x, that plus the residual, the stored y. */
export const enum Mask { none, fromX, fromXAndResidual, stored }

export function maskOf(): Mask {
  if (!hasFlag(Flag.activation)) return Mask.none;
  if (hasFlag(Flag.holdsY) && kindOf() == Kind.rectifier) return Mask.stored;
  return header.residualOrY ? Mask.fromXAndResidual : Mask.fromX;
}

/** Where the values are that the masked gradients at `g` belong to: at x, or where they were made of the output. */
@inline
export function inputOf(x: usize, g: usize): usize {
  return hasFlag(Flag.fromOutput) ? g + TO_INPUT : x;
}

/** The largest value that is stored as 0: 2^-25 in binary16, 2^-134 in bfloat16. */
function largestZero<T>(): v128 {
  const storage = <i32>getSlot(Slot.storage);
  if (storage == Storage.own) return i64x2.splat(0);
  return v128.splat<T>(<T>(storage == Storage.float16 ? 2.9802322387695312e-8 : 4.591774807899561e-41));
}

/** The masked gradient `at` bytes from each of these. What the mask does not look at is not read. */
@inline
function maskedAt<T>(
  mask: Mask, isLeaky: bool, x: usize, dy: usize, other: usize, c: usize, toScale: usize, toShift: usize, at: usize,
  slope: v128, zero: v128,
): v128 {
  let y = zero;
  if (mask == Mask.stored) y = v128.load(other + at);
  else y = affine<T>(v128.load(x + at), v128.load(c + at), v128.load(toScale + at), v128.load(toShift + at));
  if (mask == Mask.fromXAndResidual) y = v128.add<T>(y, v128.load(other + at));
  const grad = v128.load(dy + at);
  return isLeaky ? leaky<T>(grad, y, slope, zero) : v128.andnot(grad, v128.le<T>(y, zero));
}

/**
 * The vectors of a piece, two at a time: one more than there are may be written. `other` is the residual or y. Where
 * mask and activation are constants of the caller, no round of the loop asks for them.
 */
@inline
function maskVectors<T>(
  mask: Mask, isLeaky: bool, x: usize, dy: usize, other: usize, g: usize, bytes: usize, c: usize, stride: usize,
  advance: usize,
): void {
  const zero = largestZero<T>(), slope = isLeaky ? v128.splat<T>(<T>slopeOf()) : zero, step = advance << 5;
  let toScale = c + stride, toShift = toScale + stride;
  for (const end = g + bytes; g < end; g += 32) {
    v128.store(g, maskedAt<T>(mask, isLeaky, x, dy, other, c, toScale, toShift, 0, slope, zero));
    v128.store(g, maskedAt<T>(mask, isLeaky, x, dy, other, c, toScale, toShift, 16, slope, zero), 16);
    x += 32; dy += 32; other += 32; c += step; toScale += step; toShift += step;
  }
}

// A function for each mask: of calls that differ by a constant alone, the compiler would make one loop that asks for
// it.
function maskFromX<T>(
  x: usize, dy: usize, other: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  maskVectors<T>(Mask.fromX, false, x, dy, other, g, bytes, c, stride, advance);
}

function maskFromSum<T>(
  x: usize, dy: usize, other: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  maskVectors<T>(Mask.fromXAndResidual, false, x, dy, other, g, bytes, c, stride, advance);
}

function maskStored<T>(
  x: usize, dy: usize, other: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  maskVectors<T>(Mask.stored, false, x, dy, other, g, bytes, c, stride, advance);
}

/** A leaky ReLU alone asks for its mask in every round: a loop for each mask is not worth its size. */
@inline
function maskTyped<T>(
  mask: Mask, x: usize, dy: usize, other: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  if (hasFlag(Flag.leaky)) maskVectors<T>(mask, true, x, dy, other, g, bytes, c, stride, advance);
  else if (mask == Mask.fromX) maskFromX<T>(x, dy, other, g, bytes, c, stride, advance);
  else if (mask == Mask.stored) maskStored<T>(x, dy, other, g, bytes, c, stride, advance);
  else maskFromSum<T>(x, dy, other, g, bytes, c, stride, advance);
}

/**
 * Writes g for `bytes` bytes, and for what the last vector reaches past them: dy, or under an activation where y ≤ 0
 * dy·slope or 0. A NaN output passes dy. The first center stands at `c`, which advances by 0 or 1 for a byte.
 */
export function maskGrads(
  mask: Mask, x: usize, dy: usize, other: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  if (mask == Mask.none) return memory.copy(g, dy, (bytes + 15) & ~15);
  if (kindOf() != Kind.rectifier) {
    const residual = mask == Mask.fromXAndResidual ? other : 0;
    if (header.size == 4) curveGrads<f32>(x, dy, residual, g, bytes, c, stride, advance);
    else curveGrads<f64>(x, dy, residual, g, bytes, c, stride, advance);
    return;
  }
  if (header.size == 4) {
    if (hasFlag(Flag.fromOutput)) leakyRun<f32>(other, g + TO_INPUT, (bytes + 15) & ~15, 1 / slopeOf());
    maskTyped<f32>(mask, x, dy, other, g, bytes, c, stride, advance);
  } else {
    if (hasFlag(Flag.fromOutput)) leakyRun<f64>(other, g + TO_INPUT, (bytes + 15) & ~15, 1 / slopeOf());
    maskTyped<f64>(mask, x, dy, other, g, bytes, c, stride, advance);
  }
}
