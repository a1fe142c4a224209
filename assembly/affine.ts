// What one vector of elements goes through, and the coefficients expanded for it.
import { Field, Flag, Slot, columnsPerChannel, fieldOf, hasFlag, scratchOf, scratchStride, sizeOf } from "./control";
import { read } from "./vec";

/** Scratch arrays of expanded coefficients, in T. */
export const enum Coefficient { center, scale, shift, gradShift, gradSlope, gradScale }

/** What y the ReLU mask of a gradient looks at: none, x's affine map, that plus the residual, the stored y. */
export const enum Mask { none, fromX, fromXAndResidual, stored }

export function maskOf(control: usize, aux: usize): Mask {
  if (!hasFlag(control, Flag.relu)) return Mask.none;
  if (hasFlag(control, Flag.auxIsOutput)) return Mask.stored;
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

/** g: dy, or 0 where y ≤ 0; a NaN output passes dy. Vector `i` at the pointers, coefficients `stride` apart. */
@inline
export function maskedGrad<T, A>(
  mask: Mask, x: usize, dy: usize, aux: usize, i: usize, coefficients: usize, stride: usize,
): v128 {
  const g = read<T, A>(dy, i);
  if (mask == Mask.none) return g;
  let y: v128;
  if (mask == Mask.stored) {
    y = read<T, A>(aux, i);
  } else {
    const scale = coefficients + stride, shift = scale + stride;
    y = affine<T>(read<T, A>(x, i), read<T, A>(coefficients, i), read<T, A>(scale, i), read<T, A>(shift, i));
    if (mask == Mask.fromXAndResidual) y = v128.add<T>(y, read<T, A>(aux, i));
  }
  return v128.andnot(g, v128.le<T>(y, i64x2.splat(0)));
}

/** Writes a field's channels as slots: each `inner` times, all that `repeats` times. */
function expand<T>(field: usize, slots: usize, channels: usize, inner: usize, repeats: usize): void {
  for (let repeat: usize = 0; repeat < repeats; repeat++) {
    for (let p = field, end = field + (channels << 3); p < end; p += 8) {
      const value = <T>load<f64>(p);
      for (let i: usize = 0; i < inner; i++, slots += sizeof<T>()) store<T>(slots, value);
    }
  }
}

/** The scratch array of a field's slots: center, scale, shift, then gradInput's own three. */
@inline
function slotsOf(control: usize, field: Field): usize {
  const array: usize = field <= Field.shift ? field - Field.center : field - Field.gradShift + Coefficient.gradShift;
  return scratchOf(control) + array * scratchStride(control);
}

/** The coefficients of all columns as slots, `repeats` times. */
export function expandColumns<T>(control: usize, repeats: usize, gradient: bool): void {
  const channels = sizeOf(control, Slot.channels), inner = columnsPerChannel(control);
  const last = gradient ? Field.gradScale : Field.shift;
  for (let field = Field.center; field <= last; field++) {
    if (field == Field.sumG) field = Field.gradShift;
    expand<T>(fieldOf(control, field), slotsOf(control, field), channels, inner, repeats);
  }
}

/** The coefficients of one channel of the planes walk as `vectors` vectors of slots. */
export function expandChannel<T>(control: usize, channel: usize, vectors: usize, gradient: bool): void {
  const last = gradient ? Field.gradScale : Field.shift;
  for (let field = Field.center; field <= last; field++) {
    if (field == Field.sumG) field = Field.gradShift;
    const value = v128.splat<T>(<T>load<f64>(fieldOf(control, field) + (channel << 3)));
    const slots = slotsOf(control, field);
    for (let i: usize = 0; i < vectors; i++) v128.store(slots + (i << 4), value);
  }
}
