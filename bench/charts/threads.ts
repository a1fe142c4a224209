// What threads gain on the shapes, beside what they gain a copy.
import { PLACES, pointsIn, renderShapes, SHAPES_CAPTION, topOf, type Place, type ShapeSeries } from "./shapes.js";
import { lineAt, namesOf } from "./style.js";
import { isOrdinary, isYardstick, quotientOf, type Row } from "../report/rows.js";
import { isSweep } from "../sweep.js";

const SHADES = ["#1f5fb4", "#0b2f7a", "#2aa0a0", "#8a63c4", "#6b8fc9", "#12707a"];

/** Speed on `threads` relative to one, the median over the data; null where either was not timed. */
export function speedUp(rows: readonly Row[], threads: number): number | null {
  const on = (count: number): Row[] => rows.filter((row) => row.threads === count);
  return quotientOf(on(1), on(threads));
}

function gains(rows: readonly Row[], place: Place, threads: number): [string, number][] {
  return pointsIn(place, rows, (own) => speedUp(own, threads));
}

interface Panel {
  readonly place: Place;
  readonly panel: number;
  readonly backend: string;
  readonly counts: readonly number[];
}

/** A bar for each thread count, and a mark for the copy's on its place. */
function panelSeries(all: readonly Row[], { place, panel, backend, counts }: Panel): ShapeSeries[] {
  const rows = all.filter(({ layout, out }) => layout === place.layout && out === "given");
  const timed = rows.filter((row) => row.op === place.operation && row.backend === backend);
  const copies = rows.filter((row) => row.op === "copy" && row.backend === "memcpy");
  const at = { xAxisIndex: panel, yAxisIndex: panel };
  const width = Math.min(18, 32 / counts.length);
  return counts.flatMap((count, i): ShapeSeries[] => [
    {
      ...{ type: "bar", name: `${count} threads`, ...at, color: SHADES[i % SHADES.length]! },
      ...{ barWidth: width, barGap: "0%", data: gains(timed, place, count), ...(i === 0 && lineAt(1)) },
    },
    {
      ...{ type: "scatter", name: `copy, ${count} threads`, ...at, symbol: "diamond", symbolSize: 9 },
      ...{ color: "#e08a00", itemStyle: { borderColor: "#fff", borderWidth: 1, opacity: 1 } },
      symbolOffset: [(i - (counts.length - 1) / 2) * width, 0],
      data: gains(copies, place, count),
    },
  ]);
}

/** null where nothing was timed on several threads. */
export function threadsChart(all: readonly Row[]): { svg: string; caption: string } | null {
  const rows = all.filter((row) => !isSweep(row) && isOrdinary(row));
  const threaded = rows.filter(({ op, threads }) => !isYardstick(op) && threads > 1);
  const counts = [...new Set(threaded.map(({ threads }) => threads))].sort((a, b) => a - b);
  const backend = threaded[0]?.backend;
  if (backend === undefined) return null;
  const series = PLACES.flatMap((place, panel) => panelSeries(rows, { place, panel, backend, counts }));
  return {
    svg: renderShapes(series, {
      names: namesOf(series),
      axis: { type: "value", min: 0, max: topOf(series), name: "times one thread" },
    }),
    caption:
      `Speed on several threads relative to one, of ${backend} (bars) and of copying the same tensor (diamonds). The data are ` +
      "float32 and outputs are given; each bar is the median of three kinds of data. A shape without a bar is too small to be " +
      `shared. ${SHAPES_CAPTION}.`,
  };
}
