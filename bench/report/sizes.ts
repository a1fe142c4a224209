// Time over size: what the chart draws and the table lists, from the rows of the sweep.
import { OPERATIONS, type Operation } from "../shapes.js";
import { byContender, contenderOf, groupBy, type Row } from "./rows.js";
import { dimensionsOf, isSweep, SIZES_CHANNELS } from "../sweep.js";
import type { Section } from "./table.js";

export interface Curve {
  readonly name: string;
  /** Values of a tensor and ns for each, by size. */
  readonly points: readonly (readonly [number, number])[];
}

function elementsOf({ shape }: Row): number {
  return dimensionsOf(shape).reduce((a, b) => a * b, 1);
}

/** A curve for each contender, the copy on one thread last, of rows of one layout and dtype. */
export function curvesOf(rows: readonly Row[], operation: Operation): Curve[] {
  const sizes = rows.filter(isSweep).sort(byContender);
  const wanted = (op: string): Row[] => sizes.filter((row) => row.op === op);
  return [
    ...groupBy([...wanted(operation), ...wanted("copy").filter(({ threads }) => threads === 1)], contenderOf),
  ].map(([name, group]) => ({
    name,
    points: group
      .map((row): readonly [number, number] => [elementsOf(row), (row.medianMs * 1e6) / elementsOf(row)])
      .sort(([a], [b]) => a - b),
  }));
}

/** ns, with two significant digits at least. */
export function nanoseconds(value: number): string {
  if (value === 0) return "0";
  return value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(value >= 0.1 ? 2 : 3);
}

/** A line for each size, with a cell for each of `names`, which are the table's columns. */
function linesOf(curves: readonly Curve[], operation: Operation, names: readonly string[]): string[][] {
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(([size]) => size)))].sort((a, b) => a - b);
  const cellOf = (name: string, size: number): string => {
    const point = curves.find((curve) => curve.name === name)?.points.find(([at]) => at === size);
    return point ? nanoseconds(point[1]) : "";
  };
  return sizes.map((size) => [operation, size.toLocaleString("en"), ...names.map((name) => cellOf(name, size))]);
}

function sectionOf(rows: readonly Row[]): Section {
  const { layout, dtype } = rows[0]!;
  const all = OPERATIONS.map((operation) => ({ operation, curves: curvesOf(rows, operation) }));
  const names = [...new Set(all.flatMap(({ curves }) => curves.map(({ name }) => name)))];
  return {
    title: `Time per value in ns: ${layout} ${dtype}, ${SIZES_CHANNELS} channels`,
    head: ["op", "values", ...names],
    rows: all.flatMap(({ operation, curves }) => linesOf(curves, operation, names)),
  };
}

/** A table for each layout and dtype that was swept. */
export function sizeSections(rows: readonly Row[]): Section[] {
  const groups = groupBy(rows.filter(isSweep), ({ layout, dtype }) => `${layout} ${dtype}`);
  return [...groups.values()].map(sectionOf);
}
