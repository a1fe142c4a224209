// What one vector of elements goes through.
import { Flag, Kind, Slot } from "../common/layout";
import { getSlot, hasFlag, kindOf } from "../common/control";
import { lastOf, storeLast } from "../common/vec";

/** (x − center)·scale + shift. */
@inline
export function affine<T>(x: v128, center: v128, scale: v128, shift: v128): v128 {
  return v128.add<T>(v128.mul<T>(v128.sub<T>(x, center), scale), shift);
}

export const enum Activation { none, relu, leaky, curve }

export function activationOf(): Activation {
  if (kindOf() != Kind.rectifier) return Activation.curve;
  return hasFlag(Flag.leaky) ? Activation.leaky : hasFlag(Flag.activation) ? Activation.relu : Activation.none;
}

/** y < 0 ? 0 : y, which keeps NaN and −0. */
@inline
export function relu<T>(y: v128): v128 {
  return v128.andnot(y, v128.lt<T>(y, i64x2.splat(0)));
}

/** y ≤ zero ? v·slope : v. */
@inline
export function leaky<T>(v: v128, y: v128, slope: v128, zero: v128): v128 {
  return v128.bitselect(v128.mul<T>(v, slope), v, v128.le<T>(y, zero));
}

/** Leaky ReLU of `bytes` bytes, which may stay where they are. */
export function leakyRun<T>(from: usize, to: usize, bytes: usize, slope: f64): void {
  const last = lastOf(bytes), factor = v128.splat<T>(<T>slope), zero = i64x2.splat(0), tail = v128.load(from + last);
  for (let at: usize = 0; at < last; at += 16) {
    const z = v128.load(from + at);
    v128.store(to + at, leaky<T>(z, z, factor, zero));
  }
  storeLast<T>(to, leaky<T>(tail, tail, factor, zero), bytes);
}

/** The slope of a leaky ReLU. */
@inline
export function slopeOf(): f64 {
  return getSlot(Slot.slope);
}
