// Masks and sample weights: what a caller gives becomes weights of samples or positions, which tokens keep, and of those one
// a position, which is all that kernels know.
import { KIND, checkArray, checkOneOf, describe, lengthOf } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { Plan } from "./plan.js";
import { allocate, floatTypeOf, type DType, type Floats, type ParametersOf } from "../base/types.js";

/** What becomes of outputs at positions without weight: the affine map of their x as everywhere, or +0. */
export type MaskedOutput = "normalize" | "zero";

/** 1 or true where a position counts, 0 or false where it does not. */
export type Mask<D extends DType> = Uint8Array | ParametersOf<D> | readonly (0 | 1 | boolean)[];

/**
 * Which positions count, and how much. Both are as long as the first axis, one for each sample, or as all axes but the
 * channels' together, one for each position, in the order of the data. Given both, they multiply.
 */
export interface StatisticsWeights<D extends DType> {
  mask?: Mask<D> | null;
  /** Finite and ≥ 0: mean = Σwx/Σw, variance = Σw(x − mean)²/Σw. Copied. */
  sampleWeights?: ParametersOf<D> | null;
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
  /** One for each sample, or outer·inner of them. */
  readonly values: Floats;
  /** How many are positive: 0, 1, or 2 for more. */
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

/** A copy of given values, and how many positions share each. */
interface Copy {
  readonly values: Floats;
  readonly each: number;
}

function copyOf(name: string, given: Floats | Uint8Array, plan: Plan): Copy {
  const length = lengthOf(given);
  const each = positionsPerValue(name, length, plan);
  const values = allocate(floatTypeOf(plan.dtype), length);
  values.set(given);
  return { values, each };
}

/** One weight a position, for kernels: an array that lasts, because fresh ones cost as much as the kernel. */
export class PositionWeights {
  #array: Floats | null = null;

  constructor(
    private readonly dtype: DType,
    private readonly count: number,
  ) {}

  /** Of weights of samples until the next call; those of positions themselves. */
  of(values: Floats): Floats {
    const { count } = this;
    const length = lengthOf(values); // a token's may claim another
    if (length === count) return values;
    const array = (this.#array ??= allocate(floatTypeOf(this.dtype), count));
    const each = count / length;
    for (let p = 0, i = 0; p < count; p += each, i++) array.fill(values[i]!, p, p + each);
    return array;
  }
}

// Loops go over what was given, not over what it expands to, and take no branch that data decide: weights may be a third
// as many as the values, and JavaScript takes longer for one than a kernel does.

function readMask(given: unknown, plan: Plan): Copy {
  const copy = copyOf("mask", checkArray("mask", given, ["Uint8Array", KIND[floatTypeOf(plan.dtype)]]), plan);
  for (let i = 0; i < copy.values.length; i++) {
    const bit = copy.values[i]!;
    if (bit * (bit - 1) !== 0) checkBit("mask", bit);
  }
  return copy;
}

function readSampleWeights(given: unknown, plan: Plan): Copy {
  const copy = copyOf("sampleWeights", checkArray("sampleWeights", given, [KIND[floatTypeOf(plan.dtype)]]), plan);
  const { values, each } = copy;
  let sum = 0;
  let negative = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    sum += value;
    if (value < 0) negative++;
  }
  if (negative > 0 || !(sum * each < Infinity)) {
    const bad = values.find((value) => !(value >= 0 && value < Infinity));
    const expected = bad === undefined ? "a finite sum" : "finite numbers ≥ 0";
    throw rangeError("ERR_BATCHNORM_VALUE", `"sampleWeights" expected ${expected}, got ${bad ?? sum * each}`);
  }
  return copy;
}

/** One by one, or each value of a sample with all of its positions. */
function product(a: Copy, b: Copy): Floats {
  const [fine, coarse] = a.each < b.each ? [a, b] : [b, a];
  const shared = coarse.each / fine.each;
  return fine.values.map((value, i) => value * coarse.values[Math.floor(i / shared)]!);
}

/** How many positions have a positive one, up to 2. */
function positiveAmong(values: Floats, { count }: Plan): number {
  const each = count / values.length;
  let positive = 0;
  for (let i = 0; i < values.length && positive < 2; i++) if (values[i]! > 0) positive += each;
  return Math.min(positive, 2);
}

/** The weights of a call; null where it gave neither mask nor weights. No code of the caller's runs here. */
export function weightsOf(plan: Plan, { mask, sampleWeights, maskedOutput }: GivenWeights): Weights | null {
  if (mask === null && sampleWeights === null) return null;
  const weights = sampleWeights === null ? null : readSampleWeights(sampleWeights, plan);
  const bits = mask === null ? null : readMask(mask, plan);
  const values = weights && bits ? product(weights, bits) : (weights ?? bits)!.values;
  return { values, positive: positiveAmong(values, plan), maskedOutput };
}
