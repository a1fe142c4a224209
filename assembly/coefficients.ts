// O(C) maths in float64 for the fused kernels: `merge` of src/moments.ts and the functions of
// src/coefficients.ts for one channel, operation by operation.
import { Field, Slot, fieldOf, getSlot } from "./control";

/** Rounds once to the data's type. */
@inline
export function round<T>(value: f64): f64 {
  return <f64><T>value;
}

/**
 * Moments of `countA` values, kept at the pointers `mean` and `m2`, followed by those of `countB`
 * values. Count 0 is the identity.
 */
export function merge(mean: usize, m2: usize, countA: f64, countB: f64, meanB: f64, m2B: f64): void {
  if (countB == 0) return;
  if (countA == 0) {
    store<f64>(mean, meanB);
    store<f64>(m2, m2B);
    return;
  }
  const f = countB / (countA + countB);
  const delta = meanB - load<f64>(mean);
  store<f64>(mean, load<f64>(mean) + delta * f);
  store<f64>(m2, (load<f64>(m2) + m2B) + (delta * delta) * (countA * f));
}

@inline
function get(control: usize, field: Field, c: usize): f64 {
  return load<f64>(fieldOf(control, field) + (c << 3));
}

@inline
function set(control: usize, field: Field, c: usize, value: f64): void {
  store<f64>(fieldOf(control, field) + (c << 3), value);
}

/** r = 1/√(m2/count + ε), then center = T(mean), scale = T(γ·r), shift = T(β + (center − mean)·γ·r). */
export function affineCoefficients<T>(control: usize, c: usize): void {
  const mean = get(control, Field.mean, c);
  const variance = get(control, Field.m2, c) / getSlot(control, Slot.count);
  const r = 1 / sqrt<f64>(variance + getSlot(control, Slot.eps));
  const p = get(control, Field.weight, c) * r;
  const center = round<T>(mean);
  set(control, Field.invStd, c, r);
  set(control, Field.center, c, center);
  set(control, Field.scale, c, round<T>(p));
  set(control, Field.shift, c, round<T>(get(control, Field.bias, c) + (center - mean) * p));
}

/** X = U + (center − mean)·S, q = r²·X/count, t = T(q), s = T(S/count + (center − mean)·q), a = T(γ·r). */
export function gradCoefficients<T>(control: usize, c: usize): void {
  const count = getSlot(control, Slot.count);
  const r = get(control, Field.invStd, c);
  const rest = get(control, Field.center, c) - get(control, Field.mean, c);
  const sumG = get(control, Field.sumG, c);
  const q = ((r * r) * (get(control, Field.sumGX, c) + rest * sumG)) / count;
  set(control, Field.gradSlope, c, round<T>(q));
  set(control, Field.gradShift, c, round<T>(sumG / count + rest * q));
  set(control, Field.gradScale, c, round<T>(get(control, Field.weight, c) * r));
}
