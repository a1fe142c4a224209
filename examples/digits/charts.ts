// The report's pictures: curves with bands over the seeds, and bars with whiskers.
import type { CustomSeriesOption, LineSeriesOption } from "echarts";
import { FONT, renderChart } from "../../scripts/tools/page.js";
import type { Find } from "./claims/claim.js";
import { mean, standardDeviation } from "./network/evaluate.js";
import type { Setting } from "./settings.js";
import type { Result } from "./train.js";
import { describe, type Comparison, type Format, type Outcomes } from "./verdict.js";

export const COLOURS = { without: "#b4451f", with: "#1f5fb4" } as const;
const NAMES = { without: "without batch norm", with: "with batch norm" } as const;
const SIDES = ["without", "with"] as const;
type Side = (typeof SIDES)[number];

type Curve = readonly (readonly [number, number])[];

const centred = { nameLocation: "middle", axisLine: { onZero: false } } as const;

const legend = {
  data: SIDES.map((side) => NAMES[side]),
  icon: "roundRect",
  top: 0,
  left: 70,
  itemWidth: 40,
  itemHeight: 6,
  itemGap: 60,
};

/** At every x that a run has: the mean over the runs, and how far they spread. Runs that ended early leave the others. */
function summarize(runs: readonly Curve[]): { x: number; mean: number; spread: number }[] {
  const xs = [...new Set(runs.flatMap((run) => run.map(([x]) => x)))].sort((a, b) => a - b);
  return xs.map((x) => {
    const values = runs.flatMap((run) => run.filter((point) => point[0] === x).map((point) => point[1]));
    return { x, mean: mean(values), spread: values.length > 1 ? standardDeviation(values, 1) : 0 };
  });
}

function band(side: Side, edges: readonly (readonly [number, number])[]): CustomSeriesOption {
  return {
    type: "custom",
    silent: true,
    clip: true,
    // All edges are data, so that the axis has room for them; the first draws the whole band.
    data: edges.map((edge) => [...edge]),
    renderItem: ({ dataIndex }, api) =>
      dataIndex > 0
        ? null
        : {
            type: "polygon",
            shape: { points: edges.map((edge) => api.coord([...edge])) },
            style: { fill: COLOURS[side], opacity: 0.18 },
          },
  };
}

function curve(side: Side, runs: readonly Curve[], isDashed: boolean): [CustomSeriesOption, LineSeriesOption] {
  const points = summarize(runs);
  const above = points.map(({ x, mean: y, spread }) => [x, y + spread] as const);
  const below = points.map(({ x, mean: y, spread }) => [x, y - spread] as const).reverse();
  const line: LineSeriesOption = {
    type: "line",
    // The legend has one entry for a solid and a dashed curve of one side.
    name: NAMES[side],
    symbol: "none",
    color: COLOURS[side],
    lineStyle: { width: 2, type: isDashed ? "dashed" : "solid" },
    data: points.map(({ x, mean: y }) => [x, y]),
  };
  return [band(side, [...above, ...below]), line];
}

export interface CurveOptions {
  readonly min?: number;
  readonly max?: number;
  /** A second curve of each side, dashed. */
  readonly dashed?: (result: Result) => Curve;
}

/** A curve over the steps for each side, of the results of one setting. */
export function curvesOf(
  find: Find,
  setting: Setting,
  name: string,
  of: (result: Result) => Curve,
  { dashed, ...limits }: CurveOptions = {},
): string {
  const series = SIDES.flatMap((side) => {
    const results = find(setting, side === "with");
    return [...curve(side, results.map(of), false), ...(dashed ? curve(side, results.map(dashed), true) : [])];
  });
  return renderChart(
    {
      legend,
      grid: { left: 70, right: 30, top: 40, bottom: 50 },
      xAxis: { ...centred, type: "value", name: "steps", nameGap: 30, max: setting.steps },
      yAxis: { ...centred, type: "value", name, nameGap: 45, ...limits },
      series,
    },
    380,
  );
}

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
