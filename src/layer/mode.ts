// Which statistics a forward normalizes with, and which it updates.
import type { Config } from "./config.js";
import type { Update } from "./running.js";
import { checkOneOf, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { Plan } from "../values/plan.js";
import type { Weights } from "../values/weights.js";

/** The options of one forward of a layer that say what its mode says otherwise. */
export interface ModeOptions {
  /**
   * The statistics to normalize with: those of the batch, or the running ones, which the backward treats as constants.
   * By default they are those of the batch in training, unless the layer is frozen, and without running statistics.
   */
  statistics?: "batch" | "running" | undefined;
  /**
   * Whether the batch moves the running statistics. By default it does so in training, unless the layer is frozen.
   *
   * - `false`: it moves nothing. Use it for a forward that is made again, as activation checkpointing and two-step
   *   optimizers do.
   * - `true`: it moves them in inference too, with `statistics: "batch"`.
   * - `"later"`: it moves nothing until `layer.commit(token)`.
   */
  updateRunningStats?: boolean | "later" | undefined;
}

export const MODE_OPTIONS = ["statistics", "updateRunningStats"] as const;

/** The mode of a layer, and the options as they were read; undefined: as the mode says. */
export interface Asked {
  readonly training: boolean;
  readonly frozen: boolean;
  readonly statistics: "batch" | "running" | undefined;
  readonly update: boolean | "later" | undefined;
}

/** Reads the mode of a layer, which may be a proxy, and the options. */
export function readAsked(
  { training, frozen }: Pick<Asked, "training" | "frozen">,
  { statistics, updateRunningStats }: Record<string, unknown>,
): Asked {
  return {
    training,
    frozen,
    statistics:
      statistics === undefined ? undefined : checkOneOf("statistics", statistics, ["batch", "running"] as const),
    update: readUpdate(updateRunningStats),
  };
}

function readUpdate(value: unknown): boolean | "later" | undefined {
  if (value === undefined || typeof value === "boolean" || value === "later") return value;
  throw typeError("ERR_BATCHNORM_TYPE", `"updateRunningStats" expected a boolean or "later", got ${describe(value)}`);
}

export interface Mode {
  readonly statistics: "batch" | "running";
  /** Which running statistics the batch updates. */
  readonly update: Update;
}

/** Whether running statistics may move, which is refused where it was asked for and cannot be. */
function moves(statistics: "batch" | "running", tracks: boolean, { training, frozen, update }: Asked): boolean {
  const possible = tracks && !frozen && statistics === "batch";
  if (update === undefined) return possible && training;
  if (update === false || possible) return update !== false;
  const why = !tracks
    ? `"trackRunningStats" false`
    : frozen
      ? "a frozen layer"
      : "a forward that normalizes with the running statistics";
  throw rangeError("ERR_BATCHNORM_OPTION", `"updateRunningStats" ${String(update)} and ${why} exclude each other`);
}

/**
 * The batch's statistics are used in training, unless the layer is frozen, and without running statistics, as in torch.
 */
export function statisticsOf(
  { trackRunningStats }: Config,
  { statistics, training, frozen }: Asked,
): "batch" | "running" {
  return statistics ?? (!trackRunningStats || (training && !frozen) ? "batch" : "running");
}

export function modeOf(
  { shape, count }: Pick<Plan, "shape" | "count">,
  weights: Weights | null,
  config: Config,
  state: Asked,
): Mode {
  const { singleValue, trackRunningStats } = config;
  const { training } = state;
  const statistics = statisticsOf(config, state);
  if (statistics === "running" && !trackRunningStats)
    throw rangeError("ERR_BATCHNORM_OPTION", `"statistics" "running" needs "trackRunningStats"`);
  const isMoving = moves(statistics, trackRunningStats, state);
  const values = weights ? weights.positive : count;
  if (statistics === "running" || values !== 1 || singleValue === "allow")
    return { statistics, update: isMoving && values > 0 ? "all" : "none" };
  if (singleValue === "error") {
    const when = training
      ? "when training"
      : trackRunningStats
        ? `with "statistics" "batch"`
        : "without running statistics (trackRunningStats: false), in eval() too";
    const got = `${weights ? "one of positive weight in " : ""}shape [${shape.join(", ")}]`;
    throw rangeError(
      "ERR_BATCHNORM_SINGLE_VALUE",
      `Expected more than 1 value per channel ${when}, got ${got}; the option "singleValue" allows one`,
    );
  }
  return { statistics: "running", update: isMoving && singleValue === "running" ? "mean" : "none" };
}
