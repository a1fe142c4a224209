// Backward: a checked token and arrays → kernel calls and O(C) maths → results. Shared by the layer and
// the stateless functions; nothing here rejects anything.
import { setActivation } from "../values/activation.js";
import { affineCoefficients, centeredSum, gradCoefficients } from "../kernels/coefficients.js";
import { Flag, type Control } from "../kernels/control.js";
import type { Workspace } from "./forward.js";
import type { Needed } from "../values/need.js";
import { sameMemory } from "../values/plan.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { allocate, floatTypeOf, type Data, type DType, type Floats, type ParametersOf } from "../base/types.js";

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
  const frozen = isFixed(saved) ? Flag.frozen : 0;
  if (saved.xIsOutput) restoreFromOutput(control, saved, frozen);
  else setActivation(control, saved.activation, frozen | (saved.auxIsOutput ? Flag.auxIsOutput : 0));
  affineCoefficients(control);
}

/**
 * With z = γ·x̂ + β in the place of x: its mean is β, and with r′ = 1/γ and γ′ = γ²·r the gradients of a batch norm of z
 * are those of x: dγ = X′·r′, t = r′²·X′/count, a = γ′·r′ = γ·r. Kernels make z of y (Rota Bulò et al. 2018).
 */
function restoreFromOutput(control: Control, { activation, weight, bias, invStd }: Saved, frozen: number): void {
  const { fields } = control;
  setActivation(control, activation, frozen | (activation === "none" ? 0 : Flag.auxIsOutput | Flag.inverse));
  fields.mean.set(bias);
  for (let c = 0; c < weight.length; c++) {
    fields.weight[c] = weight[c]! * weight[c]! * invStd[c]!;
    fields.invStd[c] = 1 / weight[c]!;
  }
}

/** The operand that a mask needs beside x: the residual, or the output. */
function auxOf({ xIsOutput, activation, x, aux }: Saved): Data | null {
  return xIsOutput && activation !== "none" ? x : aux;
}

/** dβ = T(S), dγ = T(X·r), from the sums in the control block; null what is not needed. */
export function parameterGrads<D extends DType>(
  control: Control,
  saved: Saved<D>,
  needed?: Pick<Needed, "weight" | "bias">,
): { gradWeight: ParametersOf<D> | null; gradBias: ParametersOf<D> | null };
export function parameterGrads(
  control: Control,
  saved: Saved,
  { weight, bias }: Pick<Needed, "weight" | "bias"> = { weight: saved.hasWeight, bias: saved.hasBias },
): { gradWeight: Floats | null; gradBias: Floats | null } {
  const { sumG, invStd } = control.fields;
  const type = floatTypeOf(saved.dtype);
  const gradWeight = weight ? allocate(type, saved.channels) : null;
  const gradBias = bias ? allocate(type, saved.channels) : null;
  for (let c = 0; c < saved.channels; c++) {
    if (gradWeight) gradWeight[c] = centeredSum(control, c) * invStd[c]!;
    if (gradBias) gradBias[c] = sumG[c]!;
  }
  return { gradWeight, gradBias };
}

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

/** The arrays of a backward; null outputs are not needed. */
export interface BackwardArrays<Dx extends Data | null = Data | null> {
  readonly dy: Data;
  readonly dx: Dx;
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
  { kernels, control, positions }: Workspace,
  saved: Saved,
  dy: Data,
  dx: Data | null,
): { x: Data; dy: Data } {
  const { x, sampleWeights, maskedOutput, dtype } = saved;
  if (!sampleWeights || maskedOutput === "normalize") return { x, dy };
  const copy: Data = allocate(dtype, sizeOf(saved));
  const replacesX = dx !== null && sameMemory(dx, x);
  const copies = { x: replacesX ? dx : copy, dy: !dx ? allocate(dtype, copy.length) : replacesX ? copy : dx };
  const w = positions.of(sampleWeights);
  kernels.zeroMasked(control, x, copies.x, w);
  kernels.zeroMasked(control, dy, copies.dy, w);
  return copies;
}

/** One weight a position, where dx depends on weights. */
function weightsFor({ positions }: Workspace, saved: Saved): Floats | null {
  return isFixed(saved) || !saved.sampleWeights ? null : positions.of(saved.sampleWeights);
}

/**
 * dx, dresidual and, in the control block, the sums of gradients; by as few passes as what is needed takes. The
 * fused kernels are the others composed, so each result has the same bits however it is made.
 */
export function backward(workspace: Workspace, saved: Saved, arrays: BackwardArrays, needed: Needed): void {
  const { dx, dresidual } = arrays;
  const { kernels, control } = workspace;
  const sums = needed.weight || needed.bias;
  restoreWithoutSums(control, saved);
  if (isEmpty(saved)) return;
  if (!dx) {
    if (dresidual) maskGrads(workspace, saved, arrays.dy, dresidual);
    if (sums) sumGrads(workspace, saved, arrays.dy);
    return;
  }
  const { x, dy } = countingArrays(workspace, saved, arrays.dy, dx);
  const w = weightsFor(workspace, saved);
  if (w) {
    kernels.weightedBackward(control, x, dy, dx, auxOf(saved), dresidual, w);
  } else if (isFixed(saved) && !sums) {
    // Of sums 0 the scale alone is left, which is all that fixed statistics take.
    gradCoefficients(control);
    kernels.gradInput(control, x, dy, dx, auxOf(saved), dresidual);
  } else {
    kernels.backward(control, x, dy, dx, auxOf(saved), dresidual);
  }
}

/** g alone: dy where the activation let the output through, else 0. A frozen gradient of scale 1, as g·1 is g. */
export function maskGrads(workspace: Workspace, saved: Saved, gradient: Data, g: Data): void {
  const { kernels, control } = workspace;
  restore(control, { ...saved, frozen: true });
  control.fields.gradScale.fill(1);
  if (isEmpty(saved)) return;
  const { x, dy } = countingArrays(workspace, saved, gradient, null);
  kernels.gradInput(control, x, dy, g, auxOf(saved), null);
}

/** The sums alone. */
export function sumGrads(workspace: Workspace, saved: Saved, gradient: Data): void {
  const { kernels, control } = workspace;
  restoreWithoutSums(control, saved);
  if (isEmpty(saved)) return;
  const { x, dy } = countingArrays(workspace, saved, gradient, null);
  kernels.gradSums(control, x, dy, auxOf(saved));
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
  if (isEmpty(saved)) return;
  const { x, dy } = countingArrays(workspace, saved, arrays.dy, dx);
  const w = weightsFor(workspace, saved);
  if (w) kernels.weightedGradInput(control, x, dy, dx, auxOf(saved), dresidual, w);
  else kernels.gradInput(control, x, dy, dx, auxOf(saved), dresidual);
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
