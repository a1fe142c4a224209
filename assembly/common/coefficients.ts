// O(C) maths in float64 for the fused kernels: `merge` of src/moments.ts and the functions of
// src/coefficients.ts for one channel, operation by operation.
import { Field, Slot, fieldOf, getSlot, header } from "./control";
import { storePartial } from "./vec";

/** Rounds once to the data's type. */
@inline
function round(value: f64): f64 {
  return header.size == 8 ? value : <f64><f32>value;
}

/**
 * Moments of `countA` values a column, kept at the pointers `mean` and `m2`, followed by those of `countB`
 * values. Count 0 is the identity.
 */
export function merge(
  mean: usize, m2: usize, countA: f64, countB: f64, meanB: usize, m2B: usize, columns: usize,
): void {
  if (countB == 0) return;
  const f = countB / (countA + countB);
  const part = f64x2.splat(f), weight = f64x2.splat(countA * f);
  for (let at: usize = 0, end = columns << 3; at < end; at += 16) {
    let newMean = v128.load(meanB + at), newM2 = v128.load(m2B + at);
    if (countA != 0) {
      const old = v128.load(mean + at), delta = f64x2.sub(newMean, old);
      newMean = f64x2.add(old, f64x2.mul(delta, part));
      newM2 = f64x2.add(f64x2.add(v128.load(m2 + at), newM2), f64x2.mul(f64x2.mul(delta, delta), weight));
    }
    if (at + 16 <= end) {
      v128.store(mean + at, newMean);
      v128.store(m2 + at, newM2);
    } else {
      storePartial<f64>(mean + at, newMean, 1);
      storePartial<f64>(m2 + at, newM2, 1);
    }
  }
}

@inline
function get(field: Field, c: usize): f64 {
  return load<f64>(fieldOf(field) + (c << 3));
}

@inline
function set(field: Field, c: usize, value: f64): void {
  store<f64>(fieldOf(field) + (c << 3), value);
}

/** r = 1/√(m2/count + ε), then center = T(mean), scale = T(γ·r), shift = T(β + (center − mean)·γ·r). */
function affineOf(c: usize): void {
  const mean = get(Field.mean, c);
  const variance = get(Field.m2, c) / getSlot(Slot.count);
  const r = 1 / sqrt<f64>(variance + getSlot(Slot.eps));
  const p = get(Field.weight, c) * r;
  const center = round(mean);
  set(Field.invStd, c, r);
  set(Field.center, c, center);
  set(Field.scale, c, round(p));
  set(Field.shift, c, round(get(Field.bias, c) + (center - mean) * p));
}

/** Those of `channels` channels from `channel` on. */
export function affineCoefficients(channel: usize, channels: usize): void {
  for (let c = channel; c < channel + channels; c++) affineOf(c);
}

/** X = U + (center − mean)·S, q = r²·X/count, t = T(q), s = T(S/count + (center − mean)·q), a = T(γ·r). */
function gradientOf(c: usize): void {
  const count = getSlot(Slot.count);
  const r = get(Field.invStd, c);
  const rest = get(Field.center, c) - get(Field.mean, c);
  const sumG = get(Field.sumG, c);
  const q = ((r * r) * (get(Field.sumGX, c) + rest * sumG)) / count;
  set(Field.gradSlope, c, round(q));
  set(Field.gradShift, c, round(sumG / count + rest * q));
  set(Field.gradScale, c, round(get(Field.weight, c) * r));
}

/** Those of `channels` channels from `channel` on. */
export function gradCoefficients(channel: usize, channels: usize): void {
  for (let c = channel; c < channel + channels; c++) gradientOf(c);
}
