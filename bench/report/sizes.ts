// Time over size: what the chart draws and the tables list, of the sweep's rows.
import { OPERATIONS, type Operation } from "../shapes.js";
import { byContender, contenderOf, groupBy, type Row } from "./rows.js";
import { dimensionsOf, isSweep, SIZES_CHANNELS } from "../sweep.js";
import type { Section } from "./table.js";

export interface Curve {
  readonly name: string;
  /** Values of a tensor and ns for each, by size. */
  readonly points: readonly (readonly [number, number])[];
}

export function elementsOf({ shape }: Pick<Row, "shape">): number {
  return dimensionsOf(shape).reduce((a, b) => a * b, 1);
}

export function channelsOf({ shape }: Pick<Row, "shape">): number {
  return dimensionsOf(shape)[1]!;
}

/** A curve for each contender, the copy on one thread last, of rows of one layout and dtype. */
export function curvesOf(rows: readonly Row[], operation: Operation): Curve[] {
  const sizes = rows
    .filter((row) => isSweep(row) && channelsOf(row) === SIZES_CHANNELS && elementsOf(row) > 0)
    .sort(byContender);
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

export function count(value: number): string {
  return value.toLocaleString("en");
}

function sectionOf(rows: readonly Row[], operation: Operation): Section[] {
  const curves = curvesOf(rows, operation);
  const { layout, dtype } = rows[0]!;
  if (curves.length === 0) return [];
  const sizes = [...new Set(curves.flatMap(({ points }) => points.map(([size]) => size)))].sort((a, b) => a - b);
  const cellOf = ({ points }: Curve, size: number): string => {
    const point = points.find(([at]) => at === size);
    return point ? nanoseconds(point[1]) : "";
  };
  return [
    {
      title: `${operation}, ns a value: ${SIZES_CHANNELS} channels, ${layout} ${dtype}`,
      head: ["values", ...curves.map(({ name }) => name)],
      rows: sizes.map((size) => [count(size), ...curves.map((curve) => cellOf(curve, size))]),
    },
  ];
}

/** A table for each operation, layout and dtype. */
export function sizeSections(rows: readonly Row[]): Section[] {
  const groups = groupBy(rows.filter(isSweep), ({ layout, dtype }) => `${layout} ${dtype}`);
  return [...groups.values()].flatMap((group) => OPERATIONS.flatMap((operation) => sectionOf(group, operation)));
}
