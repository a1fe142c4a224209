// Bars of ratios on an axis of logarithms: they begin at 1, and go to the right where ours is faster.
import type { BarSeriesOption, EChartsOption } from "echarts";
import { renderChart } from "../../scripts/tools/page.js";

const BAR = 13;
const MARGIN = 84;
/** Of a bar's number, as a factor. */
const ROOM = 1.6;

export interface Bars {
  readonly name: string;
  readonly color: string;
  /** One for each line; null where there is none. */
  readonly ratios: readonly (number | null)[];
}

export interface Look {
  /** The names of the lines. */
  readonly lines: readonly string[];
  readonly title: string;
  /** Of the powers at which the axis has ticks. */
  readonly base: number;
  /** Between lines, in pixels. */
  readonly gap: number;
  /** Whether a line has one bar, in the place of one of each name. */
  readonly single: boolean;
}

function times(value: number): string {
  return `×${value >= 10 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2)}`;
}

export function renderBars(bars: readonly Bars[], { lines, title, base, gap, single }: Look): string {
  const log = (value: number): number => Math.log(value) / Math.log(base);
  const ratios = bars.flatMap((one) => one.ratios.filter((ratio) => ratio !== null));
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  const option: EChartsOption = {
    backgroundColor: "#fff",
    grid: { left: 190, right: 40, top: 34, bottom: 48 },
    // Without a browser ECharts can only guess how wide text is.
    legend: { top: 4, itemGap: 32 },
    xAxis: {
      type: "value",
      name: `${title} (logarithmic)`,
      nameLocation: "middle",
      nameGap: 28,
      // Whole powers, with room for the numbers.
      min: least < 1 ? Math.floor(log(least / ROOM)) : 0,
      max: Math.ceil(log(Math.max(ROOM, most) * ROOM)),
      interval: 1,
      axisLabel: { formatter: (value: number) => String(Number((base ** value).toPrecision(2))) },
    },
    yAxis: { type: "category", inverse: true, data: [...lines], axisTick: { show: false } },
    series: bars.map(({ name, color, ratios: own }): BarSeriesOption => ({
      name,
      type: "bar",
      barWidth: BAR,
      barGap: "10%",
      ...(single && { stack: "one" }),
      itemStyle: { color },
      data: own.map((ratio) => {
        if (ratio === null) return "-";
        const position = ratio < 1 ? "left" : "right";
        return { value: log(ratio), label: { show: true, position, formatter: times(ratio), fontSize: 11 } };
      }),
    })),
  };
  return renderChart(option, lines.length * ((single ? 1 : bars.length) * BAR * 1.1 + gap) + MARGIN);
}
