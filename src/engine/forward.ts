// Forward: checked arguments → kernel calls and O(C) maths → results. Shared by the layer and the
// stateless functions; nothing here rejects anything.
import { setActivation, type Activation } from "../values/activation.js";
import { affineCoefficients, batchInvStd, fixedInvStd } from "../kernels/coefficients.js";
import { copyStatistics, type Control } from "../kernels/control.js";
import type { Kernels } from "../kernels/kernels.js";
import type { ChannelMoments } from "../kernels/moments.js";
import { sameMemory, type Plan } from "../values/plan.js";
import { makeSaved, type Saved } from "../values/saved.js";
import type { Data, Floats } from "../base/types.js";
import type { PositionWeights, Weights } from "../values/weights.js";

/** Where one extent's calls meet: reused while the extent stays the same. */
export interface Workspace {
  readonly kernels: Kernels;
  readonly control: Control;
  readonly positions: PositionWeights;
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
  /** null: every position counts alike. */
  readonly weights: Weights | null;
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

/** No element, or none of positive weight. */
function isEmpty(plan: Plan, weights: Weights | null): boolean {
  return plan.size === 0 || weights?.positive === 0;
}

/** An empty batch has no statistics: zeros everywhere, so that its sums and gradients are zeros too, and y is β. */
function clearStatistics(control: Control): void {
  const { mean, m2, invStd } = control.fields;
  control.set("count", 0);
  for (const field of [mean, m2, invStd]) field.fill(0);
}

/** Moments of x alone. */
export function computeMoments(
  { kernels, control, positions }: Workspace,
  plan: Plan,
  x: Data,
  weights: Weights | null,
): ChannelMoments {
  control.set("count", plan.count);
  if (isEmpty(plan, weights)) clearStatistics(control);
  else if (weights) kernels.weightedMoments(control, x, positions.of(weights.values));
  else kernels.moments(control, x);
  return channelMoments(control);
}

/** Normalizes x with its own statistics, which stay in the control block. */
export function forwardBatch(workspace: Workspace, plan: Plan, affine: Affine, arrays: ForwardArrays): void {
  const { kernels, control, positions } = workspace;
  const { x, y, residual, weights } = arrays;
  prepare(control, affine, arrays.activation);
  control.set("count", plan.count);
  if (isEmpty(plan, weights)) {
    clearStatistics(control);
    normalizeWith(workspace, plan, arrays);
    return;
  }
  if (weights) kernels.weightedForward(control, x, y, residual, positions.of(weights.values));
  else kernels.forward(control, x, y, residual);
  zeroOutputs(workspace, arrays);
}

function normalizeWith(workspace: Workspace, plan: Plan, arrays: ForwardArrays): void {
  const { kernels, control } = workspace;
  affineCoefficients(control);
  if (plan.size === 0) return;
  kernels.normalize(control, arrays.x, arrays.y, arrays.residual);
  zeroOutputs(workspace, arrays);
}

function zeroOutputs({ kernels, control, positions }: Workspace, { y, weights }: ForwardArrays): void {
  if (weights?.maskedOutput === "zero") kernels.zeroMasked(control, y, y, positions.of(weights.values));
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
  const { x, y, residual, activation, weights } = arrays;
  const maskedOutput = weights?.maskedOutput ?? "normalize";
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
    // What backward does not look at need not be kept.
    sampleWeights: weights && (!frozen || maskedOutput === "zero") ? weights.values : null,
    maskedOutput,
  });
}
