// A pair of bars for each line of a claim, with whiskers over the seeds.
import type { CustomSeriesOption } from "echarts";
import { FONT, renderChart } from "../../scripts/tools/page.js";
import { centred, COLOURS, legend, NAMES, SIDES, type Side } from "./charts.js";
import { mean, standardDeviation } from "./network/evaluate.js";
import { describe, type Comparison, type Format, type Outcomes } from "./verdict.js";

const BAR_GAPS = { barGap: "10%", barCategoryGap: "30%" } as const;

interface Bar {
  readonly mean: number;
  readonly spread: number;
  /** What stands over it: the number where there is one, else the word. */
  readonly label: string;
}

function barOf(outcomes: Outcomes, { digits, unit }: Format, scale: number): Bar {
  const values = outcomes.map(({ value }) => scale * value);
  const isPlain = outcomes.every(({ word }) => word === null);
  const average = mean(outcomes.map(({ value }) => value));
  return {
    mean: mean(values),
    spread: values.length > 1 ? standardDeviation(values, 1) : 0,
    label: isPlain ? digits(average) + unit : describe(outcomes, { digits, unit }).replaceAll(", ", "\n"),
  };
}

/** A whisker on each bar, and the label above it. */
function whiskers(side: Side, bars: readonly Bar[]): CustomSeriesOption {
  return {
    type: "custom",
    silent: true,
    z: 3,
    data: bars.map((bar, i) => [i, bar.mean]),
    renderItem({ dataIndex }, api) {
      const { mean: y, spread, label } = bars[dataIndex]!;
      const [low, high] = [Math.max(0, y - spread), Math.max(0, y + spread)].map((end) => api.coord([dataIndex, end]));
      const x =
        low![0]! + (api.barLayout({ count: SIDES.length, ...BAR_GAPS })?.[SIDES.indexOf(side)]?.offsetCenter ?? 0);
      const text = {
        text: label,
        x,
        y: high![1]! - 4,
        align: "center",
        verticalAlign: "bottom",
        fill: COLOURS[side],
      } as const;
      return {
        type: "group",
        children: [
          {
            type: "line",
            shape: { x1: x, y1: low![1]!, x2: x, y2: high![1]! },
            style: { stroke: "#222", lineWidth: 1.5 },
          },
          { type: "text", style: { ...text, fontSize: 12, fontFamily: FONT } },
        ],
      };
    },
  };
}

export interface BarOptions {
  readonly max?: number;
  /** What a value is multiplied by: 100 for a share in percent. */
  readonly scale?: number;
}

/** A pair of bars for each line of a claim. */
export function barsOf(
  comparisons: readonly Comparison[],
  xName: string,
  yName: string,
  { max, scale = 1 }: BarOptions = {},
): string {
  const series = SIDES.flatMap((side) => {
    const bars = comparisons.map((comparison) => barOf(comparison[side], comparison.format, scale));
    const data = bars.map((bar) => bar.mean);
    return [{ type: "bar" as const, name: NAMES[side], color: COLOURS[side], ...BAR_GAPS, data }, whiskers(side, bars)];
  });
  return renderChart(
    {
      legend,
      grid: { left: 70, right: 30, top: 60, bottom: 50 },
      xAxis: { ...centred, type: "category", name: xName, nameGap: 30, data: comparisons.map(({ name }) => name) },
      yAxis: { ...centred, type: "value", name: yName, nameGap: 45, min: 0, ...(max !== undefined && { max }) },
      series,
    },
    360,
  );
}
