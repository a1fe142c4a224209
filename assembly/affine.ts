// What one vector of elements goes through, and the coefficients expanded for it.
import { Field, Flag, Slot, fieldOf, getSlot, hasFlag, header } from "./control";

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

/**
 * g: dy, or under an activation where y ≤ 0 dy·slope or 0; a NaN output passes dy. Of `bytes` bytes and what the last
 * vector reaches past them; `c` is where the first center stands, and advances by 0 or 1 for a byte.
 */
export function maskGrads<T>(
  mask: Mask, x: usize, dy: usize, aux: usize, g: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  const step = advance << 4, toScale = stride, toShift = stride << 1;
  const isLeaky = hasFlag(Flag.leaky), inverse = hasFlag(Flag.inverse);
  const slope = slopeOf<T>(false), inverseSlope = slopeOf<T>(true), zero = largestZero<T>();
  for (let at: usize = 0; at < bytes; at += 16, c += step) {
    let y = v128.load(aux + at);
    if (mask != Mask.stored) {
      const z = affine<T>(v128.load(x + at), v128.load(c), v128.load(c + toScale), v128.load(c + toShift));
      y = mask == Mask.fromX ? z : v128.add<T>(z, y);
    }
    const grad = v128.load(dy + at);
    let z = grad;
    if (isLeaky) z = leaky<T>(grad, y, slope, zero);
    else if (mask != Mask.none) z = v128.andnot(grad, v128.le<T>(y, zero));
    v128.store(g + at, z);
    if (inverse) v128.store(g + PIECE_BYTES + at, leaky<T>(y, y, inverseSlope, i64x2.splat(0)));
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

/** A channel's coefficient in all lanes. */
@inline
export function splat<T>(field: Field, channel: usize): v128 {
  return v128.splat<T>(<T>load<f64>(fieldOf(field) + (channel << 3)));
}

/** The coefficients of one channel of the planes walk as `vectors` vectors of slots each. */
export function expandChannel(channel: usize, vectors: usize, gradient: bool): void {
  const last = gradient ? Field.gradScale : Field.shift;
  for (let field = Field.center; field <= last; field++) {
    if (field == Field.sumG) field = Field.gradShift;
    const value = header.size == 4 ? splat<f32>(field, channel) : splat<f64>(field, channel);
    const slots = slotsOf(field);
    for (let i: usize = 0; i < vectors; i++) v128.store(slots + (i << 4), value);
  }
}
