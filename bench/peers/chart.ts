// A chart for each shape and layout: how many times as long as ours each peer takes.
import { OPERATIONS, type Operation } from "../shapes.js";
import { figure } from "../../scripts/tools/page.js";
import { groupBy } from "../report/rows.js";
import { renderBars } from "./bars.js";
import { isNative, isOurs, type PeerRow } from "./rows.js";

const COLORS: Readonly<Record<Operation, string>> = { forward: "#2f6f9f", inference: "#7fb069", backward: "#d1803f" };

/** Machine code by our native backend on as many threads, all else by our WebAssembly with arrays in an arena. */
function comparedRatio(row: PeerRow): number | null {
  return isNative(row.who) ? row.overNative : row.overArena;
}

function labelOf({ who, threads }: PeerRow): string {
  return isNative(who) ? `${who}, ${threads} thread${threads === 1 ? "" : "s"}` : who;
}

/** Empty where no peer was timed. */
export function chartOf(rows: readonly PeerRow[]): string {
  const shown = rows.filter((row) => !isOurs(row.who) && comparedRatio(row) !== null);
  if (shown.length === 0) return "";
  // By the last operation first: tfjs-wasm-composed has no other, and stands beside tfjs-wasm.
  const ordered = [...shown].sort((a, b) => OPERATIONS.indexOf(b.op) - OPERATIONS.indexOf(a.op));
  const peers = [...groupBy(ordered, labelOf)];
  const bars = OPERATIONS.filter((op) => shown.some((row) => row.op === op)).map((op) => ({
    name: op,
    color: COLORS[op],
    ratios: peers.map(([, group]) => {
      const row = group.find((one) => one.op === op);
      return row ? comparedRatio(row) : null;
    }),
  }));
  const look = { lines: peers.map(([label]) => label), title: "time by ours", base: 10, gap: 14, single: false };
  return figure(
    renderBars(bars, look),
    "Machine code by our native backend on as many threads, JavaScript and WebAssembly by our WebAssembly with arrays " +
      "in an arena. Right of 1 ours is faster.",
  );
}
