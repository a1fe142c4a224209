// Tables of shapes: a line for each figure, with `out` and with a fresh output side by side.
import Table from "cli-table3";
import type { Cells } from "../../scripts/tools/page.js";
import { groupBy, subjectOf, typeOf, worst, type Row } from "./rows.js";
import { dimensionsOf, isSweep } from "../sweep.js";

/** A table under its title, for the terminal, a page or a document. */
export interface Section extends Cells {
  readonly title: string;
}

export function draw({ head, rows }: Cells): string {
  const table = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

/** Numbers to the right, names to the left. */
export function markdownTable({ head, rows }: Cells): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rules = head.map((_, i) => (rows.every((row) => /^[\d.,–]*(e-\d+)? ?%?$/.test(row[i]!)) ? "--:" : "---"));
  return [line(head), `|${rules.join("|")}|`, ...rows.map(line)].join("\n");
}

/** Three significant digits from a microsecond on. */
export function milliseconds(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(value >= 1 ? 2 : 4);
}

const HEAD = ["op", "backend", "threads", "ms", "min ms", "GB/s", "ratio", "data", "fresh ms", "fresh ratio"];

function lineOf(rows: readonly Row[]): string[] {
  const { op, backend, threads, memory } = rows[0]!;
  const given = rows.filter(({ out }) => out === "given");
  const fresh = rows.filter(({ out }) => out === "fresh");
  const figure = worst(given);
  return [
    op,
    memory === "arena" ? `${backend}, arena` : backend,
    String(threads),
    milliseconds(figure.medianMs),
    milliseconds(figure.minMs),
    figure.gbPerSecond.toFixed(1),
    figure.copyRatio.toFixed(2),
    figure.data,
    ...(fresh.length > 0 ? [milliseconds(worst(fresh).medianMs), worst(fresh).copyRatio.toFixed(2)] : ["", ""]),
  ];
}

/** A table for each shape and layout. */
export function shapeSections(all: readonly Row[]): Section[] {
  const rows = all.filter((row) => !isSweep(row));
  const groups = groupBy(rows, (row) => `${row.shape} ${row.layout} ${typeOf(row)}`);
  return [...groups.values()].map((group) => {
    const { shape, layout } = group[0]!;
    const title = `${shape}: ${dimensionsOf(shape).join("×")} ${layout} ${typeOf(group[0]!)}`;
    return { title, head: HEAD, rows: [...groupBy(group, subjectOf).values()].map(lineOf) };
  });
}

export function drawSections(sections: readonly Section[]): string {
  return sections.map((section) => `${section.title}\n${draw(section)}`).join("\n\n");
}
