// The coefficients of the channels, in float64, for the fused kernels: those of the TypeScript sources, operation by
// operation, for two channels at once. What stands behind the last channel is read, but not written.
import { fieldOf, getSlot, header } from "./control";
import { Field, Slot } from "./layout";
import { roundPair, storePartial } from "./vec";

/** The values of channels c and c + 1. */
@inline
function get(field: Field, c: usize): v128 {
  return v128.load(fieldOf(field) + (c << 3));
}

@inline
function set(field: Field, c: usize, values: v128, end: usize): void {
  const p = fieldOf(field) + (c << 3);
  if (c + 2 <= end) v128.store(p, values);
  else storePartial<f64>(p, values, 1);
}

/** Rounded once to the data's type. */
@inline
function round(values: v128): v128 {
  return roundPair(values, header.size);
}

/** r = 1/√(m2/count + ε) of `channels` channels, or 0 where that is no number: without values, and where v + ε = 0. */
export function invStds(channel: usize, channels: usize): void {
  const count = f64x2.splat(getSlot(Slot.count)), eps = f64x2.splat(getSlot(Slot.eps));
  const one = f64x2.splat(1), zero = f64x2.splat(0), isEmpty = f64x2.eq(count, zero), end = channel + channels;
  for (let c = channel; c < end; c += 2) {
    const variance = f64x2.add(f64x2.div(get(Field.m2, c), count), eps);
    const none = v128.or(isEmpty, f64x2.eq(variance, zero));
    set(Field.invStd, c, v128.andnot(f64x2.div(one, f64x2.sqrt(variance)), none), end);
  }
}

/** center = T(mean), scale = T(γ·r), shift = T(β + (center − mean)·γ·r) of `channels` channels. */
export function affineCoefficients(channel: usize, channels: usize): void {
  for (let c = channel, end = channel + channels; c < end; c += 2) {
    const mean = get(Field.mean, c), center = round(mean);
    const p = f64x2.mul(get(Field.weight, c), get(Field.invStd, c));
    set(Field.center, c, center, end);
    set(Field.scale, c, round(p), end);
    set(Field.shift, c, round(f64x2.add(get(Field.bias, c), f64x2.mul(f64x2.sub(center, mean), p))), end);
  }
}

/**
 * X = U + (center − mean)·S, q = r²·X/count, t = T(q), s = T(S/count + (center − mean)·q), a = T(γ·r) of `channels`
 * channels. Without values, s = t = 0.
 */
export function gradCoefficients(channel: usize, channels: usize): void {
  const count = f64x2.splat(getSlot(Slot.count)), isEmpty = f64x2.eq(count, f64x2.splat(0));
  for (let c = channel, end = channel + channels; c < end; c += 2) {
    const r = get(Field.invStd, c), rest = f64x2.sub(get(Field.center, c), get(Field.mean, c));
    const S = get(Field.sumG, c), X = f64x2.add(get(Field.sumGX, c), f64x2.mul(rest, S));
    const q = f64x2.div(f64x2.mul(f64x2.mul(r, r), X), count), s = f64x2.add(f64x2.div(S, count), f64x2.mul(rest, q));
    set(Field.gradSlope, c, v128.andnot(round(q), isEmpty), end);
    set(Field.gradShift, c, v128.andnot(round(s), isEmpty), end);
    set(Field.gradScale, c, round(f64x2.mul(get(Field.weight, c), r)), end);
  }
}
