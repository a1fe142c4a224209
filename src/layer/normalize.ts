// One forward of a layer: its statistics by its mode, a renormalization where there is one, and which batches count.
import { rangeError } from "../base/errors.js";
import { after, type Later } from "../base/later.js";
import { forward, type Forward, type ForwardArrays } from "../engine/forward.js";
import { batchStatistics, computeMoments, givenMoments, runningStatistics } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import { firstNotFinite, type WholeMoments } from "../kernels/moments.js";
import { renormalize, type RenormLimits, type RenormMetrics } from "../policies/renorm.js";
import type { OnNonFinite } from "./options.js";
import type { Mode } from "./mode.js";
import type { RunningTables, Update } from "./running.js";

/** A forward, with the moments that move the running statistics. */
export interface LayerForward extends Forward {
  readonly renormed?: RenormMetrics;
}

/** Normalizes x into y; `limits` are those of a renormalization, `given` moments that stand for the batch's own. */
export function normalize(
  workspace: Workspace,
  arrays: ForwardArrays,
  mode: Mode,
  running: RunningTables | null,
  limits: RenormLimits | null,
  onNonFinite: OnNonFinite,
  given: WholeMoments | null = null,
): Later<LayerForward> {
  const isBatch = mode.statistics === "batch";
  const checks = onNonFinite === "throw";
  // An output in place overwrites x, so the moments of a single value are computed before.
  const isEarly = mode.update === "mean" || (isBatch && (checks || limits !== null));
  if (given || isEarly) {
    const found = given ?? computeMoments(workspace, arrays);
    return after(found, (moments) => {
      if (checks) checkFinite(moments);
      return normalizeWith(workspace, arrays, isBatch, running, limits, moments, given === null);
    });
  }
  return forward(workspace, arrays, isBatch ? batchStatistics : runningStatistics(running!));
}

/** The same with moments that are there. `isOwn`: they are those of this batch alone. */
function normalizeWith(
  workspace: Workspace,
  arrays: ForwardArrays,
  isBatch: boolean,
  running: RunningTables | null,
  limits: RenormLimits | null,
  moments: WholeMoments,
  isOwn: boolean,
): Later<LayerForward> {
  if (!isBatch)
    return after(forward(workspace, arrays, runningStatistics(running!)), (result) => ({ ...result, moments }));
  if (!limits) return forward(workspace, arrays, givenMoments(moments, isOwn));
  const { tables, metrics } = renormalize(moments, running!, arrays.parameters.eps, limits);
  const result = forward(workspace, { ...arrays, renorm: tables }, givenMoments(moments, isOwn));
  return after(result, (own) => ({ ...own, renormed: metrics }));
}

export function checkFinite(moments: WholeMoments): void {
  const channel = firstNotFinite(moments);
  if (channel < 0) return;
  const message = `the mean or the variance of the batch is not finite in channel ${channel} ("onNonFinite" "throw")`;
  throw rangeError("ERR_BATCHNORM_NOT_FINITE", message);
}

/** Which running statistics a batch moves. */
export function updateOf(moments: WholeMoments | null, { update }: Mode, onNonFinite: OnNonFinite): Update {
  return update !== "none" && onNonFinite === "skip" && firstNotFinite(moments!) >= 0 ? "none" : update;
}
