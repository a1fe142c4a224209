// The tables of cost as work grows: fitted costs, crossovers, calls at size zero.
import { OPERATIONS } from "../shapes.js";
import { costsOf, crossoversOf, type Cost, type Crossover } from "./cost.js";
import { byContender, contenderOf, groupBy, isYardstick, type Row } from "./rows.js";
import { count, nanoseconds } from "./sizes.js";
import { EMPTY, SIZES_CHANNELS, SMALLEST } from "../sweep.js";
import type { Section } from "./table.js";

function percent(value: number): string {
  return `${(100 * value).toFixed(0)} %`;
}

/** µs with three significant digits. */
function microseconds(value: number): string {
  if (value === 0) return "0";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function costLine({ contender, points, fit }: Cost): string[] {
  const breaks = fit.cached !== Infinity;
  return [
    contender,
    microseconds(fit.perCall),
    nanoseconds(fit.perChannel),
    nanoseconds(fit.perElement),
    breaks ? nanoseconds(fit.perElementBeyond) : "",
    breaks ? count(fit.cached) : "",
    percent(fit.medianError),
    percent(fit.worstError),
    String(points.length),
  ];
}

const COST_HEAD = [
  ...["backend", "call, µs", "channel, ns", "value, ns", "larger: value, ns", "larger than"],
  ...["median error", "worst", "tensors"],
];

export function costSections(costs: readonly Cost[]): Section[] {
  return [...groupBy(costs, ({ operation, layout, dtype }) => `${operation}, ${layout} ${dtype}`)].map(
    ([title, group]) => ({
      title,
      head: COST_HEAD,
      rows: group.map(costLine),
    }),
  );
}

function sizeCell(size: number | null, least: number): string {
  return size === null ? "nowhere" : size === least ? "everywhere" : count(size);
}

function crossoverCells(found: Crossover | undefined): string[] {
  return found ? [found.measured, found.fitted].map((size) => sizeCell(size, found.least)) : ["", ""];
}

export function crossoverSections(costs: readonly Cost[]): Section[] {
  return [...groupBy(crossoversOf(costs), ({ layout, dtype }) => `${layout} ${dtype}`)].map(([title, group]) => ({
    title: `${title}, ${SIZES_CHANNELS} channels`,
    head: ["better", "than", ...OPERATIONS.flatMap((operation) => [operation, "fitted"])],
    rows: [...groupBy(group, ({ fast, slow }) => `${fast}|${slow}`).values()].map((pair) => [
      pair[0]!.fast,
      pair[0]!.slow,
      ...OPERATIONS.flatMap((operation) => crossoverCells(pair.find((found) => found.operation === operation))),
    ]),
  }));
}

/** Calls on next to nothing, in µs. */
export function zeroSections(rows: readonly Row[]): Section[] {
  return [EMPTY, SMALLEST].flatMap(({ name }) => {
    const timed = rows.filter(({ shape, op }) => shape === name && !isYardstick(op)).sort(byContender);
    return [...groupBy(timed, ({ dtype }) => dtype)].map(([dtype, group]) => ({
      title: `µs a call: ${name}, ${dtype}`,
      head: ["backend", ...OPERATIONS],
      rows: [...groupBy(group, contenderOf)].map(([contender, own]) => [
        contender,
        ...OPERATIONS.map((operation) => {
          const row = own.find(({ op }) => op === operation);
          return row ? microseconds(row.medianMs * 1000) : "";
        }),
      ]),
    }));
  });
}

/** All of them, as far as the rows go. */
export function allCostSections(rows: readonly Row[]): Section[] {
  const costs = costsOf(rows);
  const under = (heading: string, sections: readonly Section[]): Section[] =>
    sections.map((section) => ({ ...section, title: `${heading}: ${section.title}` }));
  return [
    ...under("Fitted costs", costSections(costs)),
    ...under("Number of values from which a backend is better", crossoverSections(costs)),
    ...zeroSections(rows),
  ];
}
