// What one vector of elements goes through, and the coefficients expanded for it.
import { LANES } from "../common/blocks";
import { Field, Flag, Slot, fieldOf, getSlot, hasFlag, header } from "../common/control";

/** Scratch arrays of expanded coefficients, in T. */
export const enum Coefficient { center, scale, shift, gradShift, gradSlope, gradScale }

/** What y the mask of a gradient looks at: none, x's affine map, that plus the residual, the stored y. */
export const enum Mask { none, fromX, fromXAndResidual, stored }

export function maskOf(aux: usize): Mask {
  if (!hasFlag(Flag.relu)) return Mask.none;
  if (hasFlag(Flag.auxIsOutput)) return Mask.stored;
  return aux ? Mask.fromXAndResidual : Mask.fromX;
}

/** (x − center)·scale + shift. */
@inline
export function affine<T>(x: v128, center: v128, scale: v128, shift: v128): v128 {
  return v128.add<T>(v128.mul<T>(v128.sub<T>(x, center), scale), shift);
}

/** y < 0 ? 0 : y, which keeps NaN and −0. */
@inline
export function relu<T>(y: v128): v128 {
  return v128.andnot(y, v128.lt<T>(y, i64x2.splat(0)));
}

export const enum Activation { none, relu, leaky }

export function activationOf(): Activation {
  return hasFlag(Flag.leaky) ? Activation.leaky : hasFlag(Flag.relu) ? Activation.relu : Activation.none;
}

/** T(slope), and of the inverse T(1/slope). */
@inline
export function slopeOf<T>(inverse: bool): v128 {
  const slope = getSlot(Slot.slope);
  return v128.splat<T>(<T>(inverse ? 1 / slope : slope));
}

/** y ≤ zero ? v·slope : v. */
@inline
export function leaky<T>(v: v128, y: v128, slope: v128, zero: v128): v128 {
  return v128.bitselect(v128.mul<T>(v, slope), v, v128.le<T>(y, zero));
}

/** The largest value that is stored as 0: 2^-25 in binary16, 2^-134 in bfloat16. */
function largestZero<T>(): v128 {
  const storage = <i32>getSlot(Slot.storage);
  return v128.splat<T>(<T>(storage == 0 ? 0 : storage == 1 ? 2.9802322387695312e-8 : 4.591774807899561e-41));
}

/** Where masked gradients go: four rows of a panel of float64, and what vectors reach past them. */
export const masked: usize = (__heap_base + 15) & ~15;
const PIECE_BYTES: usize = 33_024;
/** Behind them the inputs of the activation, where x holds its output. */
export const MASKED_BYTES: usize = 2 * PIECE_BYTES;

/** Where the values are that masked gradients `g` belong to: at x, or made of it behind g. */
@inline
export function inputOf(x: usize, g: usize): usize {
  return hasFlag(Flag.inverse) ? g + PIECE_BYTES : x;
}

/** The masked gradient `at` bytes from each of these; what the mask does not look at is not read. */
@inline
function maskedAt<T>(
  mask: Mask, isLeaky: bool, x: usize, dy: usize, aux: usize, c: usize, toScale: usize, toShift: usize, at: usize,
  slope: v128, zero: v128,
): v128 {
  let y = zero;
  if (mask == Mask.stored) y = v128.load(aux + at);
  else y = affine<T>(v128.load(x + at), v128.load(c + at), v128.load(toScale + at), v128.load(toShift + at));
  if (mask == Mask.fromXAndResidual) y = v128.add<T>(y, v128.load(aux + at));
  const grad = v128.load(dy + at);
  return isLeaky ? leaky<T>(grad, y, slope, zero) : v128.andnot(grad, v128.le<T>(y, zero));
}

/**
 * The vectors of maskGrads, two at a time: one more than there are may be written. Mask and activation are constants
 * where it is called, so that no round of a loop asks for them.
 */
@inline
function maskVectors<T>(
  mask: Mask, isLeaky: bool, x: usize, dy: usize, aux: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  const slope = slopeOf<T>(false), zero = largestZero<T>(), step = advance << 5;
  let toScale = c + stride, toShift = toScale + stride;
  for (const end = g + bytes; g < end; g += 32) {
    v128.store(g, maskedAt<T>(mask, isLeaky, x, dy, aux, c, toScale, toShift, 0, slope, zero));
    v128.store(g, maskedAt<T>(mask, isLeaky, x, dy, aux, c, toScale, toShift, 16, slope, zero), 16);
    x += 32; dy += 32; aux += 32; c += step; toScale += step; toShift += step;
  }
}

/** The inputs of a leaky ReLU of whose outputs x is made, behind the masked gradients. */
function undoLeaky<T>(y: usize, g: usize, bytes: usize): void {
  const slope = slopeOf<T>(true), zero = i64x2.splat(0);
  for (let p = g + PIECE_BYTES, end = p + bytes; p < end; p += 16, y += 16) {
    const value = v128.load(y);
    v128.store(p, leaky<T>(value, value, slope, zero));
  }
}

/**
 * g: dy, or under an activation where y ≤ 0 dy·slope or 0; a NaN output passes dy. Of `bytes` bytes and what the last
 * vector reaches past them; `c` is where the first center stands, and advances by 0 or 1 for a byte.
 */
export function maskGrads<T>(
  mask: Mask, x: usize, dy: usize, aux: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  const isLeaky = hasFlag(Flag.leaky);
  if (hasFlag(Flag.inverse)) undoLeaky<T>(aux, g, bytes);
  if (mask == Mask.none) {
    memory.copy(g, dy, (bytes + 15) & ~15);
  } else if (mask == Mask.fromX) {
    if (isLeaky) maskVectors<T>(Mask.fromX, true, x, dy, aux, g, bytes, c, stride, advance);
    else maskVectors<T>(Mask.fromX, false, x, dy, aux, g, bytes, c, stride, advance);
  } else if (mask == Mask.fromXAndResidual) {
    if (isLeaky) maskVectors<T>(Mask.fromXAndResidual, true, x, dy, aux, g, bytes, c, stride, advance);
    else maskVectors<T>(Mask.fromXAndResidual, false, x, dy, aux, g, bytes, c, stride, advance);
  } else if (isLeaky) {
    maskVectors<T>(Mask.stored, true, x, dy, aux, g, bytes, c, stride, advance);
  } else {
    maskVectors<T>(Mask.stored, false, x, dy, aux, g, bytes, c, stride, advance);
  }
}

/** Writes a field's channels as slots: each `inner` times, all that `repeats` times. */
function expand(field: usize, slots: usize, channels: usize, inner: usize, repeats: usize): void {
  const size = header.size;
  for (let repeat: usize = 0; repeat < repeats; repeat++) {
    for (let p = field, end = field + (channels << 3); p < end; p += 8) {
      const value = load<f64>(p);
      for (let i: usize = 0; i < inner; i++, slots += size) {
        if (size == 4) store<f32>(slots, <f32>value);
        else store<f64>(slots, value);
      }
    }
  }
}

/** The scratch array of a field's slots: center, scale, shift, then gradInput's own three. */
@inline
function slotsOf(field: Field): usize {
  const array: usize = field <= Field.shift ? field - Field.center : field - Field.gradShift + Coefficient.gradShift;
  return header.scratch + array * header.scratchStride;
}

/** The coefficients of all columns as slots, `repeats` times. */
export function expandColumns(repeats: usize, gradient: bool): void {
  const channels = header.channels, inner = header.columnsPerChannel;
  const last = gradient ? Field.gradScale : Field.shift;
  for (let field = Field.center; field <= last; field++) {
    if (field == Field.sumG) field = Field.gradShift;
    expand(fieldOf(field), slotsOf(field), channels, inner, repeats);
  }
}

/** The coefficients of `channels` channels of the planes walk, each in as many slots as there are lanes. */
export function expandTile(channel: usize, channels: usize, gradient: bool): void {
  const bytes = LANES * header.size, last = gradient ? Field.gradScale : Field.shift;
  for (let field = Field.center; field <= last; field++) {
    if (field == Field.sumG) field = Field.gradShift;
    let slots = slotsOf(field);
    for (let p = fieldOf(field) + (channel << 3), end = p + (channels << 3); p < end; p += 8) {
      const value = header.size == 4 ? f32x4.splat(<f32>load<f64>(p)) : f64x2.splat(load<f64>(p));
      for (const stop = slots + bytes; slots < stop; slots += 16) v128.store(slots, value);
    }
  }
}
