// Forward: a source of statistics → coefficients → normalize, and the token for the backward. Shared by the layer and the
// stateless functions; nothing here rejects anything.
import type { Data, Floats } from "../base/types.js";
import { affineCoefficients } from "../kernels/coefficients.js";
import { copyStatistics, type Control } from "../kernels/control.js";
import { setActivation, type Activation } from "../values/activation.js";
import { sameMemory } from "../values/plan.js";
import { noteWrites } from "../values/lifetime.js";
import { makeSaved, type Saved } from "../values/saved.js";
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
  readonly activation: Activation;
  readonly parameters: Parameters;
  /** null: nothing. */
  readonly kept: Kept | null;
}

export interface Forward {
  /** That the forward normalized with; valid until the workspace's next call. null with fixed statistics. */
  readonly moments: WholeMoments | null;
  readonly saved: Saved | null;
}

function copyOr(target: Float64Array, source: Floats | null, otherwise: number): void {
  if (source) target.set(source);
  else target.fill(otherwise);
}

function prepare(control: Control, { weight, bias, eps }: Parameters, activation: Activation): void {
  copyOr(control.fields.weight, weight, 1);
  copyOr(control.fields.bias, bias, 0);
  control.set("eps", eps);
  setActivation(control, activation);
}

/** Normalizes x into y. */
export function forward(workspace: Workspace, arrays: ForwardArrays, source: StatisticsSource): Forward {
  const { kernels, control, positions } = workspace;
  const { plan, x, y, residual, weights, kept } = arrays;
  const isEmpty = plan.size === 0;
  let moments: WholeMoments | null;
  noteWrites(y);
  prepare(control, arrays.parameters, arrays.activation);
  if (source.isBatch && !isEmpty) {
    control.set("count", plan.count);
    kernels.forward(control, x, y, residual, weights && positions.of(weights.values));
    moments = momentsIn(control, arrays);
  } else {
    moments = source.fill(workspace, arrays);
    affineCoefficients(control);
    if (!isEmpty) kernels.normalize(control, x, y, residual);
  }
  if (weights?.maskedOutput === "zero" && !isEmpty) kernels.zeroMasked(control, y, y, positions.of(weights.values));
  return { moments, saved: kept && savedOf(control, arrays, kept, source) };
}

/** The token of the forward that the control block has just served. */
function savedOf(control: Control, arrays: ForwardArrays, kept: Kept, source: StatisticsSource): Saved {
  const { plan, x, y, residual, activation, weights, parameters } = arrays;
  const { weight, bias, mean, invStd } = copyStatistics(control);
  const { isFixed: fixedStatistics, isBatch } = source;
  const count = control.get("count");
  const maskedOutput = weights?.maskedOutput ?? "normalize";
  const hasActivation = activation !== "none";
  return makeSaved({
    dtype: plan.dtype,
    shape: plan.shape,
    outer: plan.outer,
    channels: plan.channels,
    inner: plan.inner,
    count,
    isPart: !fixedStatistics && !isBatch && countsOthers(count, plan, weights),
    fixedStatistics,
    activation,
    mean,
    invStd,
    weight,
    bias,
    hasWeight: parameters.weight !== null,
    hasBias: parameters.bias !== null,
    hasResidual: residual !== null,
    x: kept === "output" ? y : x,
    xIsOutput: kept === "output",
    residualOrOutput: hasActivation ? residual : null,
    // Where the output replaced the residual, the mask is read off the output instead.
    holdsOutput: hasActivation && residual !== null && sameMemory(residual, y),
    // What backward does not look at need not be kept.
    sampleWeights: weights && (!fixedStatistics || maskedOutput === "zero") ? weights.values : null,
    maskedOutput,
  });
}
