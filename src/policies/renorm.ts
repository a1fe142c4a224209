// Batch renormalization (Ioffe 2017): training normalizes with what inference will use, up to a limit.
import { checkInRange, describe } from "../base/check.js";
import { zeros } from "../base/arrays.js";
import { typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import type { Floats } from "../base/types.js";
import type { ChannelMoments } from "../kernels/moments.js";
import type { RenormTables } from "../values/saved.js";

/** The limits of a batch renormalization. With `rMax: 1` and `dMax: 0` it is batch normalization. */
export interface RenormLimits {
  /** r is kept between 1/rMax and rMax. A number of at least 1, which may be Infinity. */
  readonly rMax: number;
  /** d is kept between −dMax and dMax. A number of at least 0, which may be Infinity. */
  readonly dMax: number;
}

/**
 * Returns the limits for a batch.
 *
 * @param batch The number of the batch: 1 for the first one that updates the running statistics, and so on.
 */
export type RenormSchedule = (batch: number) => RenormLimits;

/** Limits, or a function that returns them for each batch. */
export type Renorm = RenormLimits | RenormSchedule;

/** What the newest batch renormalization did. */
export interface RenormMetrics extends RenormLimits {
  /** The share of the channels whose r was limited, from 0 to 1. */
  readonly rClipped: number;
  /** The share of the channels whose d was limited, from 0 to 1. */
  readonly dClipped: number;
}

/** Reads limits. `name` says where they came from. */
function readLimits(name: string, value: unknown): RenormLimits {
  if (value === undefined || value === null || typeof value !== "object")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected { rMax, dMax }, got ${describe(value)}`);
  const { rMax, dMax } = readOptions(value, ["rMax", "dMax"], name);
  return {
    rMax: checkInRange(`${name}.rMax`, rMax, 1, Infinity),
    dMax: checkInRange(`${name}.dMax`, dMax, 0, Infinity),
  };
}

/** Checks the option `renorm`. A function is checked when it has returned. */
export function readRenorm(value: unknown): Renorm | null {
  if (value === undefined) return null;
  return typeof value === "function" ? (value as Renorm) : Object.freeze(readLimits("renorm", value));
}

/** The limits of a batch. This may run the caller's function. */
export function limitsOf(renorm: Renorm, batch: number): RenormLimits {
  return typeof renorm === "function" ? readLimits(`renorm(${batch})`, renorm(batch)) : renorm;
}

/**
 * r = s/s_run within [1/rMax, rMax] and d = (μ − μ_run)/s_run within [−dMax, dMax], with s = √(σ² + ε) of the batch and
 * s_run = √(running variance + ε), both from before the batch moves the running statistics. Then
 * y = γ·(x̂·r + d) + β, which is γ·(x − μ_run)/s_run + β where nothing is limited. Without values r = 1 and d = 0.
 */
export function renormalize(
  { count, mean, m2 }: ChannelMoments,
  running: { readonly mean: Floats; readonly variance: Floats },
  eps: number,
  { rMax, dMax }: RenormLimits,
): { readonly tables: RenormTables; readonly metrics: RenormMetrics } {
  const channels = mean.length;
  const [r, d] = [zeros(channels), zeros(channels)];
  let rClipped = 0;
  let dClipped = 0;
  for (let c = 0; c < channels; c++) {
    const own = count === 0 ? 1 : Math.sqrt(m2[c]! / count + eps);
    const other = count === 0 ? 1 : Math.sqrt(running.variance[c]! + eps);
    const off = count === 0 ? 0 : mean[c]! - running.mean[c]!;
    // Equal ones, 0 too, have the ratio 1, and no distance is none.
    const ratio = own === other ? 1 : own / other;
    const distance = off === 0 ? 0 : off / other;
    r[c] = Math.min(Math.max(ratio, 1 / rMax), rMax);
    d[c] = Math.min(Math.max(distance, -dMax), dMax);
    if (r[c] !== ratio) rClipped++;
    if (d[c] !== distance) dClipped++;
  }
  return { tables: { r, d }, metrics: { rMax, dMax, rClipped: rClipped / channels, dClipped: dClipped / channels } };
}
