// Masks and sample weights that a caller gives as ordinary arrays. Each element is read once, before any array is checked.
import { checkLength, checkNumber, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { Floats } from "../base/types.js";

/** Weights of an ordinary array, which are not of the caller's type yet. */
export class ListedWeights {
  constructor(readonly values: Float64Array) {}
}

export function checkBit(name: string, value: unknown): number {
  if (typeof value !== "number" && typeof value !== "boolean")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected 0, 1 or a boolean, got ${describe(value)}`);
  if (value !== 0 && value !== 1 && typeof value !== "boolean")
    throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" expected 0 or 1, got ${value}`);
  return Number(value);
}

/** The length of a list. One that is longer than x is refused before it is read. */
function lengthUpTo(most: number, name: string, list: readonly unknown[]): number {
  const length = checkLength(name, list);
  if (length <= most) return length;
  const expected = `at most as many values as x has, ${most}`;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected ${expected}, got ${length}`);
}

export function readBits(name: string, list: readonly unknown[], most: number): Uint8Array {
  const bits = new Uint8Array(lengthUpTo(most, name, list));
  for (let i = 0; i < bits.length; i++) bits[i] = checkBit(`${name}[${i}]`, list[i]);
  return bits;
}

export function readNumbers(name: string, list: readonly unknown[], most: number): ListedWeights {
  const numbers = new Float64Array(lengthUpTo(most, name, list));
  for (let i = 0; i < numbers.length; i++) numbers[i] = checkNumber(`${name}[${i}]`, list[i]);
  return new ListedWeights(numbers);
}

/** A weight of an ordinary array must not be lost when it is rounded to the type of the parameters. */
export function checkRounded(given: Float64Array, rounded: Floats): void {
  for (let i = 0; i < given.length; i++) {
    const [value, kept] = [given[i]!, rounded[i]!];
    if (Number.isFinite(value) && (!Number.isFinite(kept) || (kept === 0) !== (value === 0))) {
      const expected = "a number that float32 can hold";
      throw rangeError("ERR_BATCHNORM_VALUE", `"sampleWeights[${i}]" expected ${expected}, got ${value}`);
    }
  }
}
