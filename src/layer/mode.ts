// Which statistics a forward normalizes with, and which it moves.
import type { Config } from "../arguments/config.js";
import { rangeError } from "../base/errors.js";
import type { Plan } from "../values/plan.js";
import type { Weights } from "../values/weights.js";

export interface Mode {
  readonly statistics: "batch" | "running";
  /** What the batch moves of the running statistics. */
  readonly update: "none" | "mean" | "all";
}

/** Batch statistics iff training and not frozen, or where there are no running ones (as torch). */
export function modeOf(
  { shape, count }: Plan,
  weights: Weights | null,
  config: Config,
  { training, frozen }: { training: boolean; frozen: boolean },
): Mode {
  const { singleValue, trackRunningStats } = config;
  const batch = !trackRunningStats || (training && !frozen);
  if (!batch) return { statistics: "running", update: "none" };
  const values = weights ? weights.positive : count;
  if (values !== 1 || singleValue === "allow") {
    return { statistics: "batch", update: training && trackRunningStats && values > 0 ? "all" : "none" };
  }
  if (singleValue === "error") {
    throw rangeError(
      "ERR_BATCHNORM_SINGLE_VALUE",
      `Expected more than 1 value per channel when training, got ${weights ? "one of positive weight in " : ""}shape [${shape.join(", ")}]`,
    );
  }
  return { statistics: "running", update: singleValue === "running" ? "mean" : "none" };
}
