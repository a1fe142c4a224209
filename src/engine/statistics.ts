// The seam for statistics: where a forward takes the mean and the variance from that it normalizes with. A policy
// implements `StatisticsSource` and nothing else.
import { after, type Later } from "../base/later.js";
import type { Data, Floats } from "../base/types.js";
import { copyInto, tableOf, zeros } from "../base/arrays.js";
import { fillInvStds } from "../kernels/coefficients.js";
import type { Control, Statistics } from "../kernels/control.js";
import { copyMoments, emptyMoments, type WholeMoments } from "../kernels/moments.js";
import type { Plan } from "../values/plan.js";
import { sumOfSquares, type Weights } from "../values/weights.js";
import type { Workspace } from "./workspace.js";

/** What statistics are made of. */
export interface Batch {
  readonly plan: Plan;
  readonly x: Data;
  /** null: every position counts alike. */
  readonly weights: Weights | null;
}

export interface StatisticsSource {
  /** Whether the statistics do not depend on x, so that its gradient does not go through them: dx = γ·r·dy. */
  readonly isFixed: boolean;
  /** Whether the moments that `fill` writes are known to be those of the batch alone. */
  readonly isOwn?: boolean;
  /**
   * Writes `count`, and `mean` and `m2` of every channel into the control block. Returns the moments behind them, valid
   * until the workspace's next call; null of fixed statistics. null instead of a function: they are those of the batch
   * alone, which the fused forward kernel makes.
   */
  readonly fill: ((control: Control) => WholeMoments | null) | null;
  /** The same for a tensor without elements, in new arrays. */
  ofNothing(channels: number, eps: number): OfNothing;
}

/** Statistics for a tensor without elements. A call makes the tables only if it saves a token. */
export interface OfNothing {
  readonly count: number;
  readonly moments: WholeMoments | null;
  readonly tables: () => Pick<Statistics, "mean" | "invStd">;
}

/** The moments in the control block, until its next call. */
export function momentsIn(control: Control, { plan, weights }: Batch): WholeMoments {
  const { mean, m2 } = control.fields;
  const count = control.get("count");
  return { count, sumSquaredWeights: weights ? sumOfSquares(weights, plan, count) : count, mean, m2 };
}

/** Moments of x alone, in the control block. */
export function fillMoments({ kernels, control, positions }: Workspace, batch: Batch): Later<WholeMoments> {
  const { plan, x, weights } = batch;
  control.set("count", plan.count);
  return after(kernels.moments(control, x, weights && positions.of(weights.values)), () => momentsIn(control, batch));
}

/** Moments of x alone, as copies. */
export function computeMoments(workspace: Workspace, batch: Batch): Later<WholeMoments> {
  const { plan } = batch;
  return plan.size === 0 ? emptyMoments(plan.channels) : after(fillMoments(workspace, batch), copyMoments);
}

/** The mean and the biased variance of the batch itself (Ioffe & Szegedy 2015, Algorithm 1). */
export const batchStatistics: StatisticsSource = {
  isFixed: false,
  fill: null,
  // An empty batch has no statistics: zeros everywhere, so that y, were there one, would be β.
  ofNothing: (channels) => ({
    count: 0,
    moments: emptyMoments(channels),
    tables: () => ({ mean: zeros(channels), invStd: zeros(channels) }),
  }),
};

/**
 * Given moments, as if they were the batch's own: those of all parts of a synchronized or accumulated batch. With `isOwn` they
 * are those of the batch alone, which were computed before.
 */
export function givenMoments(moments: WholeMoments, isOwn = false): StatisticsSource {
  return {
    isFixed: false,
    isOwn,
    fill(control) {
      control.set("count", moments.count);
      copyInto(control.fields.mean, moments.mean);
      copyInto(control.fields.m2, moments.m2);
      return moments;
    },
    ofNothing: (channels, eps) => ({
      count: moments.count,
      moments: copyMoments(moments),
      tables() {
        const invStd = zeros(channels);
        fillInvStds(invStd, moments.m2, moments.count, eps);
        return { mean: tableOf(moments.mean), invStd };
      },
    }),
  };
}

/** A mean and a variance that are fixed: running statistics. */
export function runningStatistics({ mean, variance }: { mean: Floats; variance: Floats }): StatisticsSource {
  return {
    isFixed: true,
    fill(control) {
      // m2/1 is the variance.
      control.set("count", 1);
      copyInto(control.fields.mean, mean);
      copyInto(control.fields.m2, variance);
      return null;
    },
    ofNothing: (channels, eps) => ({
      count: 0,
      moments: null,
      tables() {
        const invStd = zeros(channels);
        fillInvStds(invStd, variance, 1, eps);
        return { mean: tableOf(mean), invStd };
      },
    }),
  };
}
