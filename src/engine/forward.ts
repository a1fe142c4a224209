// Forward: a source of statistics → coefficients → normalize, and the token for the backward. Shared by the layer and the
// stateless functions; nothing here rejects anything.
import { copyInto, fill, tableOf, zeros } from "../base/arrays.js";
import type { Data, Floats } from "../base/types.js";
import { copyStatistics, type Control, type Statistics } from "../kernels/control.js";
import { setActivation } from "./activation.js";
import { keptActivation, type CheckedActivation } from "../values/activation.js";
import { sameMemory } from "../values/aliases.js";
import { marksOf, noteWrites } from "../values/lifetime.js";
import { debugChecksum, type RenormTables, type Saved } from "../values/saved.js";
import { countsOthers } from "../values/weights.js";
import type { WholeMoments } from "../kernels/moments.js";
import { momentsIn, type Batch, type StatisticsSource } from "./statistics.js";
import type { Workspace } from "./workspace.js";

/** γ, β and ε; absent ones are 1 and 0. */
export interface Parameters {
  readonly weight: Floats | null;
  readonly bias: Floats | null;
  readonly eps: number;
}

/** What a forward keeps for its backward: x, or the output that x can be made of. */
export type Kept = "input" | "output";

/** Everything a forward is made of but its statistics. */
export interface ForwardArrays extends Batch {
  readonly y: Data;
  readonly residual: Data | null;
  readonly activation: CheckedActivation;
  readonly parameters: Parameters;
  /** y = γ·(x̂·r + d) + β; null: r = 1 and d = 0. */
  readonly renorm: RenormTables | null;
  /** null: nothing. */
  readonly kept: Kept | null;
}

export interface Forward {
  /**
   * That the forward normalized with; valid until the workspace's next call. For a tensor without elements they are new
   * arrays. null with fixed statistics.
   */
  readonly moments: WholeMoments | null;
  readonly saved: Saved | null;
}

function copyOr(target: Float64Array, source: Floats | null, otherwise: number): void {
  if (source) copyInto(target, source);
  else fill(target, otherwise);
}

function prepare(control: Control, { weight, bias, eps }: Parameters, activation: CheckedActivation): void {
  copyOr(control.fields.weight, weight, 1);
  copyOr(control.fields.bias, bias, 0);
  control.set("eps", eps);
  setActivation(control, activation);
}

/** γ·r and β + γ·d in the place of γ and β. */
function applyRenorm(weight: Float64Array, bias: Float64Array, { r, d }: RenormTables): void {
  for (let c = 0; c < weight.length; c++) {
    // β alone where d is 0: β + 0 could be another zero.
    if (d[c] !== 0) bias[c]! += weight[c]! * d[c]!;
    weight[c]! *= r[c]!;
  }
}

/** Normalizes x into y. */
export function forward(workspace: Workspace, arrays: ForwardArrays, source: StatisticsSource): Forward {
  const { plan, x, y, residual, weights, renorm, kept } = arrays;
  if (plan.size === 0) return forwardNothing(arrays, source);
  const { kernels, control, positions } = workspace;
  let moments: WholeMoments | null;
  noteWrites(y);
  prepare(control, arrays.parameters, arrays.activation);
  if (renorm) applyRenorm(control.fields.weight, control.fields.bias, renorm);
  if (source.fill) {
    moments = source.fill(control);
    kernels.normalize(control, x, y, residual);
  } else {
    control.set("count", plan.count);
    kernels.forward(control, x, y, residual, weights && positions.of(weights.values));
    moments = momentsIn(control, arrays);
  }
  if (weights?.maskedOutput === "zero") kernels.zeroMasked(control, y, y, positions.of(weights.values));
  if (!kept) return { moments, saved: null };
  return { moments, saved: savedOf(copyStatistics(control), moments?.count ?? plan.count, arrays, kept, source) };
}

/**
 * Without elements no kernel runs. A shape alone, such as [0, 10_000_000], must not cost memory, so that nothing is made
 * but what the result has.
 */
function forwardNothing(arrays: ForwardArrays, source: StatisticsSource): Forward {
  const { plan, kept, parameters } = arrays;
  const { weight, bias, eps } = parameters;
  const { count, moments, tables } = source.ofNothing(plan.channels, eps);
  if (!kept) return { moments, saved: null };
  const { mean, invStd } = tables();
  const factors = weight ? tableOf(weight) : zeros(plan.channels);
  if (!weight) fill(factors, 1);
  const statistics = { weight: factors, bias: bias ? tableOf(bias) : zeros(plan.channels), mean, invStd };
  return { moments, saved: savedOf(statistics, count, arrays, kept, source) };
}

/** The token of a forward that normalized with these statistics. */
function savedOf(
  { weight, bias, mean, invStd }: Statistics,
  count: number,
  arrays: ForwardArrays,
  kept: Kept,
  { isFixed: fixedStatistics, fill }: StatisticsSource,
): Saved {
  const { plan, x, y, residual, activation, weights, parameters, renorm } = arrays;
  const maskedOutput = weights?.maskedOutput ?? "normalize";
  const hasActivation = activation !== "none";
  const keptX = kept === "output" ? y : x;
  const residualOrOutput = hasActivation ? residual : null;
  // What backward does not look at need not be kept.
  const sampleWeights = weights && (!fixedStatistics || maskedOutput === "zero") ? weights.values : null;
  return Object.freeze({
    dtype: plan.dtype,
    shape: plan.shape,
    outer: plan.outer,
    channels: plan.channels,
    inner: plan.inner,
    count,
    isPart: !fixedStatistics && fill !== null && countsOthers(count, plan, weights),
    fixedStatistics,
    activation: keptActivation(activation),
    mean,
    invStd,
    weight,
    bias,
    renorm,
    virtualBatches: null,
    isInterleaved: false,
    hasWeight: parameters.weight !== null,
    hasBias: parameters.bias !== null,
    hasResidual: residual !== null,
    x: keptX,
    xIsOutput: kept === "output",
    residualOrOutput,
    // Where the output replaced the residual, the mask is read off the output instead.
    holdsOutput: hasActivation && residual !== null && sameMemory(residual, y),
    sampleWeights,
    maskedOutput,
    life: new Uint8Array(1),
    memory: marksOf(keptX, residualOrOutput),
    checksum: debugChecksum(keptX, residualOrOutput, sampleWeights),
  });
}
