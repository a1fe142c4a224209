// Masks and sample weights: what a caller gives becomes one weight a position, which is all that kernels know.
import { KIND, checkArray, checkOneOf, describe, lengthOf } from "./check.js";
import { rangeError, typeError } from "./errors.js";
import type { Plan } from "./plan.js";
import { allocate, type ArrayOf, type Data, type DType } from "./types.js";

/** What becomes of outputs at positions without weight: the affine map of their x as everywhere, or +0. */
export type MaskedOutput = "normalize" | "zero";

/** 1 or true where a position counts, 0 or false where it does not. */
export type Mask<D extends DType> = Uint8Array | ArrayOf<D> | readonly (0 | 1 | boolean)[];

/**
 * Which positions count, and how much. Both are as long as the first axis, one for each sample, or as all axes but the
 * channels' together, one for each position, in the order of the data. Given both, they multiply.
 */
export interface StatisticsWeights<D extends DType> {
  mask?: Mask<D> | null;
  /** Finite and ≥ 0: mean = Σwx/Σw, variance = Σw(x − mean)²/Σw. Copied. */
  sampleWeights?: ArrayOf<D> | null;
}

export const WEIGHTS = ["mask", "sampleWeights"] as const;

/** As the caller gave them; an ordinary array's elements are read already. */
interface GivenWeights {
  readonly mask: unknown;
  readonly sampleWeights: unknown;
  readonly maskedOutput: MaskedOutput;
}

/** The weights of a call. */
export interface Weights {
  /** outer·inner of them. */
  readonly values: Data;
  /** How many are positive. */
  readonly positive: number;
  readonly maskedOutput: MaskedOutput;
}

function checkBit(name: string, value: unknown): number {
  if (typeof value !== "number" && typeof value !== "boolean")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected 0, 1 or a boolean, got ${describe(value)}`);
  if (value !== 0 && value !== 1 && typeof value !== "boolean")
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected 0 or 1, got ${value}`);
  return Number(value);
}

/** Runs every getter there may be; arrays are checked later. */
export function readWeights({ mask, sampleWeights, maskedOutput }: Record<string, unknown>): GivenWeights {
  const bits = Array.isArray(mask)
    ? Uint8Array.from({ length: mask.length }, (_, i) => checkBit(`mask[${i}]`, mask[i]))
    : (mask ?? null);
  return {
    mask: bits,
    sampleWeights: sampleWeights ?? null,
    maskedOutput: maskedOutput === undefined ? "normalize" : checkOneOf("maskedOutput", maskedOutput, OUTPUTS),
  };
}

const OUTPUTS: readonly MaskedOutput[] = ["normalize", "zero"];

/** How many positions share each of `length` given values. */
function positionsPerValue(name: string, length: number, { count, samples }: Plan): number {
  if (length === count) return 1;
  if (samples !== null && length === samples) return count / samples;
  const lengths = samples === null ? `${count} (positions)` : `${samples} (samples) or ${count} (positions)`;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${lengths}, got ${length}`);
}

/** One value a position, of one a position or one a sample. */
function expand(name: string, given: Data | Uint8Array, plan: Plan): Data {
  const each = positionsPerValue(name, lengthOf(given), plan);
  const values = allocate(plan.dtype, plan.count);
  if (each === 1) values.set(given);
  else for (let p = 0, i = 0; p < values.length; p += each, i++) values.fill(given[i]!, p, p + each);
  return values;
}

/** 0 or 1 for every position. */
function maskOf(mask: unknown, plan: Plan): Data {
  const values = expand("mask", checkArray("mask", mask, ["Uint8Array", KIND[plan.dtype]]), plan);
  for (let p = 0; p < values.length; p++) if (values[p] !== 0 && values[p] !== 1) checkBit("mask", values[p]);
  return values;
}

interface Tally {
  positive: number;
  /** Infinity or NaN where weights are not finite, or their sum is not. */
  sum: number;
  hasNegative: boolean;
}

/** All that there is to know of weights, in one pass: they may be a third as many as the values. */
function tallyOf(values: Data): Tally {
  let [positive, sum, negative] = [0, 0, 0];
  for (let p = 0; p < values.length; p++) {
    const value = values[p]!;
    sum += value;
    if (value > 0) positive++;
    else if (value !== 0) negative++;
  }
  return { positive, sum, hasNegative: negative > 0 };
}

function checkSampleWeights(values: Data, { sum, hasNegative }: Tally): void {
  if (!hasNegative && sum < Infinity) return;
  const bad = values.find((value) => !(value >= 0 && value < Infinity));
  const expected = bad === undefined ? "a finite sum" : "finite numbers ≥ 0";
  throw rangeError("ERR_BATCHNORM_VALUE", `"sampleWeights" expected ${expected}, got ${bad ?? sum}`);
}

/** One weight a position; null where the call gave neither mask nor weights. No code of the caller's runs here. */
export function weightsOf(plan: Plan, { mask, sampleWeights, maskedOutput }: GivenWeights): Weights | null {
  if (mask === null && sampleWeights === null) return null;
  if (sampleWeights === null) {
    const values = maskOf(mask, plan);
    return { values, positive: tallyOf(values).positive, maskedOutput };
  }
  const values = expand("sampleWeights", checkArray("sampleWeights", sampleWeights, [KIND[plan.dtype]]), plan);
  const tally = tallyOf(values);
  checkSampleWeights(values, tally);
  if (mask === null) return { values, positive: tally.positive, maskedOutput };
  const kept = maskOf(mask, plan);
  for (let p = 0; p < values.length; p++) values[p]! *= kept[p]!;
  return { values, positive: tallyOf(values).positive, maskedOutput };
}
