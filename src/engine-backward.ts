// Backward: a checked token and arrays → kernel calls and O(C) maths → results. Shared by the layer and
// the stateless functions; nothing here rejects anything.
import { affineCoefficients, centeredSum, gradCoefficients } from "./coefficients.js";
import { Flag, type Control } from "./control.js";
import type { Workspace } from "./engine.js";
import type { Saved } from "./saved.js";
import { allocate, type ArrayOf, type Data, type DType } from "./types.js";

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
      (saved.frozen ? Flag.frozen : 0),
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

/** dx, dresidual and, in the control block, the sums of gradients. */
export function backward({ kernels, control }: Workspace, saved: Saved, { dy, dx, dresidual }: BackwardArrays): void {
  restoreWithoutSums(control, saved);
  if (!isEmpty(saved)) kernels.backward(control, saved.x, dy, dx, saved.aux, dresidual);
}

/** The sums alone. */
export function sumGrads({ kernels, control }: Workspace, saved: Saved, dy: Data): void {
  restoreWithoutSums(control, saved);
  if (!isEmpty(saved)) kernels.gradSums(control, saved.x, dy, saved.aux);
}

/** dx and dresidual from coefficients given. */
export function applyGrads(
  { kernels, control }: Workspace,
  saved: Saved,
  coefficients: GradCoefficients,
  { dy, dx, dresidual }: BackwardArrays,
): void {
  restore(control, saved);
  control.fields.gradShift.set(coefficients.gradShift);
  control.fields.gradSlope.set(coefficients.gradSlope);
  control.fields.gradScale.set(coefficients.gradScale);
  if (!isEmpty(saved)) kernels.gradInput(control, saved.x, dy, dx, saved.aux, dresidual);
}

/** Coefficients of dx = ((g − gradShift) − (x − center)·gradSlope)·gradScale, from sums over `saved.count` samples. */
export function gradCoefficientsOf(control: Control, saved: Saved, sums: GradSums): GradCoefficients {
  restore(control, saved);
  control.fields.sumG.set(sums.sumG);
  control.fields.sumGX.set(sums.sumGX);
  gradCoefficients(control);
  const { gradShift, gradSlope, gradScale } = control.fields;
  return { gradShift: gradShift.slice(), gradSlope: gradSlope.slice(), gradScale: gradScale.slice() };
}
