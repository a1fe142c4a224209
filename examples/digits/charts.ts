// The report's pictures.
import type { LineSeriesOption } from "echarts";
import { FONT, renderChart } from "../../scripts/tools/page.js";
import type { Result } from "./train.js";
import { nameOf } from "./trainings.js";

const WITHOUT = "#b4451f";
const WITH = "#1f5fb4";

function colour({ training }: Result): string {
  return training.normalized ? WITH : WITHOUT;
}

/** Held-out accuracy over the steps, a curve for each training; the higher rate is dashed. */
export function accuracyChart(results: readonly Result[]): string {
  const lowest = Math.min(...results.map(({ training }) => training.rate));
  return renderChart(
    {
      // A column for each rate at a fixed place: without a browser ECharts can only guess how wide text is.
      legend: [0, 1].map((column) => ({
        data: results.slice(2 * column, 2 * column + 2).map(({ training }) => nameOf(training)),
        orient: "vertical",
        top: 0,
        left: 70 + 300 * column,
        itemWidth: 40,
        itemStyle: { opacity: 0 },
      })),
      grid: { left: 70, right: 30, top: 60, bottom: 50 },
      xAxis: {
        type: "value",
        name: "steps",
        nameLocation: "middle",
        nameGap: 30,
        max: results[0]?.training.steps ?? 0,
      },
      yAxis: { type: "value", name: "held-out accuracy, %", nameLocation: "middle", nameGap: 45, min: 0, max: 100 },
      series: results.map((result) => ({
        type: "line",
        name: nameOf(result.training),
        symbol: "none",
        color: colour(result),
        lineStyle: { width: 2, type: result.training.rate > lowest ? "dashed" : "solid" },
        data: result.points.map(({ step, accuracy }) => [step, 100 * accuracy]),
      })),
    },
    430,
  );
}

/** Limits that hold every percentile of both trainings, so that the two pictures have one scale. */
function limits(results: readonly Result[]): { min: number; max: number } {
  const values = results.flatMap(({ points }) => points.flatMap((point) => point.percentiles)).filter(Number.isFinite);
  return { min: Math.floor(Math.min(0, ...values)), max: Math.ceil(Math.max(0, ...values)) };
}

/** The lines of one training's percentiles, the outer two thin. */
function percentileLines(result: Result, axis: number): LineSeriesOption[] {
  return [0, 1, 2].map((i) => ({
    type: "line",
    xAxisIndex: axis,
    yAxisIndex: axis,
    symbol: "none",
    color: colour(result),
    lineStyle: { width: i === 1 ? 2.5 : 1 },
    data: result.points.map(({ step, percentiles }) => [step, percentiles[i] ?? NaN]),
    // Kept apart where the lines are not.
    endLabel: { show: true, formatter: ["15th", "50th", "85th"][i]!, offset: [0, 12 * (1 - i)] },
  }));
}

/** The unit's input over the steps, without and with normalization side by side. */
export function percentileChart(pair: readonly [Result, Result]): string {
  const panels = [
    { left: 60, width: 345 },
    { left: 500, width: 345 },
  ];
  return renderChart(
    {
      title: pair.map(({ training }, i) => ({
        text: nameOf(training),
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
      series: pair.flatMap(percentileLines),
    },
    320,
  );
}
