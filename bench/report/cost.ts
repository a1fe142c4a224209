// Cost as work grows, from the sweep's rows: fitted costs of each contender, and where one becomes better than another.
import { OPERATIONS, type Operation } from "../shapes.js";
import { fit, predict, type Fit, type Point } from "./fit.js";
import { byContender, contenderOf, groupBy, isYardstick, type Row } from "./rows.js";
import { channelsOf, elementsOf } from "./sizes.js";
import { EMPTY, isSweep, SIZES_CHANNELS, SMALLEST } from "../sweep.js";

/** What one line of the fitted table is of. */
export interface Cost {
  readonly operation: Operation;
  readonly layout: string;
  readonly dtype: string;
  readonly contender: string;
  readonly points: readonly Point[];
  readonly fit: Fit;
}

function isTiny({ shape }: Row): boolean {
  return shape === EMPTY.name || shape === SMALLEST.name;
}

function pointOf(row: Row): Point {
  return { channels: channelsOf(row), elements: elementsOf(row), microseconds: row.medianMs * 1000 };
}

function place({ operation }: Cost): number {
  return OPERATIONS.indexOf(operation);
}

/** Of rows where channels can be told from elements: with more than one number of channels. */
export function costsOf(rows: readonly Row[]): Cost[] {
  const timed = rows.filter((row) => isSweep(row) && !isYardstick(row.op) && !isTiny(row)).sort(byContender);
  const groups = groupBy(timed, (row) => [row.op, row.layout, row.dtype, contenderOf(row)].join("|"));
  return [...groups.values()]
    .filter((group) => new Set(group.map(channelsOf)).size > 1)
    .map((group): Cost => {
      const { op, layout, dtype } = group[0]!;
      const points = group.map(pointOf);
      const operation = op as Operation;
      return { operation, layout, dtype, contender: contenderOf(group[0]!), points, fit: fit(points) };
    })
    .sort((a, b) => place(a) - place(b) || a.layout.localeCompare(b.layout));
}

/** Time of a size; undefined where there is none. */
type Times = (size: number) => number | undefined;

/**
 * The first of the ascending sizes from which on `fast` takes less time at every one where `slow` has any; null where
 * it does not even at the last.
 */
export function betterFrom(sizes: readonly number[], fast: Times, slow: Times): number | null {
  let from: number | null = null;
  for (const size of sizes) {
    const [a, b] = [fast(size), slow(size)];
    if (b === undefined) continue;
    if (a === undefined || a >= b) from = null;
    else from ??= size;
  }
  return from;
}

const isSize = ({ channels }: Point): boolean => channels === SIZES_CHANNELS;

function measured({ points }: Cost): Times {
  const times = new Map(points.filter(isSize).map(({ elements, microseconds }) => [elements, microseconds]));
  return (size) => times.get(size);
}

/** Between the sizes that the fit is of. */
function fitted({ points, fit: costs }: Cost): Times {
  const sizes = points.filter(isSize).map(({ elements }) => elements);
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  return (elements) =>
    elements < least || elements > most ? undefined : predict(costs, { channels: SIZES_CHANNELS, elements });
}

/** The sizes, and others in between: 25 a decade. */
function gridOf(sizes: readonly number[]): number[] {
  const [least, most] = [sizes[0]!, sizes.at(-1)!];
  const steps = Math.ceil(25 * Math.log10(most / least));
  const between = Array.from({ length: steps }, (_, i) => least * (most / least) ** (i / steps));
  return [...new Set([...between, ...sizes])].sort((a, b) => a - b);
}

export interface Crossover {
  readonly operation: Operation;
  readonly layout: string;
  readonly dtype: string;
  readonly fast: string;
  readonly slow: string;
  /** The least size there is. */
  readonly least: number;
  /** Values from which on `fast` is better, by the medians and by the fits; null: nowhere. */
  readonly measured: number | null;
  readonly fitted: number | null;
}

/** The slowest first, as far as an instruction set is not a mere fallback of a better one. */
function ranked(costs: readonly Cost[]): Cost[] {
  const native = costs.find(({ contender }) => contender.startsWith("native/"))?.contender;
  const isBest = (name: string): boolean => native !== undefined && name.split(", ")[0] === native.split(", ")[0];
  const order = [
    (name: string) => name === "oracle",
    (name: string) => name === "wasm",
    (name: string) => name === "wasm, arena",
    isBest,
  ];
  return order.flatMap((matches) => costs.filter(({ contender }) => matches(contender)));
}

/** To two digits, which is more than a fit knows; the least size stays as it is. */
function rounded(size: number | null, least: number): number | null {
  return size === null || size === least ? size : Number(size.toPrecision(2));
}

function crossover(fast: Cost, slow: Cost): Crossover {
  const { operation, layout, dtype } = fast;
  const points = [...fast.points, ...slow.points].filter(isSize);
  const sizes = [...new Set(points.map(({ elements }) => elements))].sort((a, b) => a - b);
  return {
    ...{ operation, layout, dtype, fast: fast.contender, slow: slow.contender, least: sizes[0]! },
    measured: betterFrom(sizes, measured(fast), measured(slow)),
    fitted: rounded(betterFrom(gridOf(sizes), fitted(fast), fitted(slow)), sizes[0]!),
  };
}

/** Of every two contenders that could be chosen between, at the channels of the sweep over sizes. */
export function crossoversOf(costs: readonly Cost[]): Crossover[] {
  const groups = groupBy(costs, ({ operation, layout, dtype }) => [operation, layout, dtype].join("|"));
  return [...groups.values()].flatMap((group) => {
    const all = ranked(group);
    return all.flatMap((slow, i) => all.slice(i + 1).map((fast) => crossover(fast, slow)));
  });
}
