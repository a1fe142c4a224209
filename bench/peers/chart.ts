// A chart for each shape and layout: how many times as long as ours each peer takes.
import type { EChartsOption } from "echarts";
import { OPERATIONS, type Operation } from "../shapes.js";
import { figure, renderChart } from "../../scripts/tools/page.js";
import { groupBy } from "../report/rows.js";
import { isNative, isOurs, type PeerRow } from "./rows.js";

const COLORS: Readonly<Record<Operation, string>> = { forward: "#2f6f9f", inference: "#7fb069", backward: "#d1803f" };
const BAR = 13;
const GAP = 14;
const MARGIN = 84;
const ROOM = 0.2;

/** Machine code by our native backend on as many threads, all else by our WebAssembly with arrays in an arena. */
export function comparedRatio(row: PeerRow): number | null {
  return isNative(row.who) ? row.overNative : row.overArena;
}

function labelOf({ who, threads }: PeerRow): string {
  return isNative(who) ? `${who}, ${threads} thread${threads === 1 ? "" : "s"}` : who;
}

function times(value: number): string {
  return `×${value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)}`;
}

/** Bars on an axis of logarithms start at its 0, the ratio 1: to the right ours is faster. */
function option(rows: readonly PeerRow[]): { option: EChartsOption; height: number } {
  // By the last operation first: tfjs-wasm-composed has no other, and stands beside tfjs-wasm.
  const ordered = [...rows].sort((a, b) => OPERATIONS.indexOf(b.op) - OPERATIONS.indexOf(a.op));
  const peers = [...groupBy(ordered, labelOf)];
  const operations = OPERATIONS.filter((op) => rows.some((row) => row.op === op));
  const logs = rows.map((row) => Math.log10(comparedRatio(row)!));
  const series = operations.map((op) => ({
    name: op,
    type: "bar" as const,
    barWidth: BAR,
    barGap: "10%",
    itemStyle: { color: COLORS[op] },
    data: peers.map(([, group]) => {
      const found = group.find((row) => row.op === op);
      if (!found) return "-";
      const value = comparedRatio(found)!;
      const position = value < 1 ? ("left" as const) : ("right" as const);
      return { value: Math.log10(value), label: { show: true, position, formatter: times(value), fontSize: 11 } };
    }),
  }));
  const height = peers.length * (operations.length * BAR * 1.1 + GAP) + MARGIN;
  return {
    height,
    option: {
      grid: { left: 190, right: 40, top: 34, bottom: 48 },
      legend: { top: 0 },
      xAxis: {
        type: "value",
        name: "time by ours (logarithmic)",
        nameLocation: "middle",
        nameGap: 28,
        // Whole decades, with room for the numbers.
        min: Math.floor(Math.min(0, ...logs) - (logs.some((log) => log < 0) ? ROOM : 0)),
        max: Math.ceil(Math.max(0.5, ...logs) + ROOM),
        interval: 1,
        axisLabel: { formatter: (value: number) => String(Number((10 ** value).toPrecision(2))) },
      },
      yAxis: { type: "category", inverse: true, data: peers.map(([label]) => label), axisTick: { show: false } },
      series,
    },
  };
}

/** Empty where no peer was timed. */
export function chartOf(rows: readonly PeerRow[]): string {
  const shown = rows.filter((row) => !isOurs(row.who) && comparedRatio(row) !== null);
  if (shown.length === 0) return "";
  const { option: chart, height } = option(shown);
  return figure(
    renderChart(chart, height),
    "Machine code by our native backend on as many threads, JavaScript and WebAssembly by our WebAssembly with arrays " +
      "in an arena. Right of 1 ours is faster.",
  );
}
