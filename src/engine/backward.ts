// Backward: a checked token and arrays → kernel calls and O(C) maths → results. Shared by the layer and the stateless
// functions; nothing here rejects anything.
import { allocate, floatTypeOf, type Data, type Floats } from "../base/types.js";
import { centeredSum, gradCoefficients } from "../kernels/coefficients.js";
import type { Control } from "../kernels/control.js";
import type { Needed } from "../values/need.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { countingArrays, zeroMaskedGrads } from "./masked.js";
import { residualOrYOf, restore } from "./restore.js";
import type { Workspace } from "./workspace.js";

/**
 * Per channel: Σg and Σg·(x − center), where center is the mean rounded to the data's type. Of a forward that saved its
 * output, z = γ·x̂ + β stands for x and β for the mean.
 */
export interface GradSums {
  readonly sumG: Float64Array;
  readonly sumGX: Float64Array;
}

/** Per channel, rounded to the data's type: what the element loop of the backward applies. */
export interface GradCoefficients {
  readonly gradShift: Float64Array;
  readonly gradSlope: Float64Array;
  readonly gradScale: Float64Array;
}

/** Gradients of γ and β; null of those not needed. */
export interface ParameterGrads {
  readonly gradWeight: Floats | null;
  readonly gradBias: Floats | null;
}

/** The arrays of a backward; null outputs are not needed. */
export interface BackwardArrays<Dx extends Data | null = Data | null> {
  readonly dy: Data;
  readonly dx: Dx;
  readonly dresidual: Data | null;
}

/** X = Σg·(x − mean) of a channel. */
export function centeredSumOf({ dtype, xIsOutput, mean, bias }: Saved, { sumG, sumGX }: GradSums, c: number): number {
  return centeredSum(dtype !== "float64", (xIsOutput ? bias : mean)[c]!, sumG[c]!, sumGX[c]!);
}

/** dβ = T(S), dγ = T(X·r); of a forward that saved its output r is 1/γ. */
export function parameterGrads(
  saved: Saved,
  sums: GradSums,
  { weight, bias }: Pick<Needed, "weight" | "bias"> = { weight: saved.hasWeight, bias: saved.hasBias },
): ParameterGrads {
  const type = floatTypeOf(saved.dtype);
  const gradWeight = weight ? allocate(type, saved.channels) : null;
  const gradBias = bias ? allocate(type, saved.channels) : null;
  for (let c = 0; gradWeight && c < saved.channels; c++) {
    gradWeight[c] = centeredSumOf(saved, sums, c) * (saved.xIsOutput ? 1 / saved.weight[c]! : saved.invStd[c]!);
  }
  gradBias?.set(sums.sumG);
  return { gradWeight, gradBias };
}

/** The sums in the control block, until its next call. */
function sumsIn({ fields }: Control): GradSums {
  return { sumG: fields.sumG, sumGX: fields.sumGX };
}

function restoreWithoutSums(control: Control, saved: Saved): void {
  restore(control, saved);
  control.fields.sumG.fill(0);
  control.fields.sumGX.fill(0);
}

/** One weight for each position, where dx depends on weights. */
function weightsFor({ positions }: Workspace, { fixedStatistics, sampleWeights }: Saved): Floats | null {
  return fixedStatistics || !sampleWeights ? null : positions.of(sampleWeights);
}

/**
 * dx and dresidual, by as few passes as what is needed takes, and the sums of gradients, valid until the workspace's next
 * call. The fused kernel has the bits of its parts, so each result is the same however it is made.
 */
export function inputGrads(workspace: Workspace, saved: Saved, arrays: BackwardArrays, needed: Needed): GradSums {
  const { dx, dresidual } = arrays;
  const { kernels, control } = workspace;
  const sums = needed.weight || needed.bias;
  restoreWithoutSums(control, saved);
  if (sizeOf(saved) === 0) return sumsIn(control);
  if (!dx) {
    if (dresidual) maskGrads(workspace, saved, arrays.dy, dresidual);
    return sums ? sumGrads(workspace, saved, arrays.dy) : sumsIn(control);
  }
  const { x, dy } = countingArrays(workspace, saved, arrays.dy, dx);
  const w = weightsFor(workspace, saved);
  if (saved.fixedStatistics && !sums) {
    // If both sums are zero, only the scale is left, which is all that fixed statistics take.
    gradCoefficients(control);
    kernels.gradInput(control, x, dy, dx, residualOrYOf(saved), dresidual, w);
  } else {
    kernels.backward(control, x, dy, dx, residualOrYOf(saved), dresidual, w);
  }
  zeroMaskedGrads(workspace, saved, dx);
  return sumsIn(control);
}

/** All gradients of a forward. */
export function backward(workspace: Workspace, saved: Saved, arrays: BackwardArrays, needed: Needed): ParameterGrads {
  return parameterGrads(saved, inputGrads(workspace, saved, arrays, needed), needed);
}

/** g alone: dy where the activation let the output through, else 0. */
export function maskGrads(workspace: Workspace, saved: Saved, gradient: Data, g: Data): void {
  const { kernels, control } = workspace;
  // A gradient through fixed statistics of scale 1: g·1 is g.
  restore(control, saved, true);
  control.fields.gradScale.fill(1);
  if (sizeOf(saved) === 0) return;
  const { x, dy } = countingArrays(workspace, saved, gradient, null);
  kernels.gradInput(control, x, dy, g, residualOrYOf(saved), null, null);
}

/** The sums alone, valid until the workspace's next call. */
export function sumGrads(workspace: Workspace, saved: Saved, gradient: Data): GradSums {
  const { kernels, control } = workspace;
  restoreWithoutSums(control, saved);
  if (sizeOf(saved) > 0) {
    const { x, dy } = countingArrays(workspace, saved, gradient, null);
    kernels.gradSums(control, x, dy, residualOrYOf(saved));
  }
  return sumsIn(control);
}

/** dx and dresidual from coefficients given. */
export function applyGrads(
  workspace: Workspace,
  saved: Saved,
  coefficients: GradCoefficients,
  arrays: BackwardArrays<Data>,
): void {
  const { kernels, control } = workspace;
  const { dx, dresidual } = arrays;
  restore(control, saved);
  control.fields.gradShift.set(coefficients.gradShift);
  control.fields.gradSlope.set(coefficients.gradSlope);
  control.fields.gradScale.set(coefficients.gradScale);
  if (sizeOf(saved) === 0) return;
  const { x, dy } = countingArrays(workspace, saved, arrays.dy, dx);
  kernels.gradInput(control, x, dy, dx, residualOrYOf(saved), dresidual, weightsFor(workspace, saved));
  zeroMaskedGrads(workspace, saved, dx);
}

/** Coefficients of dx = (g − w·(gradShift + (x − center)·gradSlope))·gradScale, from sums over `saved.count` values. */
export function gradCoefficientsOf(control: Control, saved: Saved, sums: GradSums): GradCoefficients {
  restore(control, saved);
  control.fields.sumG.set(sums.sumG);
  control.fields.sumGX.set(sums.sumGX);
  gradCoefficients(control);
  const { gradShift, gradSlope, gradScale } = control.fields;
  return { gradShift: gradShift.slice(), gradSlope: gradSlope.slice(), gradScale: gradScale.slice() };
}
