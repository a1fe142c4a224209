// --compare: the figures of this run beside those of an earlier one, as ratios of their ratios to the copy.
import { groupBy, isYardstick, median, subjectOf, worst, type Row } from "./rows.js";
import { draw } from "./table.js";

export interface Change {
  readonly figure: string;
  readonly before: number;
  readonly after: number;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Figures of one run alone. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

/** Figures by name: the worst data of each. The copies, which all is measured by, are left out. */
function figuresOf(rows: readonly Row[]): Map<string, Row> {
  const timed = rows.filter(({ op }) => !isYardstick(op));
  const groups = groupBy(timed, (row) => `${subjectOf(row)} ${row.out}`);
  return new Map([...groups].map(([name, group]) => [name, worst(group)]));
}

export function compareRows(before: readonly Row[], after: readonly Row[]): Comparison {
  const [old, now] = [figuresOf(before), figuresOf(after)];
  const both = [...now].filter(([name]) => old.has(name));
  return {
    changes: both.map(([figure, row]) => ({ figure, before: old.get(figure)!.copyRatio, after: row.copyRatio })),
    onlyBefore: [...old.keys()].filter((name) => !now.has(name)),
    onlyAfter: [...now.keys()].filter((name) => !old.has(name)),
  };
}

/** At most this many names of figures that have no counterpart. */
const LISTED = 8;

function missing(where: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : "";
  return [`${names.length} only in ${where}: ${names.slice(0, LISTED).join("; ")}${more}`];
}

export function drawComparison({ changes, onlyBefore, onlyAfter }: Comparison, file: string): string {
  const lines = changes.map(({ figure, before, after }) => [
    figure,
    before.toFixed(2),
    after.toFixed(2),
    (after / before).toFixed(2),
  ]);
  const summary =
    changes.length > 0
      ? [
          draw({ head: ["figure", "before", "now", "now/before"], rows: lines }),
          `Median of ${changes.length} quotients: ${median(changes.map(({ before, after }) => after / before)).toFixed(3)}`,
        ]
      : ["No figure is in both runs."];
  return [...summary, ...missing(file, onlyBefore), ...missing("this run", onlyAfter)].join("\n");
}
