// The tables of a layer, as the calls take them. Their buffers may have been transferred to another thread, or taken away.
import { checkData, checkOptionalData } from "../base/check.js";
import { floatTypeOf, type DType } from "../base/types.js";
import type { Parameters } from "../engine/forward.js";
import type { Tables } from "../values/aliases.js";
import type { Config } from "./config.js";
import type { LayerState } from "./layer-state.js";
import type { RunningTables } from "./running.js";

export function parametersOf({ weight, bias, eps, dtype, numFeatures }: LayerState<DType>): Parameters {
  return {
    weight: checkOptionalData("weight", weight, floatTypeOf(dtype), numFeatures),
    bias: checkOptionalData("bias", bias, floatTypeOf(dtype), numFeatures),
    eps,
  };
}

export function runningOf(
  { runningMean, runningVar, dtype, numFeatures }: LayerState<DType>,
  { trackRunningStats }: Config,
): RunningTables | null {
  if (!trackRunningStats) return null;
  return {
    mean: checkData("runningMean", runningMean, floatTypeOf(dtype), numFeatures),
    variance: checkData("runningVar", runningVar, floatTypeOf(dtype), numFeatures),
  };
}

/** The state of a layer, which an output must not overwrite. */
export function tablesOf(
  { weight, bias }: Parameters,
  running: RunningTables | null,
  others: Tables | null = null,
): Tables {
  const own = { weight, bias, runningMean: running?.mean ?? null, runningVar: running?.variance ?? null };
  return others ? { ...own, ...others } : own;
}
