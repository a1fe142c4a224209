// The coefficients of channels, expanded to scratch arrays in the data's type as the loops go through them.
import { fieldOf, header, kindOf } from "../common/control";
import { Field, Kind, LANES, Traversal } from "../common/layout";
import { expand } from "../common/scratch";
import { spread } from "../common/vec";

/** The scratch arrays of coefficients: one in each slot of a panel, or in as many slots as there are lanes. */
export const enum Coefficient { center, scale, shift, gradShift, gradSlope, gradScale, curveSlope }

/**
 * Expands the coefficients of `channels` channels: of a tile of the planes traversal each in as many slots as there
 * are lanes, otherwise in those of its columns, and all of them `repeats` times. `gradient`: also those of the
 * gradients. The slopes of a PReLU are there with either.
 */
export function expandCoefficients(channel: usize, channels: usize, repeats: usize, gradient: bool): void {
  const last = gradient ? Coefficient.gradScale : Coefficient.shift;
  for (let i: i32 = Coefficient.center; i <= last; i++) {
    const field = i + (i < Coefficient.gradShift ? Field.center : Field.gradShift - Coefficient.gradShift);
    expandField(field, i, channel, channels, repeats);
  }
  if (kindOf() == Kind.prelu) expandField(Field.slope, Coefficient.curveSlope, channel, channels, repeats);
}

function expandField(field: i32, index: i32, channel: usize, channels: usize, repeats: usize): void {
  const size = header.size, bytes = LANES * size, values = fieldOf(field) + (channel << 3);
  let slots = header.scratch + <usize>index * header.scratchStride;
  if (header.traversal != Traversal.planes) return expand(values, slots, channels, header.inner, repeats, size);
  const end = values + (channels << 3);
  for (let p = values; p < end; p += 8, slots += bytes) spread(slots, load<f64>(p), bytes, size);
}
