// A batch normalization in inference as an affine map of each channel, in float64.
import { checkInRange, describe, isRecord, lengthOf, tagOf } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf, readOptions } from "../base/options.js";
import type { DType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { StateSource } from "../layer/state-dict.js";
import { readEntries } from "../layer/state-keys.js";
import { readTable } from "../layer/state-values.js";
import { readOperand } from "../values/plan.js";

/** The batch normalization to fold: a layer, or a state such as `loadStateDict` takes. */
export type Foldable = BatchNorm<DType> | StateSource;

/** How a batch normalization is read. */
export interface NormOptions {
  /** ε, which is added to the variance. The default is that of the layer, and 1e-5 for a state. */
  eps?: number | undefined;
  /** What stands before the names of the entries in a state, for example `"bn1."`. The default is no prefix. */
  prefix?: string | undefined;
}

/** An affine map of each channel: y = x·scale + shift. */
export interface ScaleShift {
  /** γ/√(σ² + ε), one element per channel. */
  readonly scale: Float64Array;
  /** β − μ·γ/√(σ² + ε), one element per channel. */
  readonly shift: Float64Array;
}

/** The map, and what its shift is made of. */
export interface Affine extends ScaleShift {
  readonly mean: Float64Array;
  readonly bias: Float64Array;
}

export const NORM_OPTIONS = ["eps", "prefix"] as const satisfies readonly (keyof NormOptions)[];

/** The number of elements of an entry, whatever holds them. */
function lengthOfEntry(name: string, value: unknown): number {
  const { data } = readOperand(name, value);
  if (tagOf(data) !== undefined) return lengthOf(data);
  return typeof data === "object" && data !== null ? Object.keys(data).length : 0;
}

function checkFinite(name: string, table: Float64Array): Float64Array {
  const c = table.findIndex((value) => !Number.isFinite(value));
  if (c < 0) return table;
  throw rangeError("ERR_BATCHNORM_VALUE", `"${name}[${c}]" expected a finite number, got ${table[c]}`);
}

/** Reads the options `eps` and `prefix`, and the batch normalization. */
export function readNorm(bn: unknown, options: Record<string, unknown>): Affine {
  if (!isRecord(bn)) throw typeError("ERR_BATCHNORM_TYPE", `"bn" expected a layer or a state, got ${describe(bn)}`);
  const { prefix = "" } = options;
  if (typeof prefix !== "string")
    throw typeError("ERR_BATCHNORM_TYPE", `"prefix" expected a string, got ${describe(prefix)}`);
  const isLayer = typeof fieldOf(bn, "stateDict") === "function";
  const layer = bn as BatchNorm<DType>;
  const eps = checkInRange("eps", options.eps ?? (isLayer ? layer.eps : 1e-5), 0, Number.MAX_VALUE);
  const entries = readEntries(isLayer ? layer.stateDict() : bn);
  return affineOf(isLayer ? "" : prefix, entries, eps);
}

function affineOf(prefix: string, entries: ReadonlyMap<string, unknown>, eps: number): Affine {
  const [meanKey, varianceKey] = [`${prefix}running_mean`, `${prefix}running_var`];
  for (const key of [meanKey, varianceKey])
    if (!entries.has(key))
      throw rangeError("ERR_BATCHNORM_STATE", `"bn" expected running statistics, and has no "${key}"`);
  const numFeatures = lengthOfEntry(meanKey, entries.get(meanKey));
  const read = (key: string, absent: number): Float64Array => {
    if (!entries.has(key)) return new Float64Array(numFeatures).fill(absent);
    const size = { dtype: "float64", numFeatures } as const;
    return readTable(key, entries.get(key), size, key === varianceKey) as Float64Array;
  };
  const mean = checkFinite(meanKey, read(meanKey, 0));
  const bias = checkFinite(`${prefix}bias`, read(`${prefix}bias`, 0));
  const weight = checkFinite(`${prefix}weight`, read(`${prefix}weight`, 1));
  const variance = read(varianceKey, 1);
  const scale = weight.map((gamma, c) => gamma * inverse(varianceKey, c, variance[c]!, eps));
  return { scale, shift: bias.map((beta, c) => beta - mean[c]! * scale[c]!), mean, bias };
}

function inverse(name: string, c: number, variance: number, eps: number): number {
  if (variance + eps > 0) return 1 / Math.sqrt(variance + eps);
  throw rangeError("ERR_BATCHNORM_VALUE", `"${name}[${c}]" + eps expected a positive number, got ${variance + eps}`);
}

/**
 * Returns a batch normalization in inference as an affine map of each channel: y = x·scale + shift. Both are computed in
 * float64. In exact arithmetic it is what the layer computes after `eval()`, without its activation.
 *
 * The layer itself computes (x − μ)·scale + β, which is more exact if |μ| is much larger than the standard deviation.
 *
 * @param bn The layer, in any mode, or a state.
 * @param options ε, and the prefix of the names of a state.
 * @returns Two new arrays with one element per channel.
 * @throws RangeError if there are no running statistics (`ERR_BATCHNORM_STATE`), or if a value is NaN, σ² + ε is not
 * positive, or another value is infinite (`ERR_BATCHNORM_VALUE`).
 * @throws TypeError if an argument has the wrong kind (`ERR_BATCHNORM_TYPE`, `ERR_BATCHNORM_OPTION`).
 */
export function scaleShift(bn: Foldable, options?: NormOptions): ScaleShift {
  const { scale, shift } = readNorm(bn, readOptions(options, NORM_OPTIONS));
  return { scale, shift };
}
