// The seam for statistics: where a forward takes the mean and r = 1/√(variance + ε) from that it normalizes with. A policy
// implements `StatisticsSource` and nothing else.
import type { Data, Floats } from "../base/types.js";
import { copyInto, tableOf, zeros } from "../base/arrays.js";
import { batchInvStd, fillBatchInvStd, fillFixedInvStd } from "../kernels/coefficients.js";
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
  /** Whether they are those of the batch alone: the fused forward kernel then makes them too. */
  readonly isBatch: boolean;
  /**
   * Writes `count`, `mean` and `invStd` of every channel into the control block. Returns the moments behind them, valid
   * until the workspace's next call; null of fixed statistics.
   */
  fill(workspace: Workspace, batch: Batch): WholeMoments | null;
  /** The same for a tensor without elements, in new arrays. */
  ofNothing(channels: number, eps: number): OfNothing;
}

/** Statistics for a tensor without elements. A call makes the tables only if it saves a token. */
export interface OfNothing {
  readonly count: number;
  readonly moments: WholeMoments | null;
  readonly tables: () => Pick<Statistics, "mean" | "invStd">;
}

function sumUp({ kernels, control, positions }: Workspace, { plan, x, weights }: Batch): void {
  control.set("count", plan.count);
  kernels.moments(control, x, weights && positions.of(weights.values));
}

/** The moments in the control block, until its next call. */
export function momentsIn(control: Control, { plan, weights }: Batch): WholeMoments {
  const { mean, m2 } = control.fields;
  const count = control.get("count");
  return { count, sumSquaredWeights: weights ? sumOfSquares(weights, plan, count) : count, mean, m2 };
}

/** Moments of x alone, as copies. */
export function computeMoments(workspace: Workspace, batch: Batch): WholeMoments {
  if (batch.plan.size === 0) return emptyMoments(batch.plan.channels);
  sumUp(workspace, batch);
  return copyMoments(momentsIn(workspace.control, batch));
}

/** The mean and the biased variance of the batch itself (Ioffe & Szegedy 2015, Algorithm 1). */
export const batchStatistics: StatisticsSource = {
  isFixed: false,
  isBatch: true,
  fill(workspace, batch) {
    sumUp(workspace, batch);
    batchInvStd(workspace.control);
    return momentsIn(workspace.control, batch);
  },
  // An empty batch has no statistics: zeros everywhere, so that y, were there one, would be β.
  ofNothing: (channels) => ({
    count: 0,
    moments: emptyMoments(channels),
    tables: () => ({ mean: zeros(channels), invStd: zeros(channels) }),
  }),
};

/** Given moments, as if they were the batch's own: those of all parts of a synchronized or accumulated batch. */
export function givenMoments(moments: WholeMoments): StatisticsSource {
  return {
    isFixed: false,
    isBatch: false,
    fill({ control }) {
      control.set("count", moments.count);
      copyInto(control.fields.mean, moments.mean);
      copyInto(control.fields.m2, moments.m2);
      batchInvStd(control);
      return moments;
    },
    ofNothing: (channels, eps) => ({
      count: moments.count,
      moments: copyMoments(moments),
      tables() {
        const invStd = zeros(channels);
        fillBatchInvStd(invStd, moments.m2, moments.count, eps);
        return { mean: tableOf(moments.mean), invStd };
      },
    }),
  };
}

/** A mean and a variance that are fixed: running statistics. */
export function runningStatistics(mean: Floats, variance: Floats): StatisticsSource {
  return {
    isFixed: true,
    isBatch: false,
    fill({ control }, { plan }) {
      control.set("count", plan.count);
      copyInto(control.fields.mean, mean);
      fillFixedInvStd(control.fields.invStd, variance, control.get("eps"));
      return null;
    },
    ofNothing: (channels, eps) => ({
      count: 0,
      moments: null,
      tables() {
        const invStd = zeros(channels);
        fillFixedInvStd(invStd, variance, eps);
        return { mean: tableOf(mean), invStd };
      },
    }),
  };
}
