// Batch normalization as the textbook has it, in float64 with compensated sums: what the oracle is checked against.
import { expect } from "vitest";
import { Control, traversalOf, type Extent } from "../../src/kernels/control.js";
import { Traversal } from "../../src/kernels/layout.js";
import type { Floats as Data, FloatType as DType } from "../../src/base/types.js";
import { firstDifference } from "./guarded.js";

/** Half the distance from 1 to the next number: the largest relative error of one operation. */
export const UNIT: Readonly<Record<DType, number>> = { float32: 2 ** -24, float64: 2 ** -53 };

/** Σ of values, its error one rounding however many there are (Neumaier 1974). */
export function sum(count: number, value: (i: number) => number): number {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < count; i++) {
    const v = value(i);
    const next = total + v;
    lost += Math.abs(total) >= Math.abs(v) ? total - next + v : v - next + total;
    total = next;
  }
  return total + lost;
}

/** Positions of channel c's values in memory order. */
export function positions({ outer, channels, inner }: Extent, c: number): number[] {
  return Array.from({ length: outer * inner }, (_, t) => (Math.floor(t / inner) * channels + c) * inner + (t % inner));
}

export interface Statistics {
  readonly mean: number;
  readonly m2: number;
}

/** Two passes; the second takes out what the rounded mean leaves. */
export function statistics(x: Data, at: readonly number[]): Statistics {
  const n = at.length;
  const mean = sum(n, (i) => x[at[i]!]!) / n;
  const rest = sum(n, (i) => x[at[i]!]! - mean);
  return { mean: mean + rest / n, m2: sum(n, (i) => (x[at[i]!]! - mean) ** 2) - (rest * rest) / n };
}

export interface Gradients {
  readonly dweight: number;
  readonly dbias: number;
  readonly dx: readonly number[];
}

/** dβ = Σg, dγ = Σg·x̂, dx = γ·r·(g − dβ/m − x̂·dγ/m); with fixed statistics γ·r·g. `g` is the masked dy. */
export function gradientsOf(
  x: Data,
  g: Data,
  at: readonly number[],
  mean: number,
  r: number,
  weight: number,
  fixed: boolean,
): Gradients {
  const m = at.length;
  const xhat = at.map((p) => (x[p]! - mean) * r);
  const dbias = sum(m, (i) => g[at[i]!]!);
  const dweight = sum(m, (i) => g[at[i]!]! * xhat[i]!);
  const dx = at.map((p, i) => weight * r * (fixed ? g[p]! : g[p]! - dbias / m - (xhat[i]! * dweight) / m));
  return { dweight, dbias, dx };
}

/** Most additions that one accumulator of a block makes (contract, clause 1): its error grows with them. */
export function chainOf(extent: Extent): number {
  if (traversalOf(extent) !== Traversal.planes) return 128;
  const { inner } = extent;
  return inner >= 2048 ? 128 : Math.floor(2048 / inner) * Math.ceil(inner / 16);
}

/**
 * Integers in pairs of `mean` + j and `mean` − j, j from 1 to `span`, that no block separates (`outer` even, or
 * `inner` even in the planes traversal): their sums, their mean and its merging are exact in float32 in any order.
 */
export function exactValue(extent: Extent, mean: number, span: number): (o: number, c: number, i: number) => number {
  const [along, across]: ((o: number, i: number) => number)[] =
    traversalOf(extent) === Traversal.planes ? [(_, i) => i, (o) => o] : [(o) => o, (_, i) => i];
  return (o, c, i) => {
    const pair = Math.floor(along!(o, i) / 2) + across!(o, i) + c;
    return mean + (along!(o, i) % 2 === 0 ? 1 : -1) * (1 + (pair % span));
  };
}

/** An array from a function of (outer, channel, inner). */
export function fill<T extends Data>(
  data: T,
  { outer, channels, inner }: Extent,
  value: (o: number, c: number, i: number) => number,
): T {
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < inner; i++, p++) data[p] = value(o, c, i);
    }
  }
  return data;
}

/** A control block with its arguments set. */
export function prepared(dtype: DType, extent: Extent, eps = 1e-5, flags = 0): Control {
  const control = new Control(dtype, extent);
  control.set("eps", eps);
  control.set("flags", flags);
  return control;
}

/** Statistics with which normalize returns γ·x + β: mean 0, and variance 1 without ε. */
export function asUnit(control: Control): Control {
  control.fields.mean.fill(0);
  control.fields.m2.fill(1);
  control.set("count", 1);
  control.set("eps", 0);
  return control;
}

/** Each traversal: one block, several, and ragged ends. */
export const SMALL_EXTENTS: readonly Extent[] = [
  { outer: 4, channels: 3, inner: 17 },
  { outer: 7, channels: 2, inner: 513 },
  { outer: 3, channels: 1, inner: 4097 },
  { outer: 129, channels: 17, inner: 1 },
  { outer: 300, channels: 5, inner: 7 },
  { outer: 33, channels: 3, inner: 1 },
  { outer: 4097, channels: 2, inner: 2 },
];

/** And more than one group of blocks. */
export const EXTENTS: readonly Extent[] = [
  ...SMALL_EXTENTS,
  { outer: 33, channels: 1, inner: 4097 },
  { outer: 4200, channels: 16, inner: 1 },
  { outer: 66000, channels: 1, inner: 1 },
];

export function nameOf({ outer, channels, inner }: Extent): string {
  return `${outer}×${channels}×${inner}`;
}

/** The largest error in units of what is allowed: at most 1. NaN counts as infinite. */
export function worst(errors: Iterable<readonly [error: number, allowed: number]>): number {
  let largest = 0;
  for (const [error, allowed] of errors) {
    const ratio = error === 0 ? 0 : Math.abs(error) / allowed;
    if (!(ratio <= largest)) largest = Number.isNaN(ratio) ? Infinity : ratio;
  }
  return largest;
}

/** The same bits; a failure names one element, not the whole arrays. */
export function expectSame(got: Data, expected: Data, name = "array"): void {
  const at = firstDifference(expected, got, expected instanceof Float32Array ? "float32" : "float64");
  expect(got[at], `${name}[${at}]`).toBe(expected[at]);
}
