// A forward of a layer: of the batch as a whole, or of each of the virtual batches that it is cut into, one after another.
import type { ChannelAxes } from "../base/axes.js";
import type { ForwardArrays } from "../engine/forward.js";
import { computeMoments } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import type { Extent } from "../kernels/control.js";
import type { RenormMetrics } from "../policies/renorm.js";
import { inOrder, partOfArrays, putBack, samplesOf, virtualBatchesOf, type Cut } from "../policies/virtual-batches.js";
import { planOf, type Plan } from "../values/plan.js";
import { composed, type Saved } from "../values/saved.js";
import type { Weights } from "../values/weights.js";
import { checkFinite, normalize, updateOfFinite, type Setting } from "./normalize.js";
import type { Mode } from "./mode.js";
import type { Moved } from "./running.js";

export interface LayerCall {
  readonly arrays: ForwardArrays;
  readonly mode: Mode;
  readonly setting: Omit<Setting, "mode">;
  /** null: the batch is not cut. */
  readonly cut: Cut | null;
  readonly axis: ChannelAxes;
  readonly modeOf: (plan: Plan, weights: Weights | null) => Mode;
  readonly workspaceOf: (extent: Extent, isWeighted: boolean) => Workspace;
  /** Is told what a batch moves, before the next one is normalized. */
  readonly move: (moved: Moved) => void;
}

export interface LayerResult {
  readonly saved: Saved | null;
  readonly renormed: RenormMetrics | null;
  readonly workspace: Workspace;
}

/** Normalizes x into y. */
export function normalizeBatch(call: LayerCall): LayerResult {
  const { arrays, mode, cut } = call;
  const isCut = cut !== null && mode.statistics === "batch" && arrays.plan.size > 0;
  return isCut ? normalizeCut(call, cut) : normalizeOne(call, arrays, mode);
}

function normalizeOne(
  { setting, workspaceOf, move }: Pick<LayerCall, "setting" | "workspaceOf" | "move">,
  arrays: ForwardArrays,
  mode: Mode,
): LayerResult {
  const workspace = workspaceOf(arrays.plan, arrays.weights !== null);
  const { moments, saved, renormed = null } = normalize(workspace, arrays, { ...setting, mode });
  const update = setting.onNonFinite === "skip" ? updateOfFinite(moments, mode) : mode.update;
  if (update !== "none") move({ moments: moments!, update });
  return { saved, renormed, workspace };
}

/** The arrays of the virtual batches, and the mode of each: all are checked before anything is written. */
function partsOf({ axis, modeOf }: LayerCall, cut: Cut, arrays: ForwardArrays): (readonly [ForwardArrays, Mode])[] {
  const { plan } = arrays;
  const samples = samplesOf(plan);
  const plans = new Map<number, Plan>();
  return virtualBatchesOf(cut, samples).map((batch) => {
    const length = batch.end - batch.begin;
    const own = plans.get(length) ?? planOf([length, ...plan.shape.slice(1)], axis, plan.dtype, plan.channels);
    plans.set(length, own);
    const part = partOfArrays(arrays, own, samples, batch);
    return [part, modeOf(own, part.weights)] as const;
  });
}

function normalizeCut(call: LayerCall, cut: Cut): LayerResult {
  const { plan, y, weights } = call.arrays;
  const samples = samplesOf(plan);
  const isInterleaved = cut.order === "interleaved";
  const count = Math.ceil(samples / cut.size);
  const arrays = isInterleaved ? inOrder(call.arrays, samples, count) : call.arrays;
  const parts = partsOf(call, cut, arrays);
  // Of the last one, which may be smaller, and of all others.
  const workspaces = new Map<Plan, Workspace>();
  const workspaceOf = (own: Plan): Workspace => {
    const workspace = workspaces.get(own) ?? call.workspaceOf(own, weights !== null);
    workspaces.set(own, workspace);
    return workspace;
  };
  if (call.setting.onNonFinite === "throw") {
    for (const [part] of parts) checkFinite(computeMoments(workspaceOf(part.plan), part));
  }
  const { setting, move } = call;
  const results = parts.map(([part, mode]) =>
    normalizeOne({ setting, move, workspaceOf: () => workspaceOf(part.plan) }, part, mode),
  );
  if (isInterleaved) putBack(arrays.y, y, samples, count);
  const tokens = results.flatMap(({ saved }) => (saved ? [saved] : []));
  const saved = tokens.length > 0 ? composed(tokens, arrays, isInterleaved) : null;
  const { renormed } = results.at(-1)!;
  return { saved, renormed, workspace: results[0]!.workspace };
}
