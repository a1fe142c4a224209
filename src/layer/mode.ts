// Which statistics a forward normalizes with, and which it updates.
import type { Config } from "./config.js";
import { rangeError } from "../base/errors.js";
import type { Plan } from "../values/plan.js";
import type { Weights } from "../values/weights.js";

export interface Mode {
  readonly statistics: "batch" | "running";
  /** Which running statistics the batch updates. */
  readonly update: "none" | "mean" | "all";
}

/**
 * The batch's statistics are used in training, unless the layer is frozen, and without running statistics, as in torch.
 */
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
    const when = training ? "when training" : "without running statistics (trackRunningStats: false), in eval() too";
    const got = `${weights ? "one of positive weight in " : ""}shape [${shape.join(", ")}]`;
    throw rangeError(
      "ERR_BATCHNORM_SINGLE_VALUE",
      `Expected more than 1 value per channel ${when}, got ${got}; the option "singleValue" allows one`,
    );
  }
  return { statistics: "running", update: singleValue === "running" ? "mean" : "none" };
}
