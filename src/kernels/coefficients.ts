// O(C) maths between the sums and the element loops, all in float64: the coefficients that the
// kernels apply. Operation by operation part of the contract; native/coefficients.h and
// assembly/common/coefficients.ts repeat it for the fused kernels.
import type { Control, Fields } from "./control.js";
import { round, type Floats } from "../base/types.js";

/** r = 1/√(v + ε), and 0 where v + ε is 0: a constant channel without ε gives y = β and dx = 0, never NaN. */
function invStdOf(variance: number, eps: number): number {
  const v = variance + eps;
  return v === 0 ? 0 : 1 / Math.sqrt(v);
}

/** r of every channel. */
export function invStds(control: Control): void {
  const { m2, invStd } = control.fields;
  fillInvStds(invStd, m2, control.get("count"), control.get("eps"));
}

/**
 * r of every channel, from m2, or with count 1 from a variance; 0 where there are no values. Biased variance: training
 * normalizes by count.
 */
export function fillInvStds(invStd: Float64Array, m2: Floats, count: number, eps: number): void {
  for (let c = 0; c < invStd.length; c++) invStd[c] = count === 0 ? 0 : invStdOf(m2[c]! / count, eps);
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

/** X = Σg·(x − mean), from S = Σg and U = Σg·(x − center), where center = T(mean). */
export function centeredSum(isFloat32: boolean, mean: number, S: number, U: number): number {
  return U + (round(isFloat32, mean) - mean) * S;
}

/** What the coefficients of a gradient are made of, and these. */
export type GradTables = Pick<
  Fields,
  "weight" | "mean" | "invStd" | "sumG" | "sumGX" | "gradShift" | "gradSlope" | "gradScale"
>;

export function gradCoefficients(control: Control): void {
  fillGradCoefficients(control.fields, control.isFloat32, control.get("count"));
}

/**
 * dx = (g − w·(s + (x − center)·t))·a: q = r²·X/count, t = T(q), s = T(S/count + (center − mean)·q), a = T(γ·r). Of no
 * values s = t = 0. The form with one coefficient of order r³ underflows at large scales (43 % error at 1e25; this one
 * 1.2e-7).
 */
export function fillGradCoefficients(tables: GradTables, isFloat32: boolean, count: number): void {
  const { weight, mean, invStd, sumG, sumGX, gradShift, gradSlope, gradScale } = tables;
  for (let c = 0; c < mean.length; c++) {
    const r = invStd[c]!;
    const q = count === 0 ? 0 : (r * r * centeredSum(isFloat32, mean[c]!, sumG[c]!, sumGX[c]!)) / count;
    gradSlope[c] = round(isFloat32, q);
    gradShift[c] = count === 0 ? 0 : round(isFloat32, sumG[c]! / count + (round(isFloat32, mean[c]!) - mean[c]!) * q);
    gradScale[c] = round(isFloat32, weight[c]! * r);
  }
}
