// The one table that README shows: everybody on one large tensor, and a mean over all cases, on one thread.
import { layoutsOf, shapes } from "../shapes.js";
import { groupBy } from "../report/rows.js";
import { milliseconds } from "../report/table.js";
import { isOurs, type PeerRow } from "./rows.js";
import type { Section } from "./report.js";

const SHAPE = shapes.find(({ name }) => name === "A")!;

/** The cells of a line beside the name: op and layout. */
const COLUMNS = layoutsOf(SHAPE).flatMap((layout) => SHAPE.operations.map((op) => ({ op, layout })));

/** The geometric mean of the times relative to our native backend's on the same cases; null where there are none. */
export function meanFactor(rows: readonly PeerRow[]): number | null {
  const logarithms = rows.flatMap(({ overNative }) => (overNative === null ? [] : [Math.log(overNative)]));
  if (logarithms.length === 0) return null;
  return Math.exp(logarithms.reduce((sum, value) => sum + value, 0) / logarithms.length);
}

function lineOf(rows: readonly PeerRow[]): string[] {
  const times = COLUMNS.map(({ op, layout }) => {
    const row = rows.find((one) => one.shape === SHAPE.name && one.op === op && one.layout === layout);
    return row ? milliseconds(row.medianMs) : "–";
  });
  const factor = meanFactor(rows);
  return [rows[0]!.who, ...times, factor === null ? "–" : factor.toFixed(factor >= 100 ? 0 : 1)];
}

/** Ours first, then the peers, the fastest first. One that is a backward alone is left to the other tables. */
export function summarySection(all: readonly PeerRow[]): Section {
  const single = all.filter(({ threads }) => threads === 1);
  const everybody = [...groupBy(single, ({ who }) => who).values()].filter((rows) =>
    rows.some(({ op }) => op !== "backward"),
  );
  const rank = (rows: readonly PeerRow[]): number => (isOurs(rows[0]!.who) ? 0 : (meanFactor(rows) ?? Infinity));
  const head = ["", ...COLUMNS.map(({ op, layout }) => `${op}, ${layout}`), "all cases, × native"];
  return {
    title: `Summary: ${SHAPE.shape.join("×")}, one thread, ms`,
    cells: { head, rows: everybody.sort((a, b) => rank(a) - rank(b)).map(lineOf) },
    rows: [],
    notes: [
      "The last column is the geometric mean, over all cases that both ran, of the time divided by the native backend's.",
    ],
  };
}
