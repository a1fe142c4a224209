// Forward: a source of statistics → coefficients → normalize, and the token for the backward. Shared by the layer and the
// stateless functions; nothing here rejects anything.
import { copyInto, fill, tableOf, zeros } from "../base/arrays.js";
import { after, type Later } from "../base/later.js";
import type { Data, Floats } from "../base/types.js";
import { copyStatistics, type Control, type Statistics } from "../kernels/control.js";
import { setActivation } from "./activation.js";
import { keptActivation, type CheckedActivation } from "../values/activation.js";
import { sameMemory } from "../values/aliases.js";
import { marksOf, noteWrites } from "../values/lifetime.js";
import type { GivenTables, SampleTables } from "../values/sample-tables.js";
import { debugChecksum, type RenormTables, type Saved } from "../values/saved.js";
import { countsOthers } from "../values/weights.js";
import type { WholeMoments } from "../kernels/moments.js";
import { applyRenorm, normalizeSamples, tablesOfSamples } from "./samples.js";
import { fillMoments, momentsIn, type Batch, type StatisticsSource } from "./statistics.js";
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
  /** γ and β of each sample; null: those of the parameters for all. */
  readonly conditional: GivenTables | null;
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

/** Normalizes x into y. */
export function forward(workspace: Workspace, arrays: ForwardArrays, source: StatisticsSource): Later<Forward> {
  const { plan, x, y, residual, weights, renorm, conditional } = arrays;
  if (plan.size === 0) return forwardNothing(arrays, source);
  const { kernels, control, positions } = workspace;
  noteWrites(y);
  prepare(control, arrays.parameters, arrays.activation);
  const tables = conditional && tablesOfSamples(control.fields, conditional, renorm);
  if (renorm && !tables) applyRenorm(control.fields.weight, control.fields.bias, renorm);
  if (tables) return forwardSamples(workspace, arrays, source, tables);
  let given: WholeMoments | null = null;
  let ran: Later<void>;
  if (source.fill) {
    given = source.fill(control);
    ran = kernels.normalize(control, x, y, residual);
  } else {
    control.set("count", plan.count);
    ran = kernels.forward(control, x, y, residual, weights && positions.of(weights.values));
  }
  // No closure for a call that has ended: a small forward takes microseconds.
  return ran ? ran.then(() => zeroed(workspace, arrays, source, given)) : zeroed(workspace, arrays, source, given);
}

/** A forward with γ and β for each sample. */
function forwardSamples(
  workspace: Workspace,
  arrays: ForwardArrays,
  source: StatisticsSource,
  tables: SampleTables,
): Later<Forward> {
  const filled = source.fill ? source.fill(workspace.control) : fillMoments(workspace, arrays);
  return after(filled, (moments) =>
    after(normalizeSamples(workspace, arrays, tables), () =>
      after(zeroMasked(workspace, arrays), () => finish(workspace, arrays, source, moments, tables)),
    ),
  );
}

function zeroMasked({ kernels, control, positions }: Workspace, { weights, y }: ForwardArrays): Later<void> {
  if (weights?.maskedOutput === "zero") return kernels.zeroMasked(control, y, y, positions.of(weights.values));
}

/** What follows on the normalization. `given` are the moments that the source filled in. */
function zeroed(
  workspace: Workspace,
  arrays: ForwardArrays,
  source: StatisticsSource,
  given: WholeMoments | null,
): Later<Forward> {
  const moments = source.fill ? given : momentsIn(workspace.control, arrays);
  const ran = zeroMasked(workspace, arrays);
  return ran
    ? ran.then(() => finish(workspace, arrays, source, moments, null))
    : finish(workspace, arrays, source, moments, null);
}

function finish(
  { control }: Workspace,
  arrays: ForwardArrays,
  { isFixed, isOwn, fill }: StatisticsSource,
  moments: WholeMoments | null,
  tables: SampleTables | null,
): Forward {
  const { plan, kept } = arrays;
  if (!kept) return { moments, saved: null };
  const count = moments?.count ?? plan.count;
  const saved = savedOf(copyStatistics(control), tables, count, arrays, kept, isFixed, fill !== null && !isOwn);
  return { moments, saved };
}

/**
 * Without elements no kernel runs. A shape alone, such as [0, 10_000_000], must not cost memory, so that nothing is made
 * but what the result has.
 */
function forwardNothing(arrays: ForwardArrays, source: StatisticsSource): Forward {
  const { plan, kept, parameters, conditional } = arrays;
  const { weight, bias, eps } = parameters;
  const { count, moments, tables: tablesOf } = source.ofNothing(plan.channels, eps);
  if (!kept) return { moments, saved: null };
  const { mean, invStd } = tablesOf();
  const factors = weight ? tableOf(weight) : zeros(plan.channels);
  if (!weight) fill(factors, 1);
  const statistics = { weight: factors, bias: bias ? tableOf(bias) : zeros(plan.channels), mean, invStd };
  const tables = conditional && tablesOfSamples(statistics, conditional, null);
  return { moments, saved: savedOf(statistics, tables, count, arrays, kept, source.isFixed, source.fill !== null) };
}

/** The token of a part of a batch, by that of another part: both were normalized with the same statistics. */
export function tokenOf(other: Saved, part: Batch & Pick<ForwardArrays, "residual">): Saved {
  const { activation, renorm, count, fixedStatistics, hasWeight, hasBias, weight, bias } = other;
  const parameters = { weight: hasWeight ? weight : null, bias: hasBias ? bias : null, eps: 0 };
  const arrays = { ...part, y: part.x, activation, renorm, parameters, conditional: null, kept: "input" as const };
  return savedOf(other, null, count, arrays, "input", fixedStatistics, true);
}

/** The token of a forward that normalized with these statistics; `isGiven`: which may be those of other parts too. */
function savedOf(
  { weight, bias, mean, invStd }: Statistics,
  conditional: SampleTables | null,
  count: number,
  arrays: ForwardArrays,
  kept: Kept,
  fixedStatistics: boolean,
  isGiven: boolean,
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
    apartAxes: plan.apartAxes,
    outer: plan.outer,
    channels: plan.channels,
    inner: plan.inner,
    count,
    isPart: !fixedStatistics && isGiven && countsOthers(count, plan, weights),
    fixedStatistics,
    activation: keptActivation(activation),
    mean,
    invStd,
    weight,
    bias,
    renorm,
    conditional,
    virtualBatches: null,
    isInterleaved: false,
    hasWeight: parameters.weight !== null || conditional?.hasWeight === true,
    hasBias: parameters.bias !== null || conditional?.hasBias === true,
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
