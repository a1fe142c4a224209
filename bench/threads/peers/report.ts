// The rows as tables: everybody's times of an operation in a line, for a terminal or for the page on platforms.
import type { Cells } from "../../../scripts/tools/page.js";
import { ratio } from "../../peers/report.js";
import { groupBy } from "../../report/rows.js";
import { draw, markdownTable, milliseconds } from "../../report/table.js";
import { shapes } from "../../shapes.js";
import type { Compared, Row, Skipped } from "./job.js";
import { copies, isOurs, OTHERS, OURS } from "./names.js";

/** Without ours on one thread: the page has the ratio of that elsewhere. */
const COLUMNS: readonly string[] = [OURS.arena, OURS.arrays, ...Object.values(OTHERS)];

function fastest(rows: readonly Row[], wanted: (who: string) => boolean): number | null {
  const times = rows.filter(({ who }) => wanted(who)).map(({ medianMs }) => medianMs);
  return times.length > 0 ? Math.min(...times) : null;
}

/** How many times as long as ours the fastest of the others takes; null where one of the two was not timed. */
export function advantage(rows: readonly Row[], ours: string): number | null {
  const own = fastest(rows, (who) => who === ours);
  const other = fastest(rows, (who) => !isOurs(who) && (ours !== OURS.arrays || copies(who)));
  return own === null || other === null ? null : other / own;
}

/** Milliseconds, medians: a line for each shape and operation of a layout, a column for each that was timed there. */
export function timesOf(rows: readonly Row[]): Cells {
  const names = COLUMNS.filter((name) => rows.some(({ who }) => who === name));
  const head = ["shape", "operation", ...names, "× shared arena", "× arrays"];
  const lines = [...groupBy(rows, ({ shape, op }) => `${shape} ${op}`).values()].map((group) => {
    const times = names.map((name) => fastest(group, (who) => who === name));
    const cells = times.map((time) => (time === null ? "–" : milliseconds(time)));
    const advantages = [OURS.arena, OURS.arrays].map((ours) => ratio(advantage(group, ours)));
    return [group[0]!.shape, group[0]!.op, ...cells, ...advantages];
  });
  return { head, rows: lines };
}

/** Everything that was found about a shape in a layout. */
function detailsOf(rows: readonly Row[]): Cells {
  return {
    head: ["op", "who", "threads", "ms", "min ms", "samples", "off by", "× shared arena", "× arrays"],
    rows: rows.map((row) => {
      const over = [OURS.arena, OURS.arrays].map((ours) => {
        const own = rows.find(({ who, op }) => who === ours && op === row.op);
        return ratio(own ? row.medianMs / own.medianMs : null);
      });
      const error = row.error === 0 ? "0" : row.error.toExponential(0);
      const times = [row.medianMs, row.minMs].map(milliseconds);
      return [row.op, row.who, `${row.threads}`, ...times, `${row.samples}`, error, ...over];
    }),
  };
}

/** A line for each reason. */
export function notesOf(skipped: readonly Skipped[]): string[] {
  const distinct = (words: readonly string[]): string => [...new Set(words)].join(", ");
  return [...groupBy(skipped, ({ layout, reason }) => `${layout} ${reason}`).values()].map((all) => {
    const { layout, reason } = all[0]!;
    const where = `${distinct(all.map(({ op }) => op))} of ${distinct(all.map(({ shape }) => shape))}, ${layout}`;
    return `not timed, ${where}: ${[...new Set(all.map(({ who }) => who))].join("; ")}: ${reason}`;
  });
}

export function asText({ rows, skipped }: Compared): string {
  const groups = groupBy(rows, ({ shape, layout }) => {
    const sizes = shapes.find(({ name }) => name === shape)!.shape.join("×");
    return `${shape}: ${sizes} ${layout}`;
  });
  const tables = [...groups].map(([title, group]) => `${title}\n${draw(detailsOf(group))}`);
  return [...tables, notesOf(skipped).join("\n")].join("\n\n");
}

/** What docs/platforms.md has: a table for each layout. */
export function asMarkdown({ rows }: Compared): string {
  return [...groupBy(rows, ({ layout }) => layout)]
    .map(([layout, group]) => `${layout}, ms:\n\n${markdownTable(timesOf(group))}`)
    .join("\n\n");
}
