// The backward of a conditional batch normalization, whose γ and β differ from sample to sample. With h = γ·g, which is the
// gradient of x̂, it is the backward of a batch normalization without γ: dx = (h − w·(s + (x − center)·t))·r.
import { copyInto, fill, zeros } from "../base/arrays.js";
import { allocate, floatTypeOf, round, type Data, type Floats } from "../base/types.js";
import {
  gradCoefficientsOf,
  gradWeightOf,
  type BackwardArrays,
  type GradCoefficients,
  type GradSums,
  type ParameterGrads,
} from "../engine/backward.js";
import { countingArrays, zeroMaskedGrads } from "../engine/masked.js";
import { residualOrYOf, restore } from "../engine/restore.js";
import type { Workspace } from "../engine/workspace.js";
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

/** x and dy as they count. */
type Counting = Pick<BackwardArrays, "dy"> & Pick<Saved, "x">;

/** The gradients of γ and β before they are rounded. */
export interface Totals {
  readonly weight: Float64Array | null;
  readonly bias: Float64Array | null;
}

type Asked = Pick<Needed, "weight" | "bias">;

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

/** The sums of each sample, as tables with a row for each. */
function sumsOfSamples(workspace: Workspace, saved: Conditional, { x, dy }: Counting): GradSums {
  const { shape, channels } = saved;
  const samples = shape[0]!;
  const each = sizeOf(saved) / samples;
  const { kernels } = workspace;
  const own = workspace.controlOfSample(samples);
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const sums = { sumG: zeros(samples * channels), sumGX: zeros(samples * channels) };
  for (const n of eachSample(workspace, saved, saved.fixedStatistics)) {
    kernels.gradSums(own, xOf(n), dyOf(n), otherOf(n));
    copyInto(sums.sumG, own.fields.sumG, n * channels);
    copyInto(sums.sumGX, own.fields.sumGX, n * channels);
  }
  return sums;
}

/** Σ over the samples of γ times their sums: the sums of h. */
function sumsOfH({ conditional, channels }: Conditional, { sumG, sumGX }: GradSums): GradSums {
  const sums = { sumG: zeros(channels), sumGX: zeros(channels) };
  const { weight } = conditional;
  const { sumG: ofG, sumGX: ofGX } = sums;
  for (let at = 0; at < sumG.length;) {
    for (let c = 0; c < channels; c++, at++) {
      ofG[c]! += weight[at]! * sumG[at]!;
      ofGX[c]! += weight[at]! * sumGX[at]!;
    }
  }
  return sums;
}

/** The gradients of γ and β. A parameter that all samples share has the sum over the samples, in their order. */
function totalsOf(saved: Conditional, { sumG, sumGX }: GradSums, needed: Asked): Totals {
  const { channels } = saved;
  const [gOf, gxOf] = [samplesOf(sumG, channels), samplesOf(sumGX, channels)];
  const weight = needed.weight ? zeros(gradLengthOf(saved, "hasWeight")) : null;
  const bias = needed.bias ? zeros(gradLengthOf(saved, "hasBias")) : null;
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
export function roundedTotals({ dtype }: Saved, { weight, bias }: Totals): ParameterGrads {
  const rounded = (total: Float64Array | null): Floats | null => {
    if (!total) return null;
    const table = allocate(floatTypeOf(dtype), total.length);
    copyInto(table, total);
    return table;
  };
  return { gradWeight: rounded(weight), gradBias: rounded(bias) };
}

/** Writes g·T(γ·factor) of each sample, and g itself to dresidual; without factor, g alone. */
function scaleSamples(
  workspace: Workspace,
  saved: Conditional,
  { x, dy }: Counting,
  factor: Float64Array | null,
  { to, dresidual }: { readonly to: Data; readonly dresidual: Data | null },
): void {
  const samples = saved.shape[0]!;
  const each = sizeOf(saved) / samples;
  const { kernels } = workspace;
  const own = workspace.controlOfSample(samples);
  const { weight, gradScale } = own.fields;
  const [xOf, dyOf, otherOf] = [samplesOf(x, each), samplesOf(dy, each), samplesOf(residualOrYOf(saved), each)];
  const [toOf, dresidualOf] = [samplesOf(to, each), samplesOf(dresidual, each)];
  for (const n of eachSample(workspace, saved, true)) {
    for (let c = 0; c < gradScale.length; c++)
      gradScale[c] = factor ? round(own.isFloat32, weight[c]! * factor[c]!) : 1;
    kernels.gradInput(own, xOf(n), dyOf(n), toOf(n), otherOf(n), dresidualOf(n), null);
  }
}

/** dx of h, by the coefficients of a batch normalization without γ. */
function applyToH(
  workspace: Workspace,
  saved: Conditional,
  { x, h, dx }: Pick<Saved, "x"> & { readonly h: Data; readonly dx: Data },
  coefficients: GradCoefficients,
): void {
  const { kernels, control, positions } = workspace;
  const { fields } = control;
  restore(control, { ...saved, activation: "none", residualOrOutput: null, holdsOutput: false });
  copyInto(fields.gradShift, coefficients.gradShift);
  copyInto(fields.gradSlope, coefficients.gradSlope);
  copyInto(fields.gradScale, coefficients.gradScale);
  kernels.gradInput(control, x, h, dx, null, null, saved.sampleWeights && positions.of(saved.sampleWeights));
}

function writeGrads(
  workspace: Workspace,
  saved: Conditional,
  counting: Counting,
  coefficients: GradCoefficients,
  { dx, dresidual }: { readonly dx: Data; readonly dresidual: Data | null },
): void {
  const { fixedStatistics, dtype } = saved;
  const { x } = counting;
  if (fixedStatistics) {
    scaleSamples(workspace, saved, counting, coefficients.gradScale, { to: dx, dresidual });
  } else {
    const h = sameMemory(dx, x) ? allocate(dtype, sizeOf(saved)) : dx;
    const ones = zeros(saved.channels);
    fill(ones, 1);
    scaleSamples(workspace, saved, counting, ones, { to: h, dresidual });
    applyToH(workspace, saved, { x, h, dx }, coefficients);
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
  const isSummed = needed.weight || needed.bias || (dx !== null && !saved.fixedStatistics);
  const none = zeros(isSummed ? 0 : saved.shape[0]! * saved.channels);
  const sums = isSummed ? sumsOfSamples(workspace, saved, counting) : { sumG: none, sumGX: none };
  if (dx) {
    const coefficients = gradCoefficientsOf(saved, sumsOfH(saved, sums));
    writeGrads(workspace, saved, counting, coefficients, { dx, dresidual });
  } else if (dresidual) scaleSamples(workspace, saved, counting, null, { to: dresidual, dresidual: null });
  return totalsOf(saved, sums, needed);
}

/** The backward. Without elements the gradients are 0. */
export function backwardOfSamples(
  workspace: () => Workspace,
  saved: Conditional,
  arrays: BackwardArrays,
  needed: Needed,
): ParameterGrads {
  const zerosOf = (isNeeded: boolean, name: "hasWeight" | "hasBias"): Float64Array | null =>
    isNeeded ? zeros(gradLengthOf(saved, name)) : null;
  const totals =
    sizeOf(saved) > 0
      ? gradsOfSamples(workspace(), saved, arrays, needed)
      : { weight: zerosOf(needed.weight, "hasWeight"), bias: zerosOf(needed.bias, "hasBias") };
  return roundedTotals(saved, totals);
}

/** The sums of h, which those of other parts of the batch are added to, and the gradients of γ and β. */
export function gradSumsOfSamples(workspace: Workspace, saved: Conditional, gradient: Data): GradSums & ParameterGrads {
  const asked = { weight: saved.hasWeight, bias: saved.hasBias };
  const none = zeros(saved.shape[0]! * saved.channels);
  const sums =
    sizeOf(saved) > 0
      ? sumsOfSamples(workspace, saved, countingArrays(workspace, saved, gradient, null))
      : { sumG: none, sumGX: none };
  return { ...sumsOfH(saved, sums), ...roundedTotals(saved, totalsOf(saved, sums, asked)) };
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
  writeGrads(workspace, saved, counting, coefficients, { dx, dresidual });
}
