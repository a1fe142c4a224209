// The backward of a conditional batch normalization, whose γ and β differ from sample to sample. h = γ·g is the gradient of
// x̂, so dx is that of a batch normalization without γ whose gradOutput is h. It divides by no γ, which may be 0.
import { copyInto, fill, tableOf, zeros } from "../base/arrays.js";
import { after, inTurn, type Later } from "../base/later.js";
import { allocate, floatTypeOf, round, type Data, type Floats } from "../base/types.js";
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
import { residualOrYOf, restore } from "../engine/restore.js";
import type { Workspace } from "../engine/workspace.js";
import { Kind } from "../kernels/layout.js";
import { slopesOf } from "../values/activation.js";
import { sameMemory } from "../values/aliases.js";
import { noteWrites } from "../values/lifetime.js";
import type { Needed } from "../values/need.js";
import { gradLengthOf, samplesOf, type SampleTables } from "../values/sample-tables.js";
import { sizeOf, type Saved } from "../values/saved.js";

/** The token of such a forward. */
export type Conditional = Saved & { readonly conditional: SampleTables };

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

/** Goes through the samples, with the γ and β of each in the control block. */
function* eachSample(workspace: Workspace, saved: Conditional, isFixed: boolean): Generator<number> {
  const { shape, channels, conditional } = saved;
  const samples = shape[0]!;
  const own = workspace.controlOfSample(samples);
  restore(own, saved, isFixed);
  const [weightOf, biasOf] = [samplesOf(conditional.weight, channels), samplesOf(conditional.bias, channels)];
  for (let n = 0; n < samples; n++) {
    copyInto(own.fields.weight, weightOf(n));
    copyInto(own.fields.bias, biasOf(n));
    yield n;
  }
}

/** The sums behind the gradients of the slopes of a PReLU: those of the samples, in their order. */
function slopeSumsOfSamples(workspace: Workspace, saved: Conditional, { x, dy }: Counting): Later<Float64Array> {
  const samples = saved.shape[0]!;
  const each = sizeOf(saved) / samples;
  const own = workspace.controlOfSample(samples);
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const total = zeros(saved.channels);
  const ran = inTurn(eachSample(workspace, saved, saved.fixedStatistics), (n) => {
    own.set("kind", Kind.slopeGradient);
    return after(workspace.kernels.gradSums(own, xOf(n), dyOf(n), otherOf(n)), () => {
      for (let c = 0; c < total.length; c++) total[c]! += own.fields.sumG[c]!;
    });
  });
  return after(ran, () => total);
}

/** The sums of each sample, as tables with a row for each. */
function sumsOfSamples(workspace: Workspace, saved: Conditional, { x, dy }: Counting): Later<GradSums> {
  const { shape, channels } = saved;
  const samples = shape[0]!;
  const each = sizeOf(saved) / samples;
  const { kernels } = workspace;
  const own = workspace.controlOfSample(samples);
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const sums = { sumG: zeros(samples * channels), sumGX: zeros(samples * channels) };
  const ran = inTurn(eachSample(workspace, saved, saved.fixedStatistics), (n) =>
    after(kernels.gradSums(own, xOf(n), dyOf(n), otherOf(n)), () => {
      copyInto(sums.sumG, own.fields.sumG, n * channels);
      copyInto(sums.sumGX, own.fields.sumGX, n * channels);
    }),
  );
  return after(ran, () => sums);
}

/** The gradients of γ and β. A parameter that all samples share has the sum over the samples, in their order. */
function totalsOf(workspace: Workspace, saved: Conditional, counting: Counting, needed: Asked): Later<Totals> {
  const slopes = needed.slope ? slopeSumsOfSamples(workspace, saved, counting) : null;
  if (!needed.weight && !needed.bias) return after(slopes, (slope) => ({ weight: null, bias: null, slope }));
  return after(slopes, (slope) =>
    after(sumsOfSamples(workspace, saved, counting), (sums) => ({ ...addedSums(saved, sums, needed), slope })),
  );
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

/** Writes g·T(γ·factor) of each sample, and g itself to dresidual; without factor, g alone. */
function scaleSamples(
  workspace: Workspace,
  saved: Conditional,
  { x, dy }: Counting,
  factor: Float64Array | null,
  { to, dresidual }: { readonly to: Data; readonly dresidual: Data | null },
): Later<void> {
  const samples = saved.shape[0]!;
  const each = sizeOf(saved) / samples;
  const { kernels } = workspace;
  const own = workspace.controlOfSample(samples);
  const { weight, gradScale } = own.fields;
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const [toOf, dresidualOf] = [samplesOf(to, each), samplesOf(dresidual, each)];
  return inTurn(eachSample(workspace, saved, true), (n) => {
    for (let c = 0; c < gradScale.length; c++)
      gradScale[c] = factor ? round(own.isFloat32, weight[c]! * factor[c]!) : 1;
    return kernels.gradInput(own, xOf(n), dyOf(n), toOf(n), otherOf(n), dresidualOf(n), null);
  });
}

/** h of all samples, and g itself to dresidual. Where `to` is x, which is still read, h is a new array. */
function makeH(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  to: Data | null,
  dresidual: Data | null,
): Later<Data> {
  const ones = zeros(saved.channels);
  fill(ones, 1);
  const h = to && !sameMemory(to, counting.x) ? to : workspace.scratch(saved.dtype, sizeOf(saved));
  return after(scaleSamples(workspace, saved, counting, ones, { to: h, dresidual }), () => h);
}

/** Fills the control block of the batch with the statistics of a forward without γ and activation, which h is behind. */
function restoreForH({ control }: Workspace, saved: Conditional): void {
  restore(control, { ...saved, activation: "none", residualOrOutput: null, holdsOutput: false });
}

/** Writes dx and dresidual. The coefficients are made of the sums of h unless they are given. */
function writeGrads(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  outputs: { readonly dx: Data; readonly dresidual: Data | null },
  given: GradCoefficients | null,
): Later<void> {
  const { dx, dresidual } = outputs;
  let ran: Later<void>;
  if (saved.fixedStatistics) {
    const none = zeros(saved.channels);
    const { gradScale } = given ?? gradCoefficientsOf(saved, { sumG: none, sumGX: none });
    ran = scaleSamples(workspace, saved, counting, gradScale, { to: dx, dresidual });
  } else {
    const made = makeH(workspace, saved, counting, dx, dresidual);
    ran = after(made, (h) => writeGradsOfH(workspace, saved, { x: counting.x, dy: h }, dx, given));
  }
  return after(ran, () => zeroMaskedGrads(workspace, saved, dx));
}

/** The same with batch statistics, where h is made. */
function writeGradsOfH(
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

/** Computes dx and dresidual, and returns the gradients of γ and β. */
export function gradsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  { dy, dx, dresidual }: BackwardArrays,
  needed: Needed,
): Later<Totals> {
  noteWrites(dx, dresidual);
  const write = (counting: Counting): Later<void> => {
    if (dx) return writeGrads(workspace, saved, counting, { dx, dresidual }, null);
    if (dresidual) return scaleSamples(workspace, saved, counting, null, { to: dresidual, dresidual: null });
  };
  return after(countingArrays(workspace, saved, dy, dx), (counting) =>
    after(totalsOf(workspace, saved, counting, needed), (totals) => after(write(counting), () => totals)),
  );
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
  const { kernels, control } = workspace;
  return after(countingArrays(workspace, saved, gradient, null), (counting) =>
    after(totalsOf(workspace, saved, counting, asked), (totals) =>
      after(makeH(workspace, saved, counting, null, null), (h) => {
        restoreForH(workspace, saved);
        return after(kernels.gradSums(control, counting.x, h, null), () => {
          const { sumG, sumGX } = control.fields;
          return [{ sumG: tableOf(sumG), sumGX: tableOf(sumGX) }, roundedTotals(saved, totals)];
        });
      }),
    ),
  );
}

/** Computes dx and dresidual from coefficients that were made of the sums of h of all parts. */
export function applyGradsOfSamples(
  workspace: Workspace,
  saved: Conditional,
  coefficients: GradCoefficients,
  { dy, dx, dresidual }: BackwardArrays<Data>,
): Later<void> {
  if (sizeOf(saved) === 0) return;
  noteWrites(dx, dresidual);
  return after(countingArrays(workspace, saved, dy, dx), (counting) =>
    writeGrads(workspace, saved, counting, { dx, dresidual }, coefficients),
  );
}
