// Time as a sum of costs: a for the call, b a channel, c an element, by least squares of the relative error.
import { median } from "./rows.js";

/** A measured call. */
export interface Point {
  readonly channels: number;
  readonly elements: number;
  readonly microseconds: number;
}

export interface Fit {
  /** µs. */
  readonly perCall: number;
  /** ns. */
  readonly perChannel: number;
  readonly perElement: number;
  /** Of tensors with more elements than `cached`; as above where one line describes all. */
  readonly perElementBeyond: number;
  /** Elements up to which `perElement` counts; Infinity: always. */
  readonly cached: number;
  /** Relative, of the points. */
  readonly medianError: number;
  readonly worstError: number;
}

type Matrix = readonly (readonly number[])[];

/** x with a·x = b by Gaussian elimination, largest pivots first; null where a is singular. */
function solve(a: Matrix, b: readonly number[]): number[] | null {
  const rows = a.map((row, i) => [...row, b[i]!]);
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.slice(i).reduce((best, row) => (Math.abs(row[i]!) > Math.abs(best[i]!) ? row : best));
    if (Math.abs(pivot[i]!) < 1e-12) return null;
    rows.splice(rows.indexOf(pivot), 1);
    rows.splice(i, 0, pivot);
    for (const row of rows) {
      if (row === pivot) continue;
      const factor = row[i]! / pivot[i]!;
      row.forEach((value, k) => (row[k] = value - factor * pivot[k]!));
    }
  }
  return rows.map((row, i) => row.at(-1) / row[i]!);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

/** Factors ≥ 0 of the columns whose sum is nearest to a column of ones, and the squares left over. */
export interface Solution {
  readonly factors: readonly number[];
  readonly squares: number;
}

/**
 * The best solution with factors ≥ 0 is the plain one on those columns where it is not 0. There are four columns at
 * most: every set of them is tried.
 */
export function fitOnes(columns: Matrix): Solution {
  const length = columns[0]?.length ?? 0;
  let best: Solution = { factors: columns.map(() => 0), squares: length };
  // Unit columns: microseconds and nanoseconds then solve alike.
  const norms = columns.map((column) => Math.sqrt(dot(column, column)) || 1);
  const units = columns.map((column, i) => column.map((value) => value / norms[i]!));
  for (let set = 1; set < 2 ** columns.length; set++) {
    const used = units.filter((_, i) => (set >> i) & 1);
    const sums = used.map((column) => column.reduce((sum, value) => sum + value, 0));
    const found = solve(
      used.map((a) => used.map((b) => dot(a, b))),
      sums,
    );
    if (!found || found.some((value) => value < 0)) continue;
    const rest = Array.from(
      { length },
      (_, row) =>
        1 -
        dot(
          found,
          used.map((column) => column[row]!),
        ),
    );
    const squares = dot(rest, rest);
    if (squares >= best.squares) continue;
    const values = found.values();
    const factors = columns.map((_, i) => ((set >> i) & 1 ? values.next().value! / norms[i]! : 0));
    best = { factors, squares };
  }
  return best;
}

/** Divided by the time, so that errors are relative: a µs of a small call counts like a ms of a large one. */
function columnsOf(points: readonly Point[], cached: number): Matrix {
  const relative = (cost: (point: Point) => number): number[] => points.map((p) => cost(p) / p.microseconds);
  const columns = [
    relative(() => 1),
    relative(({ channels }) => channels / 1000),
    relative(({ elements }) => (elements <= cached ? elements / 1000 : 0)),
  ];
  return cached === Infinity
    ? columns
    : [...columns, relative(({ elements }) => (elements > cached ? elements / 1000 : 0))];
}

type Costs = Omit<Fit, "medianError" | "worstError">;

/** µs that a fit tells of a tensor. */
export function predict(costs: Costs, { channels, elements }: Omit<Point, "microseconds">): number {
  const perElement = elements <= costs.cached ? costs.perElement : costs.perElementBeyond;
  return costs.perCall + (costs.perChannel * channels + perElement * elements) / 1000;
}

/** As many sizes as must lie on each side of a break. */
const LEAST_SIZES = 3;
/** One line describes all where its errors are of this size, or where a break leaves more than that part of its squares. */
const FINE = 0.05;
const WORTH = 0.5;

/** The last size in the cache for which the squares are least, or Infinity. */
function breakOf(points: readonly Point[]): number {
  const sizes = [...new Set(points.map(({ elements }) => elements))].sort((a, b) => a - b);
  const candidates = sizes.slice(LEAST_SIZES - 1, -LEAST_SIZES);
  const line = fitOnes(columnsOf(points, Infinity)).squares;
  if (line < FINE ** 2 * points.length) return Infinity;
  let best = { cached: Infinity, squares: WORTH * line };
  for (const cached of candidates) {
    const { squares } = fitOnes(columnsOf(points, cached));
    if (squares < best.squares) best = { cached, squares };
  }
  return best.cached;
}

export function fit(points: readonly Point[]): Fit {
  const cached = breakOf(points);
  const [perCall = 0, perChannel = 0, perElement = 0, beyond] = fitOnes(columnsOf(points, cached)).factors;
  const costs: Costs = { perCall, perChannel, perElement, perElementBeyond: beyond ?? perElement, cached };
  const errors = points.map((point) => Math.abs(predict(costs, point) / point.microseconds - 1));
  return { ...costs, medianError: median(errors), worstError: Math.max(...errors) };
}
