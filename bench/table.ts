// The table: a line for each figure, with `out` and with a fresh output side by side.
import Table from "cli-table3";
import { shapes } from "../test/shapes.js";
import { groupBy, subjectOf, worst, type Row } from "./rows.js";

export function draw(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** Three significant digits from a microsecond on. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 4);
}

const HEAD = ["op", "backend", "threads", "ms", "min ms", "GB/s", "ratio", "data", "fresh ms", "fresh ratio"];

function lineOf(rows: readonly Row[]): string[] {
  const { op, backend, threads } = rows[0]!;
  const given = rows.filter(({ out }) => out === "given");
  const fresh = rows.filter(({ out }) => out === "fresh");
  const figure = worst(given);
  return [
    op,
    backend,
    String(threads),
    milliseconds(figure.medianMs),
    milliseconds(figure.minMs),
    figure.gbPerSecond.toFixed(1),
    figure.copyRatio.toFixed(2),
    figure.data,
    ...(fresh.length > 0 ? [milliseconds(worst(fresh).medianMs), worst(fresh).copyRatio.toFixed(2)] : ["", ""]),
  ];
}

/** One table for each shape and layout, under its title. */
export function drawRows(rows: readonly Row[]): string {
  const groups = groupBy(rows, ({ shape, layout, dtype }) => `${shape} ${layout} ${dtype}`);
  const tables = [...groups.values()].map((group) => {
    const { shape: name, layout, dtype } = group[0]!;
    const shape = shapes.find((known) => known.name === name)!.shape.join("×");
    const lines = [...groupBy(group, subjectOf).values()].map(lineOf);
    return `${name}: ${shape} ${layout} ${dtype}\n${draw(HEAD, lines)}`;
  });
  return tables.join("\n\n");
}
