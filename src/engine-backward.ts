// Backward: a checked token and arrays → kernel calls and O(C) maths → results. Shared by the layer and
// the stateless functions; nothing here rejects anything.
import { affineCoefficients, centeredSum, gradCoefficients } from "./coefficients.js";
import { Flag, type Control } from "./control.js";
import type { Workspace } from "./engine.js";
import { sameMemory } from "./plan.js";
import type { Saved } from "./saved.js";
import { allocate, type ArrayOf, type Data, type DType } from "./types.js";

/** Statistics that do not depend on x; those of no values, zeros, do not either. */
function isFixed({ frozen, count }: Saved): boolean {
  return frozen || count === 0;
}

/** Fills the control block with what the forward of a token used. */
function restore(control: Control, saved: Saved): void {
  const { fields } = control;
  fields.weight.set(saved.weight);
  fields.bias.set(saved.bias);
  fields.mean.set(saved.mean);
  fields.invStd.set(saved.invStd);
  control.set("count", saved.count);
  control.set(
    "flags",
    (saved.activation === "relu" ? Flag.relu : 0) |
      (saved.auxIsOutput ? Flag.auxIsOutput : 0) |
      (isFixed(saved) ? Flag.frozen : 0),
  );
  affineCoefficients(control);
}

/** dβ = T(S), dγ = T(X·r), from the sums in the control block. */
export function parameterGrads<D extends DType>(
  control: Control,
  saved: Saved<D>,
): { gradWeight: ArrayOf<D> | null; gradBias: ArrayOf<D> | null } {
  const { sumG, invStd } = control.fields;
  const gradWeight = saved.hasWeight ? allocate(saved.dtype, saved.channels) : null;
  const gradBias = saved.hasBias ? allocate(saved.dtype, saved.channels) : null;
  for (let c = 0; c < saved.channels; c++) {
    if (gradWeight) gradWeight[c] = centeredSum(control, c) * invStd[c]!;
    if (gradBias) gradBias[c] = sumG[c]!;
  }
  return { gradWeight, gradBias };
}

/** Per channel: Σg and Σg·(x − center), where center is the mean rounded to the data's type. */
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

/** The arrays of a backward. */
export interface BackwardArrays {
  readonly dy: Data;
  readonly dx: Data;
  readonly dresidual: Data | null;
}

function isEmpty({ outer, inner }: Saved): boolean {
  return outer * inner === 0;
}

function restoreWithoutSums(control: Control, saved: Saved): void {
  restore(control, saved);
  control.fields.sumG.fill(0);
  control.fields.sumGX.fill(0);
}

/**
 * x and dy as they count. Where masked outputs are 0, so is their dy, and whatever x is there, NaN too, it adds nothing:
 * both are copied with zeros. dx, where there is one, serves as one of the copies; it may be x or dy itself.
 */
function countingArrays(
  { kernels, control }: Workspace,
  saved: Saved,
  dy: Data,
  dx: Data | null,
): { x: Data; dy: Data } {
  const { x, sampleWeights, maskedOutput, dtype } = saved;
  if (!sampleWeights || maskedOutput === "normalize") return { x, dy };
  const copy: Data = allocate(dtype, saved.outer * saved.channels * saved.inner);
  const replacesX = dx !== null && sameMemory(dx, x);
  const copies = { x: replacesX ? dx : copy, dy: !dx ? allocate(dtype, copy.length) : replacesX ? copy : dx };
  kernels.zeroMasked(control, x, copies.x, sampleWeights);
  kernels.zeroMasked(control, dy, copies.dy, sampleWeights);
  return copies;
}

/** dx, dresidual and, in the control block, the sums of gradients. */
export function backward(workspace: Workspace, saved: Saved, arrays: BackwardArrays): void {
  const { kernels, control } = workspace;
  const { dx, dresidual } = arrays;
  restoreWithoutSums(control, saved);
  if (isEmpty(saved)) return;
  const { x, dy } = countingArrays(workspace, saved, arrays.dy, dx);
  const w = isFixed(saved) ? null : saved.sampleWeights;
  if (w) kernels.weightedBackward(control, x, dy, dx, saved.aux, dresidual, w);
  else kernels.backward(control, x, dy, dx, saved.aux, dresidual);
}

/** The sums alone. */
export function sumGrads(workspace: Workspace, saved: Saved, gradient: Data): void {
  const { kernels, control } = workspace;
  restoreWithoutSums(control, saved);
  if (isEmpty(saved)) return;
  const { x, dy } = countingArrays(workspace, saved, gradient, null);
  kernels.gradSums(control, x, dy, saved.aux);
}

/** dx and dresidual from coefficients given. */
export function applyGrads(
  workspace: Workspace,
  saved: Saved,
  coefficients: GradCoefficients,
  arrays: BackwardArrays,
): void {
  const { kernels, control } = workspace;
  const { dx, dresidual } = arrays;
  restore(control, saved);
  control.fields.gradShift.set(coefficients.gradShift);
  control.fields.gradSlope.set(coefficients.gradSlope);
  control.fields.gradScale.set(coefficients.gradScale);
  if (isEmpty(saved)) return;
  const { x, dy } = countingArrays(workspace, saved, arrays.dy, dx);
  const w = isFixed(saved) ? null : saved.sampleWeights;
  if (w) kernels.weightedGradInput(control, x, dy, dx, saved.aux, dresidual, w);
  else kernels.gradInput(control, x, dy, dx, saved.aux, dresidual);
}

/** Coefficients of dx = ((g − gradShift) − (x − center)·gradSlope)·gradScale, from sums over `saved.count` samples. */
export function gradCoefficientsOf(control: Control, saved: Saved, sums: GradSums): GradCoefficients {
  restore(control, saved);
  control.fields.sumG.set(sums.sumG);
  control.fields.sumGX.set(sums.sumGX);
  gradCoefficients(control);
  const { gradShift, gradSlope, gradScale } = control.fields;
  // Of no values: 0/0.
  if (saved.count === 0) for (const field of [gradShift, gradSlope]) field.fill(0);
  return { gradShift: gradShift.slice(), gradSlope: gradSlope.slice(), gradScale: gradScale.slice() };
}
