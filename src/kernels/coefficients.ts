// O(C) maths between the sums and the element loops, all in float64: the coefficients that the
// kernels apply. Operation by operation part of the contract; native/coefficients.h and
// assembly/coefficients.ts repeat it for the fused kernels.
import type { Control } from "./control.js";
import { round, type Floats } from "../base/types.js";

/** r = 1/√(m2/count + ε) per channel, from the batch. Biased variance: training normalizes by count. */
export function batchInvStd(control: Control): void {
  const { m2, invStd } = control.fields;
  const count = control.get("count");
  const eps = control.get("eps");
  for (let c = 0; c < invStd.length; c++) invStd[c] = 1 / Math.sqrt(m2[c]! / count + eps);
}

/** r = 1/√(variance + ε) per channel, from a variance that is given. */
export function fixedInvStd(control: Control, variance: Floats): void {
  const { invStd } = control.fields;
  const eps = control.get("eps");
  for (let c = 0; c < invStd.length; c++) invStd[c] = 1 / Math.sqrt(variance[c]! + eps);
}

/**
 * y = (x − center)·scale + shift: center = T(mean), scale = T(γ·r), shift = T(β + (center − mean)·γ·r).
 * Centred, because x·α + β′ cancels when |mean| ≫ std; `shift` takes up what rounding the mean left over.
 */
export function affineCoefficients(control: Control): void {
  const { weight, bias, mean, invStd, center, scale, shift } = control.fields;
  const { isFloat32 } = control;
  for (let c = 0; c < mean.length; c++) {
    const p = weight[c]! * invStd[c]!;
    center[c] = round(isFloat32, mean[c]!);
    scale[c] = round(isFloat32, p);
    shift[c] = round(isFloat32, bias[c]! + (center[c]! - mean[c]!) * p);
  }
}

/** X = Σg·(x − mean), from U = Σg·(x − center) and S = Σg. */
export function centeredSum(control: Control, c: number): number {
  const { center, mean, sumG, sumGX } = control.fields;
  return sumGX[c]! + (center[c]! - mean[c]!) * sumG[c]!;
}

/**
 * dx = ((g − s) − (x − center)·t)·a: q = r²·X/count, t = T(q), s = T(S/count + (center − mean)·q), a = T(γ·r).
 * The form with one coefficient of order r³ underflows at large scales (43 % error at 1e25; this one 1.2e-7).
 */
export function gradCoefficients(control: Control): void {
  const { weight, mean, invStd, center, sumG, gradShift, gradSlope, gradScale } = control.fields;
  const { isFloat32 } = control;
  const count = control.get("count");
  for (let c = 0; c < mean.length; c++) {
    const r = invStd[c]!;
    const q = (r * r * centeredSum(control, c)) / count;
    gradSlope[c] = round(isFloat32, q);
    gradShift[c] = round(isFloat32, sumG[c]! / count + (center[c]! - mean[c]!) * q);
    gradScale[c] = round(isFloat32, weight[c]! * r);
  }
}
