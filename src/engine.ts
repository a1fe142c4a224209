// Forward: checked arguments → kernel calls and O(C) maths → results. Shared by the layer and the
// stateless functions; nothing here rejects anything.
import { setActivation, type Activation } from "./activation.js";
import { affineCoefficients, batchInvStd, fixedInvStd } from "./coefficients.js";
import { copyStatistics, type Control } from "./control.js";
import type { Kernels } from "./kernels.js";
import type { ChannelMoments } from "./moments.js";
import { sameMemory, type Plan } from "./plan.js";
import { makeSaved, type Saved } from "./saved.js";
import type { Data, Floats } from "./types.js";

/** Where one extent's calls meet: reused while the extent stays the same. */
export interface Workspace {
  readonly kernels: Kernels;
  readonly control: Control;
}

/** γ, β and ε of a call; absent ones are 1 and 0. */
export interface Affine {
  readonly weight: Floats | null;
  readonly bias: Floats | null;
  readonly eps: number;
}

/** What a forward keeps for its backward: x, or the output that x can be made of. */
export type Kept = "input" | "output";

/** The arrays of a forward. */
export interface ForwardArrays {
  readonly x: Data;
  readonly y: Data;
  readonly residual: Data | null;
  readonly activation: Activation;
}

function copyOr(target: Float64Array, source: Floats | null, otherwise: number): void {
  if (source) target.set(source);
  else target.fill(otherwise);
}

function prepare(control: Control, affine: Affine, activation: Activation): void {
  copyOr(control.fields.weight, affine.weight, 1);
  copyOr(control.fields.bias, affine.bias, 0);
  control.set("eps", affine.eps);
  setActivation(control, activation);
}

/** The moments in the control block, until its next call. */
export function momentsOf(control: Control): ChannelMoments {
  const { mean, m2 } = control.fields;
  return { count: control.get("count"), mean, m2 };
}

export function channelMoments(control: Control): ChannelMoments {
  const { count, mean, m2 } = momentsOf(control);
  return { count, mean: mean.slice(), m2: m2.slice() };
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
  mean: Floats,
  variance: Floats,
): void {
  const { control } = workspace;
  prepare(control, affine, arrays.activation);
  control.set("count", plan.count);
  control.fields.mean.set(mean);
  fixedInvStd(control, variance);
  normalizeWith(workspace, plan, arrays);
}

/** The token of the forward that the control block has just served; of `kept`, x or y. */
export function savedOf(
  { control }: Workspace,
  plan: Plan,
  affine: Affine,
  arrays: ForwardArrays,
  kept: Kept,
  frozen: boolean,
): Saved {
  const { weight, bias, mean, invStd } = copyStatistics(control);
  const { x, y, residual, activation } = arrays;
  // Where the output replaced the residual, the mask is read off the output instead.
  const auxIsOutput = activation !== "none" && residual !== null && sameMemory(residual, y);
  return makeSaved({
    dtype: plan.dtype,
    shape: plan.shape,
    outer: plan.outer,
    channels: plan.channels,
    inner: plan.inner,
    count: control.get("count"),
    frozen,
    activation,
    mean,
    invStd,
    weight,
    bias,
    hasWeight: affine.weight !== null,
    hasBias: affine.bias !== null,
    hasResidual: residual !== null,
    x: kept === "output" ? y : x,
    xIsOutput: kept === "output",
    aux: activation === "none" ? null : residual,
    auxIsOutput,
  });
}
