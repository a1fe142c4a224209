// Other element types and calls with something more, beside plain float32 on the same tensor in the same run.
import { byContender, contenderOf, groupBy, isOrdinary, isYardstick, quotientOf, typeOf, type Row } from "./rows.js";
import { isSweep } from "../sweep.js";
import type { Section } from "./table.js";

/** What can be set beside plain float32, and that itself: outputs given. */
export function comparable(all: readonly Row[]): Row[] {
  return all.filter((row) => !isSweep(row) && !isYardstick(row.op) && row.out === "given");
}

/** Types as they were timed, plain float32 apart. */
export function otherTypes(rows: readonly Row[]): string[] {
  return [...new Set(rows.filter((row) => !isOrdinary(row)).map(typeOf))];
}

/** Time of a type by plain float32's, of rows that differ in type and data; null where either was not timed. */
export function relativeOf(rows: readonly Row[], type: string): number | null {
  return quotientOf(
    rows.filter((row) => typeOf(row) === type),
    rows.filter(isOrdinary),
  );
}

/** A table with a column for each type, a line for each shape, layout, operation and contender. */
export function relativeSections(all: readonly Row[]): Section[] {
  const rows = comparable(all);
  const types = otherTypes(rows);
  const placeOf = (row: Row): string => [row.shape, row.layout, row.op, contenderOf(row)].join(" ");
  const lines = [...groupBy(rows.sort(byContender), placeOf).values()].flatMap((own) => {
    const figures = types.map((type) => relativeOf(own, type));
    if (figures.every((figure) => figure === null)) return [];
    const { shape, layout, op } = own[0]!;
    return [[contenderOf(own[0]!), shape, layout, op, ...figures.map((figure) => figure?.toFixed(2) ?? "")]];
  });
  const head = ["backend", "shape", "layout", "op", ...types];
  return lines.length > 0
    ? [{ title: "Time divided by that of plain float32 on the same tensor", head, rows: lines }]
    : [];
}
