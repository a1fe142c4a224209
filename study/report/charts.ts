// The pictures: panels side by side with lines and, around each, the range over the seeds.
import { mean } from "../../examples/digits/network/evaluate.js";
import type { EChartsOption, LineSeriesOption } from "echarts";
import { FONT, renderChart } from "../../scripts/tools/page.js";
import type { Curve } from "../training/point.js";
import { isNumber, valuesOf, type Group, type Measure } from "./groups.js";

export const COLOURS = {
  without: "#b4451f",
  with: "#1f5fb4",
  third: "#2b8a3e",
  fourth: "#8e44ad",
} as const;

export interface Line {
  readonly name: string;
  readonly colour: string;
  readonly dashed?: boolean;
  /** x, and the mean, the least and the greatest value over the seeds. */
  readonly data: readonly (readonly [x: number, mean: number, low: number, high: number])[];
}

export interface Panel {
  readonly title: string;
  readonly lines: readonly Line[];
}

export interface Axes {
  readonly x: string;
  readonly y: string;
  readonly logX?: boolean;
  readonly logY?: boolean;
  /** The limits of y; those of the data where they are absent. All panels have the same. */
  readonly min?: number;
  readonly max?: number;
}

const HEIGHT = 400;
const TOP = 70;
const WIDTH = 900;
const LEFT = 62;
const GAP = 62;

function summary(x: number, values: readonly number[]): readonly [number, number, number, number] {
  return [x, mean(values), Math.min(...values), Math.max(...values)];
}

/** What `values` gives of each point's curve, over the steps. A training that diverged stays where it ended. */
export function overSteps(group: Group, values: (curve: Curve, i: number) => number | null | undefined): Line["data"] {
  const curves = group.points.map(({ curve }) => curve);
  const longest = curves.reduce<Curve | null>((a, b) => (a && a.steps.length >= b.steps.length ? a : b), null);
  return (longest?.steps ?? []).flatMap((step, i) => {
    const there = curves.map((curve) => values(curve, Math.min(i, curve.steps.length - 1)));
    const finite = there.filter(isNumber);
    return finite.length > 0 ? [summary(step, finite)] : [];
  });
}

/** A measure of groups that differ in x. */
export function overGroups(groups: readonly (readonly [x: number, group: Group])[], measure: Measure): Line["data"] {
  return groups.flatMap(([x, group]) => {
    const values = valuesOf(group, measure);
    return values.length > 0 ? [summary(x, values)] : [];
  });
}

/** The range as two stacked lines, of which the upper one fills what is between, and the mean above both. */
function seriesOf({ name, colour, dashed = false, data }: Line, panel: number): LineSeriesOption[] {
  const axes = { xAxisIndex: panel, yAxisIndex: panel } as const;
  const hidden = { ...axes, type: "line", symbol: "none", silent: true, lineStyle: { opacity: 0 } } as const;
  const stack = `${panel} ${name}`;
  const ranged = data.some(([, , low, high]) => high > low);
  const range: LineSeriesOption[] = [
    { ...hidden, stack, stackStrategy: "all", data: data.map(([x, , low]) => [x, low]) },
    {
      ...hidden,
      stack,
      stackStrategy: "all",
      data: data.map(([x, , low, high]) => [x, high - low]),
      areaStyle: { color: colour, opacity: 0.18 },
    },
  ];
  const line: LineSeriesOption = {
    ...axes,
    type: "line",
    name,
    color: colour,
    symbol: data.length <= 15 ? "circle" : "none",
    symbolSize: 6,
    lineStyle: { width: 2, type: dashed ? "dashed" : "solid" },
    data: data.map(([x, y]) => [x, y]),
  };
  return ranged ? [...range, line] : [line];
}

/** A power of ten, which may be a digit off. */
function powerText(value: number): string {
  return value < 0.005 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}

export function panelChart(panels: readonly Panel[], { x, y, logX = false, logY = false, min, max }: Axes): string {
  const width = (WIDTH - LEFT - 20 - GAP * (panels.length - 1)) / panels.length;
  const lefts = panels.map((_, i) => LEFT + i * (width + GAP));
  const values = panels.flatMap(({ lines }) => lines.flatMap(({ data }) => data.flatMap(([, ...own]) => own)));
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  /** A power of ten, or an integer. */
  const limit = (value: number, round: (value: number) => number): number =>
    logY ? 10 ** round(Math.log10(value)) : round(value);
  const names = [...new Set(panels.flatMap(({ lines }) => lines.map(({ name }) => name)))];
  const option: EChartsOption = {
    // Pages of GitHub can be dark.
    backgroundColor: "#fff",
    // Texts are measured here in another font than the reader's, which may be wider.
    legend: { data: names, top: 4, left: LEFT, itemWidth: 34, itemGap: 44, itemStyle: { opacity: 0 } },
    title: panels.map(({ title }, i) => ({
      text: title,
      left: lefts[i]!,
      top: 34,
      textStyle: { fontSize: 14, fontFamily: FONT },
    })),
    grid: panels.map((_, i) => ({ left: lefts[i]!, width, top: TOP, bottom: 50 })),
    xAxis: panels.map((_, gridIndex) => ({
      type: logX ? "log" : "value",
      gridIndex,
      name: x,
      nameLocation: "middle",
      nameGap: 28,
      // Steps begin at 0; on a logarithmic axis nothing does.
      min: logX ? "dataMin" : 0,
      max: "dataMax",
      axisLine: { onZero: false },
      splitLine: { show: false },
      splitNumber: 4,
      axisLabel: { hideOverlap: true },
    })),
    yAxis: panels.map((_, gridIndex) => ({
      type: logY ? "log" : "value",
      gridIndex,
      name: gridIndex === 0 ? y : "",
      nameLocation: "middle",
      nameGap: 42,
      min: min ?? limit(lowest, Math.floor),
      max: max ?? limit(highest, Math.ceil),
      ...(logY && { axisLabel: { formatter: powerText } }),
    })),
    series: panels.flatMap(({ lines }, i) => lines.flatMap((line) => seriesOf(line, i))),
  };
  return renderChart(option, HEIGHT);
}
