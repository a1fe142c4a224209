// The backward of a conditional batch normalization, whose γ and β differ from sample to sample. h = γ·g is the gradient of
// x̂, so dx is that of a batch normalization without γ whose gradOutput is h. It divides by no γ, which may be 0.
import { copyInto, fill, tableOf, zeros } from "../base/arrays.js";
import { allocate, floatTypeOf, type Data, type Floats } from "../base/types.js";
import {
  gradCoefficientsOf,
  gradWeightOf,
  slopeGradOf,
  type BackwardArrays,
  type GradCoefficients,
  type GradSums,
  type ParameterGrads,
} from "../engine/backward.js";
import { countingArrays, zeroMaskedGrads } from "../engine/masked.js";
import { restore } from "../engine/restore.js";
import type { Workspace } from "../engine/workspace.js";
import { slopesOf } from "../values/activation.js";
import { sameMemory } from "../values/aliases.js";
import { noteWrites } from "../values/lifetime.js";
import type { Needed } from "../values/need.js";
import { gradLengthOf, samplesOf } from "../values/sample-tables.js";
import { sizeOf, type Saved } from "../values/saved.js";
import {
  scaleSamples,
  slopeSumsOfSamples,
  sumsOfSamples,
  type Conditional,
  type Counting,
  type Scaling,
} from "./sample-passes.js";

export function isConditional(saved: Saved): saved is Conditional {
  return saved.conditional !== null;
}

/** The gradients of γ and β before they are rounded. */
export interface Totals {
  readonly weight: Float64Array | null;
  readonly bias: Float64Array | null;
  /** Of the slopes of a PReLU: the sum of each channel. */
  readonly slope: Float64Array | null;
}

type Asked = Pick<Needed, "weight" | "bias" | "slope">;

/** The gradients of γ and β. A parameter that all samples share has the sum over the samples, in their order. */
function totalsOf(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  needed: Asked,
  scaling: Scaling | null,
): Totals {
  const slope = needed.slope ? slopeSumsOfSamples(workspace, saved, counting) : null;
  if (!needed.weight && !needed.bias) return { weight: null, bias: null, slope };
  const { channels } = saved;
  const { sumG, sumGX } = sumsOfSamples(workspace, saved, counting, scaling);
  const [gOf, gxOf] = [samplesOf(sumG, channels), samplesOf(sumGX, channels)];
  const { weight, bias } = emptyTotals(saved, needed);
  for (let n = 0, at = 0; at < sumG.length; n++) {
    const sums = { sumG: gOf(n), sumGX: gxOf(n) };
    // The row of the sample, or the one of all samples.
    const [ofWeight, ofBias] = [weight ? at % weight.length : 0, bias ? at % bias.length : 0];
    for (let c = 0; c < channels; c++, at++) {
      if (weight) weight[ofWeight + c]! += gradWeightOf(saved, sums, c);
      if (bias) bias[ofBias + c]! += sumG[at]!;
    }
  }
  return { weight, bias, slope };
}

/** Rounds totals once. */
export function roundedTotals(saved: Saved, { weight, bias, slope }: Totals): ParameterGrads {
  const rounded = (total: Float64Array | null): Floats | null => {
    if (!total) return null;
    const table = allocate(floatTypeOf(saved.dtype), total.length);
    copyInto(table, total);
    return table;
  };
  const gradSlope = slope && slopeGradOf(saved, slope);
  return { gradWeight: rounded(weight), gradBias: rounded(bias), gradSlope };
}

/** Whether one pass makes the sums and h: with an activation, g depends on r, whose place the factor takes. */
function isOnePass({ activation }: Saved, { weight, bias }: Asked): boolean {
  return activation === "none" && (weight || bias);
}

/** h of all samples, or dx with fixed statistics. Where dx is x, which is still read, h is a new array. */
function scalingOf(
  saved: Conditional,
  { x }: Counting,
  { dx, dresidual }: Omit<BackwardArrays, "dy">,
  given: GradCoefficients | null,
): Scaling {
  const factor = zeros(saved.channels);
  if (saved.fixedStatistics && dx) {
    const none = { sumG: factor, sumGX: factor };
    return { factor: (given ?? gradCoefficientsOf(saved, none)).gradScale, to: dx, isReadNext: false, dresidual };
  }
  fill(factor, 1);
  const isFree = dx && !sameMemory(dx, x);
  return { factor, to: isFree ? dx : allocate(saved.dtype, sizeOf(saved)), isReadNext: true, dresidual };
}

/** Fills the control block of the batch with the statistics of a forward without γ and activation, which h is behind. */
function restoreForH({ control }: Workspace, saved: Conditional): void {
  restore(control, { ...saved, activation: "none", residualOrOutput: null, holdsOutput: false });
}

/** Makes dx of h. The coefficients are made of the sums of h unless they are given. */
function finishGrads(
  workspace: Workspace,
  saved: Conditional,
  { x }: Counting,
  { to: h }: Scaling,
  dx: Data,
  given: GradCoefficients | null,
): void {
  const { kernels, control, positions } = workspace;
  if (!saved.fixedStatistics) {
    const w = saved.sampleWeights && positions.of(saved.sampleWeights);
    restoreForH(workspace, saved);
    if (given) {
      copyInto(control.fields.gradShift, given.gradShift);
      copyInto(control.fields.gradSlope, given.gradSlope);
      copyInto(control.fields.gradScale, given.gradScale);
      kernels.gradInput(control, x, h, dx, null, null, w);
    } else kernels.backward(control, x, h, dx, null, null, w);
  }
  zeroMaskedGrads(workspace, saved, dx);
}

/** Computes dx and dresidual, and returns the gradients of γ and β. */
export function gradsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  { dy, dx, dresidual }: BackwardArrays,
  needed: Needed,
): Totals {
  noteWrites(dx, dresidual);
  const counting = countingArrays(workspace, saved, dy, dx);
  const scaling = dx && scalingOf(saved, counting, { dx, dresidual }, null);
  const isDone = isOnePass(saved, needed);
  const totals = totalsOf(workspace, saved, counting, needed, isDone ? scaling : null);
  if (scaling) {
    if (!isDone) scaleSamples(workspace, saved, counting, scaling, null);
    finishGrads(workspace, saved, counting, scaling, dx, null);
  } else if (dresidual) {
    scaleSamples(workspace, saved, counting, { factor: null, to: dresidual, isReadNext: false, dresidual: null }, null);
  }
  return totals;
}

/** The gradients of γ and β of no elements. */
function emptyTotals(saved: Conditional, { weight, bias, slope }: Asked): Totals {
  return {
    weight: weight ? zeros(gradLengthOf(saved, "hasWeight")) : null,
    bias: bias ? zeros(gradLengthOf(saved, "hasBias")) : null,
    slope: slope ? zeros(saved.channels) : null,
  };
}

/** The backward. Without elements the gradients are 0. */
export function backwardOfSamples(
  workspace: () => Workspace,
  saved: Conditional,
  arrays: BackwardArrays,
  needed: Needed,
): ParameterGrads {
  const isEmpty = sizeOf(saved) === 0;
  return roundedTotals(
    saved,
    isEmpty ? emptyTotals(saved, needed) : gradsOfSamples(workspace(), saved, arrays, needed),
  );
}

/** The sums of h, which those of other parts of the batch are added to, and the gradients of γ and β. */
export function gradSumsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  gradient: Data,
): [sums: GradSums, grads: ParameterGrads] {
  const { channels, hasWeight, hasBias, activation } = saved;
  const asked = { weight: hasWeight, bias: hasBias, slope: slopesOf(activation) !== null };
  if (sizeOf(saved) === 0) {
    const none = { sumG: zeros(channels), sumGX: zeros(channels) };
    return [none, roundedTotals(saved, emptyTotals(saved, asked))];
  }
  const counting = countingArrays(workspace, saved, gradient, null);
  const scaling = scalingOf(saved, counting, { dx: null, dresidual: null }, null);
  const isDone = isOnePass(saved, asked);
  const totals = totalsOf(workspace, saved, counting, asked, isDone ? scaling : null);
  if (!isDone) scaleSamples(workspace, saved, counting, scaling, null);
  const { kernels, control } = workspace;
  restoreForH(workspace, saved);
  kernels.gradSums(control, counting.x, scaling.to, null);
  const { sumG, sumGX } = control.fields;
  return [{ sumG: tableOf(sumG), sumGX: tableOf(sumGX) }, roundedTotals(saved, totals)];
}

/** Computes dx and dresidual from coefficients that were made of the sums of h of all parts. */
export function applyGradsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  coefficients: GradCoefficients,
  { dy, dx, dresidual }: BackwardArrays<Data>,
): void {
  if (sizeOf(saved) === 0) return;
  noteWrites(dx, dresidual);
  const counting = countingArrays(workspace, saved, dy, dx);
  const scaling = scalingOf(saved, counting, { dx, dresidual }, coefficients);
  scaleSamples(workspace, saved, counting, scaling, null);
  finishGrads(workspace, saved, counting, scaling, dx, coefficients);
}
