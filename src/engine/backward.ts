// Backward: from a checked token and arrays, through kernel calls and maths per channel, to results. The layer and the
// stateless functions share it. Nothing here rejects anything.
import { copyInto, fill, tableOf, zeros } from "../base/arrays.js";
import { lengthOf } from "../base/check.js";
import { after, type Later } from "../base/later.js";
import { allocate, floatTypeOf, type Data, type Floats } from "../base/types.js";
import { centeredSum, fillGradCoefficients, gradCoefficients } from "../kernels/coefficients.js";
import type { Control } from "../kernels/control.js";
import type { Needed } from "../values/need.js";
import { noteWrites } from "../values/lifetime.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { countingArrays, zeroMaskedGrads, type Counting } from "./masked.js";
import { slopesOf } from "../values/activation.js";
import { Kind } from "../kernels/layout.js";
import { backwardStatistics, residualOrYOf, restore } from "./restore.js";
import type { Workspace } from "./workspace.js";

/**
 * The sums of a backward over one part of a batch, with one element per channel. g is gradOutput after the gradient of
 * the activation. Sums of several parts are added, element by element, in the order of the parts. The sums go over all
 * positions, whatever their weight, unless `maskedOutput` is `"zero"`.
 */
export interface GradSums {
  /** Σg. */
  readonly sumG: Float64Array;
  /**
   * Σg·(x − center), where center is the mean rounded to the type in which the data are computed. If the forward saved
   * its output, γ·x̂ + β takes the place of x, and β that of the mean.
   */
  readonly sumGX: Float64Array;
}

/**
 * The coefficients of gradInput = (g − w·(gradShift + (x − center)·gradSlope))·gradScale, with one element per channel.
 * They are rounded to the type in which the data are computed. X is Σg·(x − mean), count the count of the token.
 */
export interface GradCoefficients {
  /** sumG/count + (center − mean)·r²·X/count. It is 0 if the count is 0, and unused with running statistics. */
  readonly gradShift: Float64Array;
  /** r²·X/count. It is 0 if the count is 0, and unused with running statistics. */
  readonly gradSlope: Float64Array;
  /** γ·r, where r = 1/√(σ² + ε). It is 0 where σ² + ε is 0. */
  readonly gradScale: Float64Array;
}

/** The gradients of γ, β and the slopes of a PReLU. One that is not needed is null. */
export interface ParameterGrads {
  readonly gradWeight: Floats | null;
  readonly gradBias: Floats | null;
  readonly gradSlope: Floats | null;
}

/** The arrays of a backward. An output that is not needed is null. */
export interface BackwardArrays<Dx extends Data | null = Data | null> {
  readonly dy: Data;
  readonly dx: Dx;
  readonly dresidual: Data | null;
}

/** X = Σg·(x − mean) of one channel. */
export function centeredSumOf({ dtype, xIsOutput, mean, bias }: Saved, { sumG, sumGX }: GradSums, c: number): number {
  return centeredSum(dtype !== "float64", (xIsOutput ? bias : mean)[c]!, sumG[c]!, sumGX[c]!);
}

/** dγ of one channel: X·r. If the forward saved its output, r is 1/γ. A renormalization adds its own factor and offset. */
export function gradWeightOf(saved: Saved, sums: GradSums, c: number): number {
  const { xIsOutput, weight, invStd, renorm } = saved;
  const plain = centeredSumOf(saved, sums, c) * (xIsOutput ? 1 / weight[c]! : invStd[c]!);
  return renorm ? renorm.r[c]! * plain + renorm.d[c]! * sums.sumG[c]! : plain;
}

/** dβ = Σg, dγ and the gradient of the slopes, each rounded once. */
export function parameterGrads(
  saved: Saved,
  sums: GradSums,
  slopeSums: Float64Array | null,
  { weight, bias }: Pick<Needed, "weight" | "bias"> = { weight: saved.hasWeight, bias: saved.hasBias },
): ParameterGrads {
  const type = floatTypeOf(saved.dtype);
  const gradWeight = weight ? allocate(type, saved.channels) : null;
  const gradBias = bias ? allocate(type, saved.channels) : null;
  for (let c = 0; gradWeight && c < saved.channels; c++) gradWeight[c] = gradWeightOf(saved, sums, c);
  if (gradBias) copyInto(gradBias, sums.sumG);
  return { gradWeight, gradBias, gradSlope: slopeSums && slopeGradOf(saved, slopeSums) };
}

/** The gradient of the slopes, of the sums of the channels. That of a single slope is their sum. */
export function slopeGradOf({ activation, dtype }: Saved, sums: Float64Array): Floats {
  const grad = allocate(floatTypeOf(dtype), lengthOf(slopesOf(activation)!));
  if (lengthOf(grad) > 1) copyInto(grad, sums);
  else grad[0] = sumOf(sums);
  return grad;
}

function sumOf(values: Float64Array): number {
  let total = 0;
  for (let c = 0; c < values.length; c++) total += values[c]!;
  return total;
}

/** Σ dy·ŷ where ŷ ≤ 0, of each channel of a forward with PReLU: the sum of a g of another kind (contract, clause 5). */
export function slopeSumsOf(workspace: Workspace, saved: Saved, gradient: Data): Later<Float64Array> {
  if (sizeOf(saved) === 0) return zeros(saved.channels);
  const { kernels, control } = workspace;
  restore(control, saved);
  return after(countingArrays(workspace, saved, gradient, null), ({ x, dy }) => {
    control.set("kind", Kind.slopeGradient);
    return after(kernels.gradSums(control, x, dy, residualOrYOf(saved)), () => tableOf(control.fields.sumG));
  });
}

/** The sums in the control block. They are valid until its next call. */
function sumsIn({ fields }: Control): GradSums {
  return { sumG: fields.sumG, sumGX: fields.sumGX };
}

/** One weight per position, or null if dx does not depend on weights. */
function weightsFor({ positions }: Workspace, { fixedStatistics, sampleWeights }: Saved): Floats | null {
  return fixedStatistics || !sampleWeights ? null : positions.of(sampleWeights);
}

/**
 * Computes dx and dresidual in as few passes as the needed gradients allow. Returns the sums of gradients, which are
 * valid until the next call on the workspace. The fused kernel has the bits of its parts, so the path does not change a
 * result.
 */
export function inputGrads(
  workspace: Workspace,
  saved: Saved,
  arrays: BackwardArrays,
  needed: Needed,
): Later<GradSums> {
  const { dx, dresidual } = arrays;
  const { control } = workspace;
  const sums = needed.weight || needed.bias;
  noteWrites(dx, dresidual);
  restore(control, saved);
  if (!dx) {
    const masked = dresidual ? maskGrads(workspace, saved, arrays.dy, dresidual) : undefined;
    return after(masked, () => (sums ? sumGrads(workspace, saved, arrays.dy) : sumsIn(control)));
  }
  const counting = countingArrays(workspace, saved, arrays.dy, dx);
  // No closures for a call that has ended: a small backward takes microseconds.
  return counting instanceof Promise
    ? counting.then((own) => writeGrads(workspace, saved, own, { dx, dresidual }, sums))
    : writeGrads(workspace, saved, counting, arrays as BackwardArrays<Data>, sums);
}

/** Writes dx and dresidual. `sums`: those of the gradients are needed too. */
function writeGrads(
  workspace: Workspace,
  saved: Saved,
  { x, dy }: Counting,
  { dx, dresidual }: Pick<BackwardArrays<Data>, "dx" | "dresidual">,
  sums: boolean,
): Later<GradSums> {
  const { kernels, control } = workspace;
  const w = weightsFor(workspace, saved);
  let ran: Later<void>;
  if (saved.fixedStatistics && !sums) {
    // With fixed statistics dx = g·scale, whatever sums are there.
    gradCoefficients(control);
    ran = kernels.gradInput(control, x, dy, dx, residualOrYOf(saved), dresidual, w);
  } else {
    ran = kernels.backward(control, x, dy, dx, residualOrYOf(saved), dresidual, w);
  }
  return ran ? ran.then(() => zeroedSums(workspace, saved, dx)) : zeroedSums(workspace, saved, dx);
}

function zeroedSums(workspace: Workspace, saved: Saved, dx: Data): Later<GradSums> {
  const ran = zeroMaskedGrads(workspace, saved, dx);
  return ran ? ran.then(() => sumsIn(workspace.control)) : sumsIn(workspace.control);
}

/** Computes all gradients of a forward that are needed. Those of no elements are 0. */
export function backward(
  workspace: Workspace,
  saved: Saved,
  arrays: BackwardArrays,
  needed: Needed,
): Later<ParameterGrads> {
  if (sizeOf(saved) > 0) {
    // First, because dx may take the place of x or dy.
    if (!needed.slope) return gradsWith(workspace, saved, arrays, needed, null);
    const slopeSums = slopeSumsOf(workspace, saved, arrays.dy);
    return after(slopeSums, (own) => gradsWith(workspace, saved, arrays, needed, own));
  }
  const none = (isNeeded: boolean): Floats | null =>
    isNeeded ? allocate(floatTypeOf(saved.dtype), saved.channels) : null;
  const gradSlope = needed.slope ? slopeGradOf(saved, zeros(saved.channels)) : null;
  return { gradWeight: none(needed.weight), gradBias: none(needed.bias), gradSlope };
}

function gradsWith(
  workspace: Workspace,
  saved: Saved,
  arrays: BackwardArrays,
  needed: Needed,
  slopeSums: Float64Array | null,
): Later<ParameterGrads> {
  const sums = inputGrads(workspace, saved, arrays, needed);
  return sums instanceof Promise
    ? sums.then((own) => parameterGrads(saved, own, slopeSums, needed))
    : parameterGrads(saved, sums, slopeSums, needed);
}

/** Computes g alone, which is dy after the gradient of the activation. */
export function maskGrads(workspace: Workspace, saved: Saved, gradient: Data, g: Data): Later<void> {
  const { kernels, control } = workspace;
  // With fixed statistics and scale 1, dx = g·1 is g itself.
  restore(control, saved, true);
  fill(control.fields.gradScale, 1);
  return after(countingArrays(workspace, saved, gradient, null), ({ x, dy }) =>
    kernels.gradInput(control, x, dy, g, residualOrYOf(saved), null, null),
  );
}

/** Computes the sums alone. They are valid until the next call on the workspace. */
export function sumGrads(workspace: Workspace, saved: Saved, gradient: Data): Later<GradSums> {
  const { kernels, control } = workspace;
  restore(control, saved);
  return after(countingArrays(workspace, saved, gradient, null), ({ x, dy }) =>
    after(kernels.gradSums(control, x, dy, residualOrYOf(saved)), () => sumsIn(control)),
  );
}

/** Computes the sums alone, as new arrays. */
export function gradSumsOf(workspace: Workspace, saved: Saved, gradient: Data): Later<GradSums> {
  if (sizeOf(saved) === 0) return { sumG: zeros(saved.channels), sumGX: zeros(saved.channels) };
  const sums = sumGrads(workspace, saved, gradient);
  return after(sums, ({ sumG, sumGX }) => ({ sumG: tableOf(sumG), sumGX: tableOf(sumGX) }));
}

/** Computes dx and dresidual from given coefficients. */
export function applyGrads(
  workspace: Workspace,
  saved: Saved,
  coefficients: GradCoefficients,
  arrays: BackwardArrays<Data>,
): Later<void> {
  if (sizeOf(saved) === 0) return;
  const { kernels, control } = workspace;
  const { dx, dresidual } = arrays;
  noteWrites(dx, dresidual);
  restore(control, saved);
  return after(countingArrays(workspace, saved, arrays.dy, dx), ({ x, dy }) => {
    copyInto(control.fields.gradShift, coefficients.gradShift);
    copyInto(control.fields.gradSlope, coefficients.gradSlope);
    copyInto(control.fields.gradScale, coefficients.gradScale);
    const w = weightsFor(workspace, saved);
    const ran = kernels.gradInput(control, x, dy, dx, residualOrYOf(saved), dresidual, w);
    return after(ran, () => zeroMaskedGrads(workspace, saved, dx));
  });
}

/**
 * Computes the coefficients of dx = (g − w·(gradShift + (x − center)·gradSlope))·gradScale from sums over all values.
 */
export function gradCoefficientsOf(saved: Saved, { sumG, sumGX }: GradSums): GradCoefficients {
  const { channels, dtype, count } = saved;
  const results = { gradShift: zeros(channels), gradSlope: zeros(channels), gradScale: zeros(channels) };
  fillGradCoefficients({ ...backwardStatistics(saved), sumG, sumGX, ...results }, dtype !== "float64", count);
  return results;
}
