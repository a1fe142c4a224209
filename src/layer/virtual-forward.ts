// A forward in training of a batch that is cut into virtual batches: that of each of them, one after another.
import { after, inTurn, type Later } from "../base/later.js";
import { forward, type ForwardArrays } from "../engine/forward.js";
import { batchStatistics, computeMoments } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import type { Extent } from "../kernels/control.js";
import { asOneBatch, momentsOfEach, sideBySide } from "../policies/interleaved.js";
import type { RenormLimits, RenormMetrics } from "../policies/renorm.js";
import {
  inOrder,
  partOfArrays,
  putBack,
  samplesOf,
  virtualBatchesOf,
  type Cut,
  type VirtualBatch,
} from "../policies/virtual-batches.js";
import { slopesOf } from "../values/activation.js";
import { planOf, type Plan } from "../values/plan.js";
import { composed } from "../policies/virtual-token.js";
import type { Saved } from "../values/saved.js";
import type { Weights } from "../values/weights.js";
import type { Config } from "./config.js";
import type { Mode } from "./mode.js";
import { checkFinite, normalize, updateOf, type LayerForward } from "./normalize.js";
import type { Moved, RunningTables } from "./running.js";

interface CutCall {
  readonly arrays: ForwardArrays;
  readonly cut: Cut;
  readonly config: Config;
  readonly running: RunningTables | null;
  readonly limits: RenormLimits | null;
  readonly modeOf: (plan: Plan, weights: Weights | null) => Mode;
  readonly workspaceOf: (extent: Extent, isWeighted: boolean) => Workspace;
  /** Is told what a virtual batch moves, before the next one is normalized. */
  readonly move: (moved: Moved) => void;
}

export interface CutForward {
  readonly saved: Saved | null;
  readonly renormed: RenormMetrics | undefined;
}

/** The arrays of the virtual batches, and the mode of each: all are checked before anything is written. */
function partsOf(
  { config: { axis }, modeOf }: CutCall,
  arrays: ForwardArrays,
  samples: number,
  batches: readonly VirtualBatch[],
): (readonly [ForwardArrays, Mode])[] {
  const { plan } = arrays;
  const plans = new Map<number, Plan>();
  return batches.map((batch) => {
    const length = batch.end - batch.begin;
    const own = plans.get(length) ?? planOf([length, ...plan.shape.slice(1)], axis, plan.dtype, plan.channels);
    plans.set(length, own);
    const part = partOfArrays(arrays, own, samples, batch);
    return [part, modeOf(own, part.weights)] as const;
  });
}

/** The same for interleaved ones that need no copy. */
function normalizeSideBySide(
  { arrays, config, move, workspaceOf }: CutCall,
  wide: Plan,
  count: number,
  mode: Mode,
): Later<CutForward> {
  const ran = forward(workspaceOf(wide, false), asOneBatch(arrays, wide, count), batchStatistics);
  return after(ran, (result) => {
    for (const moments of momentsOfEach(result, count)) {
      const update = updateOf(moments, mode, config.onNonFinite);
      if (update !== "none") move({ moments, update });
    }
    return { saved: result.saved && composed([result.saved], arrays, true), renormed: undefined };
  });
}

/** Normalizes each virtual batch of x into y. */
export function normalizeCut(call: CutCall): Later<CutForward> {
  const { cut, running, limits, move, workspaceOf } = call;
  const { onNonFinite } = call.config;
  const { plan, y } = call.arrays;
  const samples = samplesOf(plan);
  const isInterleaved = cut.order === "interleaved";
  const batches = virtualBatchesOf(cut, samples);
  const isPlain =
    !limits &&
    !call.arrays.conditional &&
    !slopesOf(call.arrays.activation) &&
    call.arrays.weights === null &&
    onNonFinite !== "throw";
  const wide = isInterleaved && isPlain ? sideBySide(plan, samples, batches.length) : null;
  if (wide) {
    const mode = call.modeOf(planOf([wide.outer, ...plan.shape.slice(1)], call.config.axis, plan.dtype), null);
    if (mode.statistics === "batch") return normalizeSideBySide(call, wide, batches.length, mode);
  }
  const arrays = isInterleaved ? inOrder(call.arrays, samples, batches.length) : call.arrays;
  const parts = partsOf(call, arrays, samples, batches);
  const checked = onNonFinite === "throw" ? checkParts(call, parts) : undefined;
  const results: LayerForward[] = [];
  const ran = after(checked, () =>
    inTurn(parts, ([part, mode]) => {
      const workspace = workspaceOf(part.plan, part.weights !== null);
      return after(normalize(workspace, part, mode, running, limits, onNonFinite), (result) => {
        const update = updateOf(result.moments, mode, onNonFinite);
        if (update !== "none") move({ moments: result.moments!, update });
        results.push(result);
      });
    }),
  );
  return after(ran, () => {
    if (isInterleaved) putBack(arrays.y, y, samples, batches.length);
    const tokens = results.flatMap(({ saved }) => (saved ? [saved] : []));
    return {
      saved: tokens.length > 0 ? composed(tokens, arrays, isInterleaved) : null,
      renormed: results.at(-1)!.renormed,
    };
  });
}

/** Checks the statistics of all virtual batches before anything is written. */
function checkParts({ workspaceOf }: CutCall, parts: readonly (readonly [ForwardArrays, Mode])[]): Later<void> {
  return inTurn(parts, ([part]) =>
    after(computeMoments(workspaceOf(part.plan, part.weights !== null), part), checkFinite),
  );
}
