// Checked arguments → kernel calls and O(C) maths → results. Shared by the layer and the stateless
// functions; nothing here rejects anything.
import type { Activation } from "./config.js";
import { affineCoefficients, batchInvStd, centeredSum, fixedInvStd, gradCoefficients } from "./coefficients.js";
import { Flag, type Control } from "./control.js";
import type { Kernels } from "./kernels.js";
import type { ChannelMoments } from "./moments.js";
import { sameMemory, type Plan } from "./plan.js";
import { makeSaved, type Saved } from "./saved.js";
import { allocate, type ArrayOf, type Data, type DType } from "./types.js";

/** Where one extent's calls meet: reused while the extent stays the same. */
export interface Workspace {
  readonly kernels: Kernels;
  readonly control: Control;
}

/** γ, β and ε of a call; absent ones are 1 and 0. */
export interface Affine {
  readonly weight: Data | null;
  readonly bias: Data | null;
  readonly eps: number;
}

/** The arrays of a forward. */
export interface ForwardArrays {
  readonly x: Data;
  readonly y: Data;
  readonly residual: Data | null;
  readonly activation: Activation;
}

function copyOr(target: Float64Array, source: Data | null, otherwise: number): void {
  if (source) target.set(source);
  else target.fill(otherwise);
}

function prepare(control: Control, affine: Affine, activation: Activation): void {
  copyOr(control.fields.weight, affine.weight, 1);
  copyOr(control.fields.bias, affine.bias, 0);
  control.set("eps", affine.eps);
  control.set("flags", activation === "relu" ? Flag.relu : 0);
}

export function channelMoments(control: Control): ChannelMoments {
  const { mean, m2 } = control.fields;
  return { count: control.get("count"), mean: mean.slice(), m2: m2.slice() };
}

/** An empty batch has no statistics: zeros everywhere, so that its sums and gradients are zeros too. */
function clearStatistics({ fields: { mean, m2, invStd } }: Control): void {
  for (const field of [mean, m2, invStd]) field.fill(0);
}

/** Moments of x alone. */
export function computeMoments({ kernels, control }: Workspace, plan: Plan, x: Data): ChannelMoments {
  control.set("count", plan.count);
  if (plan.size > 0) kernels.moments(control, x);
  else clearStatistics(control);
  return channelMoments(control);
}

/** Normalizes x with its own statistics, which stay in the control block. */
export function forwardBatch({ kernels, control }: Workspace, plan: Plan, affine: Affine, arrays: ForwardArrays): void {
  prepare(control, affine, arrays.activation);
  control.set("count", plan.count);
  if (plan.size > 0) kernels.forward(control, arrays.x, arrays.y, arrays.residual);
  else clearStatistics(control);
}

function normalizeWith({ kernels, control }: Workspace, plan: Plan, arrays: ForwardArrays): void {
  affineCoefficients(control);
  if (plan.size > 0) kernels.normalize(control, arrays.x, arrays.y, arrays.residual);
}

/** Normalizes x with given moments, as if they were its own. */
export function forwardMoments(
  workspace: Workspace,
  plan: Plan,
  affine: Affine,
  arrays: ForwardArrays,
  moments: ChannelMoments,
): void {
  const { control } = workspace;
  prepare(control, affine, arrays.activation);
  control.set("count", moments.count);
  control.fields.mean.set(moments.mean);
  control.fields.m2.set(moments.m2);
  if (moments.count > 0) batchInvStd(control);
  else clearStatistics(control);
  normalizeWith(workspace, plan, arrays);
}

/** Normalizes x with a fixed mean and variance (running statistics): r = 1/√(variance + ε). */
export function forwardFixed(
  workspace: Workspace,
  plan: Plan,
  affine: Affine,
  arrays: ForwardArrays,
  mean: Data,
  variance: Data,
): void {
  const { control } = workspace;
  prepare(control, affine, arrays.activation);
  control.set("count", plan.count);
  control.fields.mean.set(mean);
  fixedInvStd(control, variance);
  normalizeWith(workspace, plan, arrays);
}

/** The token of the forward that the control block has just served. */
export function savedOf(
  { control }: Workspace,
  plan: Plan,
  affine: Affine,
  arrays: ForwardArrays,
  frozen: boolean,
): Saved {
  const { mean, invStd, weight, bias } = control.fields;
  const { x, y, residual, activation } = arrays;
  // Where the output replaced the residual, the mask is read off the output instead.
  const auxIsOutput = activation === "relu" && residual !== null && sameMemory(residual, y);
  return makeSaved({
    dtype: plan.dtype,
    shape: plan.shape,
    outer: plan.outer,
    channels: plan.channels,
    inner: plan.inner,
    count: control.get("count"),
    frozen,
    activation,
    mean: mean.slice(),
    invStd: invStd.slice(),
    weight: weight.slice(),
    bias: bias.slice(),
    hasWeight: affine.weight !== null,
    hasBias: affine.bias !== null,
    hasResidual: residual !== null,
    x,
    aux: activation === "relu" ? residual : null,
    auxIsOutput,
  });
}

/** Fills the control block with what the forward of a token used. */
export function restore(control: Control, saved: Saved): void {
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
