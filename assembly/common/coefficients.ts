// The coefficients of the channels, in float64, for the fused kernels: those of the TypeScript sources, operation by
// operation.
import { fieldOf, getSlot, header } from "./control";
import { Field, Slot } from "./layout";

/** Rounds once to the data's type. */
@inline
function round(value: f64): f64 {
  return header.size == 8 ? value : <f64><f32>value;
}

@inline
function get(field: Field, c: usize): f64 {
  return load<f64>(fieldOf(field) + (c << 3));
}

@inline
function set(field: Field, c: usize, value: f64): void {
  store<f64>(fieldOf(field) + (c << 3), value);
}

/** r = 1/√(m2/count + ε) of `channels` channels, or 0 where that is no number: without values, and where v + ε = 0. */
export function invStds(channel: usize, channels: usize): void {
  const count = getSlot(Slot.count), eps = getSlot(Slot.eps);
  for (let c = channel; c < channel + channels; c++) {
    const variance = get(Field.m2, c) / count + eps;
    set(Field.invStd, c, count == 0 || variance == 0 ? 0 : 1 / sqrt<f64>(variance));
  }
}

/** center = T(mean), scale = T(γ·r), shift = T(β + (center − mean)·γ·r) of `channels` channels. */
export function affineCoefficients(channel: usize, channels: usize): void {
  for (let c = channel; c < channel + channels; c++) {
    const mean = get(Field.mean, c);
    const p = get(Field.weight, c) * get(Field.invStd, c);
    const center = round(mean);
    set(Field.center, c, center);
    set(Field.scale, c, round(p));
    set(Field.shift, c, round(get(Field.bias, c) + (center - mean) * p));
  }
}

/**
 * X = U + (center − mean)·S, q = r²·X/count, t = T(q), s = T(S/count + (center − mean)·q), a = T(γ·r) of `channels`
 * channels. Without values, s = t = 0.
 */
export function gradCoefficients(channel: usize, channels: usize): void {
  const count = getSlot(Slot.count);
  for (let c = channel; c < channel + channels; c++) {
    const r = get(Field.invStd, c);
    const rest = get(Field.center, c) - get(Field.mean, c);
    const sumG = get(Field.sumG, c);
    let q: f64 = 0, s: f64 = 0;
    if (count != 0) {
      q = ((r * r) * (get(Field.sumGX, c) + rest * sumG)) / count;
      s = sumG / count + rest * q;
    }
    set(Field.gradSlope, c, round(q));
    set(Field.gradShift, c, round(s));
    set(Field.gradScale, c, round(get(Field.weight, c) * r));
  }
}
