// Curves over the steps, with bands over the seeds, and what all pictures of the report share.
import type { CustomSeriesOption, LineSeriesOption } from "echarts";
import { renderChart } from "../../scripts/tools/page.js";
import type { Find } from "./claims/claim.js";
import { mean, standardDeviation } from "./network/evaluate.js";
import type { Setting } from "./settings.js";
import type { Result } from "./train.js";

export const COLOURS = { without: "#b4451f", with: "#1f5fb4" } as const;
export const NAMES = { without: "without batch norm", with: "with batch norm" } as const;
export const SIDES = ["without", "with"] as const;
export type Side = (typeof SIDES)[number];

type Curve = readonly (readonly [number, number])[];

export const centred = { nameLocation: "middle", axisLine: { onZero: false } } as const;

export const legend = {
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
