// The option `moments` of a forward: what a batch of several parts has, in the place of the statistics of one part.
import { checkCount } from "../arguments/stateless.js";
import { rangeError } from "../base/errors.js";
import type { ForwardArrays } from "../engine/forward.js";
import { readMoments, type WholeMoments } from "../kernels/moments.js";
import type { Tables } from "../values/aliases.js";
import type { Config } from "./config.js";
import { modeOf, statisticsOf, type Asked, type Mode } from "./mode.js";

/** Reads the option. */
export function readGiven({ moments }: Record<string, unknown>, channels: number): WholeMoments | null {
  return moments === undefined ? null : readMoments("moments", moments, channels);
}

/** Its tables, which an output must not overwrite. */
export function tablesOfGiven({ mean, m2 }: WholeMoments): Tables {
  return { "moments.mean": mean, "moments.m2": m2 };
}

/** The number of values behind moments, up to 2: a single one has no variance. Its weight w has w² as sum of squares. */
function valuesOf({ count, sumSquaredWeights }: WholeMoments): number {
  if (count === 0) return 0;
  return count * count === sumSquaredWeights ? 1 : 2;
}

/** The mode of a forward with given moments. */
export function modeOfGiven(
  moments: WholeMoments,
  { plan, weights }: ForwardArrays,
  config: Config,
  asked: Asked,
): Mode {
  checkCount(moments, plan, weights);
  if (statisticsOf(config, asked) === "running") throw excluded("a forward with the running statistics");
  if (config.cut && asked.training) throw excluded(`"virtualBatchSize"`);
  return modeOf({ shape: plan.shape, count: valuesOf(moments) }, null, config, asked);
}

function excluded(what: string): RangeError {
  return rangeError("ERR_BATCHNORM_OPTION", `"moments" and ${what} exclude each other`);
}
