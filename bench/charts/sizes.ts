// Time per value over tensor size, a curve for each backend.
import type { LineSeriesOption, XAXisComponentOption, YAXisComponentOption } from "echarts";
import { OPERATIONS } from "../shapes.js";
import { legendHeight, legendOf, namesOf, renderPanels, styleOf, type Panel } from "./style.js";
import { isOrdinary, oneAndMost, type Row } from "../report/rows.js";
import { curvesOf, nanoseconds } from "../report/sizes.js";
import { LARGEST_PLANE, SIZES_CHANNELS } from "../sweep.js";

const LAYOUT = "channels-first";

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

function power(value: number): string {
  return `10${[...Math.log10(value).toFixed(0)].map((digit) => SUPERSCRIPTS[Number(digit)]).join("")}`;
}

type Series = LineSeriesOption & { name: string };

function seriesOf(rows: readonly Row[]): Series[] {
  return OPERATIONS.flatMap((operation, panel) =>
    curvesOf(rows, operation).map(({ name, points }): Series => {
      const { color, dashed } = styleOf(name);
      return {
        type: "line",
        name,
        color,
        xAxisIndex: panel,
        yAxisIndex: panel,
        symbol: "circle",
        symbolSize: 4,
        lineStyle: { width: name === "memcpy" ? 1 : 2, type: dashed ? "dashed" : "solid" },
        data: points.map((point) => [...point]),
      };
    }),
  );
}

/** What labels a power of ten; the ends of an axis are none. */
const POWERS = {
  splitLine: { showMinLine: false, showMaxLine: false },
  axisLabel: { showMinLabel: false, showMaxLabel: false, hideOverlap: true },
} as const;

/** One scale for all panels, a little wider than the values. */
function axesOf(rows: readonly Row[]): { xAxis: XAXisComponentOption[]; yAxis: YAXisComponentOption[] } {
  const points = OPERATIONS.flatMap((operation) => curvesOf(rows, operation).flatMap((curve) => curve.points));
  const [sizes, times] = [points.map(([size]) => size), points.map(([, time]) => time)];
  return {
    xAxis: OPERATIONS.map((_, gridIndex) => ({
      type: "log",
      gridIndex,
      min: Math.min(...sizes) / 1.3,
      max: Math.max(...sizes) * 1.3,
      splitLine: POWERS.splitLine,
      axisLabel: { ...POWERS.axisLabel, formatter: power },
      name: "values of the tensor",
      nameLocation: "middle",
      nameGap: 28,
    })),
    yAxis: OPERATIONS.map((_, gridIndex) => ({
      type: "log",
      gridIndex,
      min: Math.min(...times) / 1.3,
      max: Math.max(...times) * 1.3,
      splitLine: POWERS.splitLine,
      axisLabel: {
        ...POWERS.axisLabel,
        show: gridIndex === 0,
        formatter: (value: number) => String(Number(nanoseconds(value))),
      },
      ...(gridIndex === 0 && { name: "ns per value", nameLocation: "middle", nameGap: 42 }),
    })),
  };
}

/** null where no sizes were timed. */
export function sizesChart(all: readonly Row[]): { svg: string; caption: string } | null {
  const rows = oneAndMost(all.filter((row) => row.layout === LAYOUT && isOrdinary(row)));
  const series = seriesOf(rows);
  if (series.length === 0) return null;
  const names = namesOf(series);
  const top = legendHeight(names) + 40;
  const panels = OPERATIONS.map((title, i): Panel => ({ title, left: 64 + 284 * i, top, width: 250, height: 300 }));
  return {
    svg: renderPanels({ ...axesOf(rows), series }, panels, legendOf(names, { itemWidth: 30 })),
    caption:
      `Time per value over the number of values. The data are float32, ${LAYOUT}, with ${SIZES_CHANNELS} channels. Planes ` +
      `grow to ${LARGEST_PLANE} values; after that, samples are added. Both scales are logarithmic. Outputs are given. Calls ` +
      "follow one another, so small tensors come from the cache. memcpy copies the same tensor.",
  };
}
