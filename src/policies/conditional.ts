// The backward of a conditional batch normalization, whose γ and β differ from sample to sample. h = γ·g is the gradient of
// x̂, so dx is that of a batch normalization without γ whose gradOutput is h. It divides by no γ, which may be 0.
import { copyInto, fill, tableOf, zeros } from "../base/arrays.js";
import { after, type Later } from "../base/later.js";
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
import { countingArrays, zeroMaskedGrads, type Counting } from "../engine/masked.js";
import { restore } from "../engine/restore.js";
import type { Workspace } from "../engine/workspace.js";
import { slopesOf } from "../values/activation.js";
import { sameMemory } from "../values/aliases.js";
import { noteWrites } from "../values/lifetime.js";
import type { Needed } from "../values/need.js";
import { gradLengthOf, samplesOf } from "../values/sample-tables.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { scaleSamples, slopeSumsOfSamples, sumsOfSamples, type Conditional, type Scaling } from "./sample-passes.js";

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
): Later<Totals> {
  const slopes = needed.slope ? slopeSumsOfSamples(workspace, saved, counting) : null;
  return after(slopes, (slope) => {
    if (!needed.weight && !needed.bias) return { weight: null, bias: null, slope };
    const made = sumsOfSamples(workspace, saved, counting, scaling);
    return after(made, (sums) => ({ ...addedSums(saved, sums, needed), slope }));
  });
}

/** Adds the sums of the samples. */
function addedSums(saved: Conditional, { sumG, sumGX }: GradSums, needed: Asked): Pick<Totals, "weight" | "bias"> {
  const { channels } = saved;
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
  return { weight, bias };
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
  workspace: Workspace,
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
  return { factor, to: isFree ? dx : workspace.scratch(saved.dtype, sizeOf(saved)), isReadNext: true, dresidual };
}

/** Fills the control block of the batch with the statistics of a forward without γ and activation, which h is behind. */
function restoreForH({ control }: Workspace, saved: Conditional): void {
  restore(control, { ...saved, activation: "none", residualOrOutput: null, holdsOutput: false });
}

/** Makes dx of h. The coefficients are made of the sums of h unless they are given. */
function finishGrads(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  { to: h }: Scaling,
  dx: Data,
  given: GradCoefficients | null,
): Later<void> {
  if (saved.fixedStatistics) return zeroMaskedGrads(workspace, saved, dx);
  return after(gradInputOfH(workspace, saved, { x: counting.x, dy: h }, dx, given), () =>
    zeroMaskedGrads(workspace, saved, dx),
  );
}

function gradInputOfH(
  workspace: Workspace,
  saved: Conditional,
  { x, dy: h }: Counting,
  dx: Data,
  given: GradCoefficients | null,
): Later<void> {
  const { kernels, control, positions } = workspace;
  const w = saved.sampleWeights && positions.of(saved.sampleWeights);
  restoreForH(workspace, saved);
  if (!given) return kernels.backward(control, x, h, dx, null, null, w);
  copyInto(control.fields.gradShift, given.gradShift);
  copyInto(control.fields.gradSlope, given.gradSlope);
  copyInto(control.fields.gradScale, given.gradScale);
  return kernels.gradInput(control, x, h, dx, null, null, w);
}

/** Computes g alone, which is dy after the gradient of the activation. */
function maskSamples(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  dresidual: Data | null,
): Later<void> {
  if (!dresidual) return;
  return scaleSamples(
    workspace,
    saved,
    counting,
    { factor: null, to: dresidual, isReadNext: false, dresidual: null },
    null,
  );
}

/** Computes dx and dresidual, and returns the gradients of γ and β. */
export function gradsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  { dy, dx, dresidual }: BackwardArrays,
  needed: Needed,
): Later<Totals> {
  noteWrites(dx, dresidual);
  return after(countingArrays(workspace, saved, dy, dx), (counting) => {
    const scaling = dx && scalingOf(workspace, saved, counting, { dx, dresidual }, null);
    const isDone = isOnePass(saved, needed);
    const finish = (): Later<void> => {
      if (!scaling) return maskSamples(workspace, saved, counting, dresidual);
      return after(isDone ? undefined : scaleSamples(workspace, saved, counting, scaling, null), () =>
        finishGrads(workspace, saved, counting, scaling, dx, null),
      );
    };
    const totals = totalsOf(workspace, saved, counting, needed, isDone ? scaling : null);
    return after(totals, (result) => after(finish(), () => result));
  });
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
): Later<ParameterGrads> {
  const isEmpty = sizeOf(saved) === 0;
  const totals = isEmpty ? emptyTotals(saved, needed) : gradsOfSamples(workspace(), saved, arrays, needed);
  return after(totals, (own) => roundedTotals(saved, own));
}

/** The sums of h, which those of other parts of the batch are added to, and the gradients of γ and β. */
export function gradSumsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  gradient: Data,
): Later<[sums: GradSums, grads: ParameterGrads]> {
  const { channels, hasWeight, hasBias, activation } = saved;
  const asked = { weight: hasWeight, bias: hasBias, slope: slopesOf(activation) !== null };
  if (sizeOf(saved) === 0) {
    const none = { sumG: zeros(channels), sumGX: zeros(channels) };
    return [none, roundedTotals(saved, emptyTotals(saved, asked))];
  }
  return after(countingArrays(workspace, saved, gradient, null), (counting) => {
    const scaling = scalingOf(workspace, saved, counting, { dx: null, dresidual: null }, null);
    const isDone = isOnePass(saved, asked);
    return after(totalsOf(workspace, saved, counting, asked, isDone ? scaling : null), (totals) =>
      after(isDone ? undefined : scaleSamples(workspace, saved, counting, scaling, null), () => {
        restoreForH(workspace, saved);
        return after(workspace.kernels.gradSums(workspace.control, counting.x, scaling.to, null), () => {
          const { sumG, sumGX } = workspace.control.fields;
          return [{ sumG: tableOf(sumG), sumGX: tableOf(sumGX) }, roundedTotals(saved, totals)];
        });
      }),
    );
  });
}

/** Computes dx and dresidual, where they are wanted, from coefficients that were made of the sums of h of all parts. */
export function applyGradsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  coefficients: GradCoefficients,
  { dy, dx, dresidual }: BackwardArrays,
): Later<void> {
  if (sizeOf(saved) === 0) return;
  noteWrites(dx, dresidual);
  return after(countingArrays(workspace, saved, dy, dx), (counting) => {
    if (!dx) return maskSamples(workspace, saved, counting, dresidual);
    const scaling = scalingOf(workspace, saved, counting, { dx, dresidual }, coefficients);
    return after(scaleSamples(workspace, saved, counting, scaling, null), () =>
      finishGrads(workspace, saved, counting, scaling, dx, coefficients),
    );
  });
}
