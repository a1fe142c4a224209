// What one vector of elements goes through, and the coefficients expanded for it.
import { Field, Flag, Slot, columnsPerChannel, fieldOf, hasFlag, scratchOf, scratchStride, sizeOf } from "./control";
import { read } from "./vec";

/** Scratch arrays of expanded coefficients, in T. */
export const enum Coefficient { center, scale, shift, gradShift, gradSlope, gradScale }

/** What y the ReLU mask of a gradient looks at: none, x's affine map, that plus the residual, the stored y. */
export const enum Mask { none, affine, residual, output }

export function maskOf(control: usize, aux: usize): Mask {
  if (!hasFlag(control, Flag.relu)) return Mask.none;
  if (hasFlag(control, Flag.auxIsOutput)) return Mask.output;
  return aux ? Mask.residual : Mask.affine;
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
  if (mask == Mask.output) {
    y = read<T, A>(aux, i);
  } else {
    const scale = coefficients + stride, shift = scale + stride;
    y = affine<T>(read<T, A>(x, i), read<T, A>(coefficients, i), read<T, A>(scale, i), read<T, A>(shift, i));
    if (mask == Mask.residual) y = v128.add<T>(y, read<T, A>(aux, i));
  }
  return v128.andnot(g, v128.le<T>(y, i64x2.splat(0)));
}

/** Writes a field's value for every slot: channels from `first` on, each `inner` times, all that `repeats` times. */
function expand<T>(field: usize, slots: usize, channels: usize, inner: usize, repeats: usize): void {
  for (let repeat: usize = 0; repeat < repeats; repeat++) {
    for (let p = field, end = field + (channels << 3); p < end; p += 8) {
      const value = <T>load<f64>(p);
      for (let i: usize = 0; i < inner; i++, slots += sizeof<T>()) store<T>(slots, value);
    }
  }
}

function expandFields<T>(
  control: usize, first: Field, last: Field, slots: usize,
  channel: usize, channels: usize, inner: usize, repeats: usize,
): void {
  for (let field = first; field <= last; field++, slots += scratchStride(control)) {
    expand<T>(fieldOf(control, field) + (channel << 3), slots, channels, inner, repeats);
  }
}

/** Center, scale, shift and, for gradInput, its own three: one row of `repeats` times all columns. */
export function expandColumns<T>(control: usize, repeats: usize, gradient: bool): void {
  const channels = sizeOf(control, Slot.channels), inner = columnsPerChannel(control);
  const slots = scratchOf(control);
  expandFields<T>(control, Field.center, Field.shift, slots, 0, channels, inner, repeats);
  if (!gradient) return;
  const more = slots + <usize>Coefficient.gradShift * scratchStride(control);
  expandFields<T>(control, Field.gradShift, Field.gradScale, more, 0, channels, inner, repeats);
}

/** The same for one channel of the planes walk: 16 slots. */
export function expandChannel<T>(control: usize, channel: usize, gradient: bool): void {
  const slots = scratchOf(control);
  expandFields<T>(control, Field.center, Field.shift, slots, channel, 1, 16, 1);
  if (!gradient) return;
  const more = slots + <usize>Coefficient.gradShift * scratchStride(control);
  expandFields<T>(control, Field.gradShift, Field.gradScale, more, channel, 1, 16, 1);
}
