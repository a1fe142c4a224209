// Figure 1 (b, c) of the paper: the percentiles of one unit's input over the steps, without and with batch norm.
import type { LineSeriesOption } from "echarts";
import { FONT, renderChart } from "../../scripts/tools/page.js";
import { COLOURS } from "./charts.js";
import type { Result } from "./train.js";

/** Limits that hold every percentile of both trainings, so that the two pictures have one scale. */
function limits(results: readonly Result[]): { min: number; max: number } {
  const values = results.flatMap(({ points }) => points.flatMap((point) => point.percentiles)).filter(Number.isFinite);
  return { min: Math.floor(Math.min(0, ...values)), max: Math.ceil(Math.max(0, ...values)) };
}

/** The lines of one training's percentiles, the outer two thin. */
function lines(result: Result, axis: number): LineSeriesOption[] {
  return [0, 1, 2].map((i) => ({
    type: "line",
    xAxisIndex: axis,
    yAxisIndex: axis,
    symbol: "none",
    color: result.training.normalized ? COLOURS.with : COLOURS.without,
    lineStyle: { width: i === 1 ? 2.5 : 1 },
    data: result.points.map(({ step, percentiles }) => [step, percentiles[i] ?? NaN]),
    // Kept apart where the lines are not.
    endLabel: { show: true, formatter: ["15th", "50th", "85th"][i]!, offset: [0, 12 * (1 - i)] },
  }));
}

/** The unit's input over the steps, without and with normalization side by side. */
export function percentileChart(without: Result, normalized: Result): string {
  const pair = [without, normalized];
  const panels = [
    { left: 60, width: 345 },
    { left: 500, width: 345 },
  ];
  return renderChart(
    {
      title: pair.map(({ training }, i) => ({
        text: training.normalized ? "with batch norm" : "without batch norm",
        left: panels[i]!.left,
        top: 0,
        textStyle: { fontSize: 14, fontFamily: FONT },
      })),
      grid: panels.map((panel) => ({ ...panel, top: 40, bottom: 50 })),
      xAxis: pair.map(({ training }, gridIndex) => ({
        type: "value",
        gridIndex,
        name: "steps",
        nameLocation: "middle",
        nameGap: 30,
        max: training.steps,
        axisLine: { onZero: false },
        splitNumber: 4,
      })),
      yAxis: pair.map((_, gridIndex) => ({
        type: "value",
        gridIndex,
        ...limits(pair),
        name: "input of the unit",
        nameLocation: "middle",
        nameGap: 35,
      })),
      series: pair.flatMap(lines),
    },
    320,
  );
}
