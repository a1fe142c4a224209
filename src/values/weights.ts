// Masks and sample weights. What a caller gives becomes one weight per sample or per position, which the token keeps.
// The kernels know one weight per position only.
import { copyInto, fill, partsOf, plainOf } from "../base/arrays.js";
import { KIND, checkArray, checkData, checkOneOf, lengthOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { groupsOf, type Extent } from "../kernels/control.js";
import type { Plan } from "./plan.js";
import { allocate, floatTypeOf, type DType, type Floats, type ParametersOf } from "../base/types.js";
import { ListedWeights, checkBit, checkRounded, readBits, readNumbers } from "./weight-lists.js";

/**
 * What the output is at positions whose weight is 0.
 *
 * - `"normalize"`: the output is normalized as everywhere else. Its gradient counts in the backward.
 * - `"zero"`: the output, `gradInput` and `gradResidual` are +0 there. x and `gradOutput` are ignored there, even if
 *   they are NaN.
 */
export type MaskedOutput = "normalize" | "zero";

/** A list of flags: 1 or true where a value counts in the statistics, 0 or false where it does not. */
export type Mask<D extends DType> = Uint8Array | ParametersOf<D> | readonly (0 | 1 | boolean)[];

/**
 * Which positions count in the statistics, and how much. A position is an index into all axes but the channels'.
 *
 * Both options have one value per sample (index of the first axis), or one value per position in the order of the data.
 * If both are given, they are multiplied. With weights w, sums over the positions, and W = Σw:
 *
 * - mean = Σw·x/W
 * - variance that normalizes the batch = Σw·(x − mean)²/W
 * - variance for the running statistics = Σw·(x − mean)²/(W − Σw²/W), as with `aweights` of numpy.cov. It does not
 *   change if all weights are multiplied by one number. With a mask it divides by the number of values minus 1.
 *
 * x is ignored where the weight is 0, even if it is NaN. If W − Σw²/W is not positive, the running variance takes the
 * batch's biased variance. If all weights are 0, the running statistics do not change and the output is β.
 */
export interface StatisticsWeights<D extends DType> {
  /**
   * The flags of the values that count: 0 and 1, or booleans. By default all count. They are copied. A wrong length
   * throws `ERR_BATCHNORM_SHAPE`.
   */
  mask?: Mask<D> | null | undefined;
  /**
   * The weights: 0, or finite numbers from 1e-150 to 1e150, with a finite sum. By default all are 1. They are copied,
   * and an ordinary array is rounded to the type of the parameters. A wrong length throws `ERR_BATCHNORM_SHAPE`, a
   * wrong number `ERR_BATCHNORM_VALUE`.
   */
  sampleWeights?: ParametersOf<D> | readonly number[] | null | undefined;
}

export const WEIGHTS = ["mask", "sampleWeights"] as const;

/** Weights as the caller gave them. The elements of an ordinary array have been read already. */
export interface GivenWeights {
  readonly mask: unknown;
  readonly sampleWeights: unknown;
  readonly maskedOutput: MaskedOutput;
}

/** The weights of a call. */
export interface Weights {
  /** One weight per sample, or one per position (outer·inner of them). */
  readonly values: Floats;
  /** The number of positions with a positive weight: 0, 1, or 2 for two and more. */
  readonly positive: number;
  /** Whether each weight is 0 or 1. Then the sum of the squares equals the sum of the weights. */
  readonly areBits: boolean;
  readonly maskedOutput: MaskedOutput;
}

const OUTPUTS: readonly MaskedOutput[] = ["normalize", "zero"];

/** Reads the options, which runs the caller's getters. Arrays are checked later. x has `size` elements. */
export function readWeights(
  { mask, sampleWeights, maskedOutput }: Record<string, unknown>,
  size: number,
): GivenWeights {
  return {
    mask: Array.isArray(mask) ? readBits("mask", mask, size) : (mask ?? null),
    sampleWeights: Array.isArray(sampleWeights)
      ? readNumbers("sampleWeights", sampleWeights, size)
      : (sampleWeights ?? null),
    maskedOutput: maskedOutput === undefined ? "normalize" : checkOneOf("maskedOutput", maskedOutput, OUTPUTS),
  };
}

/** The number of positions that share each of the `length` given values. */
function positionsPerValue(name: string, length: number, { count, samples }: Plan): number {
  if (length === count) return 1;
  if (samples !== null && length === samples) return count / samples;
  const lengths = samples === null ? `${count} (positions)` : `${samples} (samples) or ${count} (positions)`;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${lengths}, got ${length}`);
}

/** A copy of given values, and the number of positions that share each of them. */
interface Copy {
  readonly values: Floats;
  readonly each: number;
}

function copyOf(name: string, given: Floats | Uint8Array, plan: Plan): Copy {
  const length = lengthOf(given);
  const each = positionsPerValue(name, length, plan);
  const values = allocate(floatTypeOf(plan.dtype), length);
  copyInto(values, given);
  return { values, each };
}

/** One weight per position, for kernels. The array is kept, because a new one would cost as much as the kernel. */
export class PositionWeights {
  #array: Floats | null = null;

  constructor(
    private readonly dtype: DType,
    private readonly count: number,
  ) {}

  /** Expands weights of samples into an array that is valid until the next call. Weights of positions are returned. */
  of(values: Floats): Floats {
    const { count } = this;
    const length = lengthOf(values); // the array of a token may claim another length
    if (length === count) return values;
    const array = (this.#array ??= allocate(floatTypeOf(this.dtype), count));
    const each = count / length;
    for (let p = 0, i = 0; p < count; p += each, i++) fill(array, values[i]!, p, p + each);
    return array;
  }
}

// These loops go over the given values, not over the positions they expand to. Their branches do not depend on data.
// Weights may be a third as many as the values of x, and JavaScript takes longer for one than a kernel does.

function readMask(given: unknown, plan: Plan): Copy {
  const copy = copyOf("mask", checkArray("mask", given, ["Uint8Array", KIND[floatTypeOf(plan.dtype)]]), plan);
  for (let i = 0; i < copy.values.length; i++) {
    const bit = copy.values[i]!;
    if (bit * (bit - 1) !== 0) checkBit("mask", bit);
  }
  return copy;
}

/** A weight whose square overflows or underflows would make the running variance depend on the weights' scale. */
function checkSquares(name: string, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value !== 0 && !(value >= 1e-150 && value <= 1e150)) {
      const expected = "0 or a number from 1e-150 to 1e150";
      throw rangeError("ERR_BATCHNORM_VALUE", `"${name}[${i}]" expected ${expected}, got ${value}`);
    }
  }
}

/** Checks weights, each of which `each` positions share. */
function checkWeights(name: string, values: Floats, each: number): void {
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
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected ${expected}, got ${bad ?? sum * each}`);
  }
  if (values instanceof Float64Array) checkSquares(name, values);
}

function readSampleWeights(given: unknown, plan: Plan): Copy {
  const isListed = given instanceof ListedWeights;
  const array = isListed ? given.values : checkArray("sampleWeights", given, [KIND[floatTypeOf(plan.dtype)]]);
  const copy = copyOf("sampleWeights", array, plan);
  if (isListed) checkRounded(given.values, copy.values);
  checkWeights("sampleWeights", copy.values, copy.each);
  return copy;
}

/** Weights that a forward made, and that a backward need not check again. Of few, the check costs less than the note. */
const made = new WeakSet<Floats>();
const FEW = 256;

/** Checks the weights of a token: there must be one per sample or one per position, of `count`. */
export function checkTokenWeights(
  given: unknown,
  dtype: DType,
  count: number,
  [samples = 0]: readonly number[],
): ParametersOf<DType> {
  const name = "saved.sampleWeights";
  const weights = checkArray(name, given, [KIND[floatTypeOf(dtype)]]);
  const areShared = lengthOf(weights) === samples && count % samples === 0;
  if (!areShared) checkData(name, weights, floatTypeOf(dtype), count);
  if (!made.has(weights)) checkWeights(name, plainOf(weights) as Floats, areShared ? count / samples : 1);
  return weights;
}

/** Multiplies value by value, or the value of a sample with those of all its positions, into the finer copy. */
function product(a: Copy, b: Copy): Floats {
  const [fine, coarse] = a.each < b.each ? [a, b] : [b, a];
  const shared = coarse.each / fine.each;
  const { values } = fine;
  for (let i = 0; i < values.length; i++) values[i]! *= coarse.values[Math.floor(i / shared)]!;
  return values;
}

/** The number of positions with a positive weight, counted up to 2. */
function positiveAmong(values: Floats, { count }: Plan): number {
  const each = count / values.length;
  let positive = 0;
  for (let i = 0; i < values.length && positive < 2; i++) if (values[i]! > 0) positive += each;
  return Math.min(positive, 2);
}

/** The weights of some of the samples. */
export function partOfWeights(weights: Weights, plan: Plan, samples: number, begin: number): Weights {
  const each = lengthOf(weights.values) / samples;
  const values = partsOf(weights.values)(begin * each, plan.samples! * each) as Floats;
  return { ...weights, values, positive: positiveAmong(values, plan) };
}

/** The weights of a call, or null if it gave neither a mask nor weights. No code of the caller runs here. */
export function weightsOf(plan: Plan, { mask, sampleWeights, maskedOutput }: GivenWeights): Weights | null {
  if (mask === null && sampleWeights === null) return null;
  const weights = sampleWeights === null ? null : readSampleWeights(sampleWeights, plan);
  const bits = mask === null ? null : readMask(mask, plan);
  const values = weights && bits ? product(weights, bits) : (weights ?? bits)!.values;
  if (values.length > FEW) made.add(values);
  return { values, positive: positiveAmong(values, plan), areBits: weights === null, maskedOutput };
}

/**
 * Whether a count is not that of this batch alone. Counts that were added in another order differ by a rounding for each
 * position at most; those of a mask by none.
 */
export function countsOthers(count: number, plan: Plan, weights: Weights | null): boolean {
  if (!weights) return count !== plan.count;
  let sum = 0;
  for (let i = 0; i < weights.values.length; i++) sum += weights.values[i]!;
  const rounding = weights.areBits ? 0 : count * plan.count * Number.EPSILON;
  return Math.abs(count - sum * (plan.count / weights.values.length)) > rounding;
}

/** Σw² of positions begin to end. A loop of its own for one weight per position takes a third of the time. */
function groupOfSquares(values: Floats, each: number, begin: number, end: number): number {
  let sum = 0;
  if (each === 1) {
    for (let p = begin; p < end; p++) sum += values[p]! * values[p]!;
    return sum;
  }
  for (let p = begin; p < end;) {
    const i = Math.floor(p / each);
    const square = values[i]! * values[i]!;
    for (const stop = Math.min(end, (i + 1) * each); p < stop; p++) sum += square;
  }
  return sum;
}

/**
 * Σw² over all positions (contract, clause 8). It is summed in float64, from +0 in memory order within each group, and
 * the groups are added in order. With a mask alone it is Σw, the `count`.
 */
export function sumOfSquares({ values, areBits }: Weights, extent: Extent, count: number): number {
  if (areBits) return count;
  return squaresByGroup({ values }, extent).reduce((total, squares) => total + squares, 0);
}

/** Σw² of each group of the contract, in order. */
export function squaresByGroup({ values }: Pick<Weights, "values">, extent: Extent): number[] {
  const each = (extent.outer * extent.inner) / values.length;
  return Array.from(groupsOf(extent), ([begin, end]) => groupOfSquares(values, each, begin, end));
}
