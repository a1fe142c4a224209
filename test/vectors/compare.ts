// How far two arrays are apart, in units in the last place of the larger magnitude.
import type { Floats as Data, FloatType as DType } from "../../src/base/types.js";

/** Largest difference; infinite with a NaN or another length. */
export function distance(a: Data, b: Data): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const error = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(error)) return Infinity;
    largest = Math.max(largest, error);
  }
  return largest;
}

export function magnitude(data: Data): number {
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(value));
  return largest;
}

/** Unit in the last place of a number of that size. */
export function lastPlace(value: number, dtype: DType): number {
  return 2 ** (Math.floor(Math.log2(value)) - (dtype === "float32" ? 23 : 52));
}

/** The largest of each kind of figure. */
export class Worst {
  readonly #units = new Map<string, number>();

  note(what: string, units: number): number {
    this.#units.set(what, Math.max(this.#units.get(what) ?? 0, units));
    return units;
  }

  toString(): string {
    return [...this.#units].map(([what, units]) => `  ${what}: ${units.toFixed(2)}`).join("\n");
  }
}
