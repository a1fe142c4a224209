// Moments of many ranks, merged in order as the contract says, and as a binary tree would: how exact both are, how much they
// differ, and how long they take.
import { EMPTY, merge, type Moments } from "../../src/kernels/moments.js";
import { MergedMoments, type GroupMoments } from "../../src/policies/group-moments.js";
import { random } from "../../src/verify/data.js";
import type { Cells } from "../tools/page.js";

const VALUES = 64;

/** A sum whose rounding errors are added beside it (Neumaier 1974): as exact as twice the digits. */
class ExactSum {
  #sum = 0;
  #rest = 0;

  add(value: number): void {
    const sum = this.#sum + value;
    this.#rest += Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - sum + value : value - sum + this.#sum;
    this.#sum = sum;
  }

  get total(): number {
    return this.#sum + this.#rest;
  }
}

/** Values of a rank, which anybody can make again. */
function valuesOf(rank: number, mean: number, deviation: number): Float64Array {
  const next = random(rank + 1);
  // The sum of twelve has variance 1.
  const normal = (): number => Array.from({ length: 12 }, next).reduce((a, b) => a + b, -6);
  return Float64Array.from({ length: VALUES }, () => mean + deviation * normal());
}

function momentsOf(values: Float64Array): Moments {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { count: values.length, mean, m2: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) };
}

/** A fixed binary tree over the ranks: neighbours first, then neighbours of these. */
function treeOf(parts: readonly Moments[]): Moments {
  let level = parts;
  while (level.length > 1)
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
      2 * i + 1 < level.length ? merge(level[2 * i]!, level[2 * i + 1]!) : level[2 * i]!,
    );
  return level[0] ?? EMPTY;
}

/** The exact mean and variance, as far as float64 can say them. */
function exactOf(ranks: number, mean: number, deviation: number): { mean: number; variance: number } {
  const [sum, squares] = [new ExactSum(), new ExactSum()];
  for (let rank = 0; rank < ranks; rank++) for (const value of valuesOf(rank, mean, deviation)) sum.add(value);
  const count = ranks * VALUES;
  const exact = sum.total / count;
  // Around a value near the mean: Σ(x − m)² − n·(mean − m)².
  for (let rank = 0; rank < ranks; rank++)
    for (const value of valuesOf(rank, mean, deviation)) squares.add((value - exact) ** 2);
  return { mean: exact, variance: squares.total / count };
}

/** The time of merging a layer of 64 channels on one rank, in milliseconds. */
function millisecondsOf(ranks: number): number {
  const channels = 64;
  const group: GroupMoments = {
    counts: Float64Array.of(VALUES),
    sumSquaredWeights: VALUES,
    mean: new Float64Array(channels).map((_, c) => c),
    m2: new Float64Array(channels).fill(VALUES),
  };
  const start = performance.now();
  const merged = new MergedMoments(channels);
  for (let rank = 0; rank < ranks; rank++) merged.add(group);
  merged.total();
  return performance.now() - start;
}

export function scaleRows(): Cells {
  const rows: string[][] = [];
  for (const ranks of [1000, 100_000]) {
    for (const [mean, deviation] of [
      [0, 1],
      [1000, 0.1],
    ] as const) {
      const parts = Array.from({ length: ranks }, (_, rank) => momentsOf(valuesOf(rank, mean, deviation)));
      const exact = exactOf(ranks, mean, deviation);
      const flat = parts.reduce(merge, EMPTY);
      const tree = treeOf(parts);
      const errorOfMean = (one: Moments): string => (Math.abs(one.mean - exact.mean) / deviation).toExponential(1);
      const errorOfVariance = (one: Moments): string =>
        Math.abs(one.m2 / one.count / exact.variance - 1).toExponential(1);
      rows.push([
        ranks.toLocaleString("en"),
        `${mean} ± ${deviation}`,
        errorOfMean(flat),
        errorOfMean(tree),
        errorOfVariance(flat),
        errorOfVariance(tree),
        Math.abs(flat.m2 / tree.m2 - 1).toExponential(1),
        millisecondsOf(ranks).toFixed(1),
      ]);
    }
  }
  return {
    head: [
      "ranks",
      "data",
      "mean, in order",
      "mean, as a tree",
      "variance, in order",
      "variance, as a tree",
      "variance, order beside tree",
      "ms of merging 64 channels",
    ],
    rows,
  };
}
