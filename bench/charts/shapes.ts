// Charts over the shapes, a panel for each operation and layout: ratios to the copy, what threads gain, and other
// types beside float32.
import type { BarSeriesOption, EChartsOption, ScatterSeriesOption, YAXisComponentOption } from "echarts";
import { OPERATIONS, layoutsOf, shapes } from "../shapes.js";
import { legendHeight, legendOf, renderPanels, type Panel } from "./style.js";
import type { Row } from "../report/rows.js";

export const LAYOUTS = ["channels-first", "channels-last"] as const;

/** Panels in reading order: operations down, layouts across. */
export const PLACES = OPERATIONS.flatMap((operation) => LAYOUTS.map((layout) => ({ operation, layout })));
export type Place = (typeof PLACES)[number];

/** The shapes of a panel. */
export function shapesIn({ operation, layout }: Place): string[] {
  return shapes
    .filter((shape) => shape.operations.includes(operation) && layoutsOf(shape).includes(layout))
    .map(({ name }) => name);
}

/** A figure of each shape's rows, where there is one. */
export function pointsIn(
  place: Place,
  rows: readonly Row[],
  figureOf: (rows: readonly Row[]) => number | null,
): [string, number][] {
  return shapesIn(place).flatMap((shape): [string, number][] => {
    const figure = figureOf(rows.filter((row) => row.shape === shape));
    return figure === null ? [] : [[shape, figure]];
  });
}

export type ShapeSeries = (ScatterSeriesOption | BarSeriesOption) & { readonly name: string };

/** A half above all, so that the panels have one scale. */
export function topOf(series: readonly ShapeSeries[]): number {
  const values = series.flatMap(({ data }) => data as [string, number][]).map(([, value]) => value);
  return Math.ceil(2 * Math.max(1, ...values)) / 2;
}

interface Look {
  readonly names: readonly string[];
  /** Of the vertical axes. */
  readonly axis: YAXisComponentOption;
}

const LEFT = 60;
const [WIDTH, HEIGHT] = [390, 170];

export function renderShapes(series: readonly ShapeSeries[], { names, axis }: Look): string {
  const top = legendHeight(names) + 40;
  const panels = PLACES.map(({ operation, layout }, i): Panel => ({
    title: `${operation}, ${layout}`,
    left: LEFT + (i % 2) * (WIDTH + 45),
    top: top + Math.floor(i / 2) * (HEIGHT + 60),
    width: WIDTH,
    height: HEIGHT,
  }));
  const option: EChartsOption = {
    xAxis: PLACES.map((place, gridIndex) => ({
      type: "category",
      gridIndex,
      data: shapesIn(place),
      axisLine: { onZero: false },
    })),
    yAxis: PLACES.map((_, gridIndex) => ({
      ...axis,
      gridIndex,
      name: gridIndex % 2 === 0 ? (axis.name ?? "") : "",
      nameLocation: "middle",
      nameGap: 35,
    })),
    series: [...series],
  };
  return renderPanels(option, panels, legendOf(names, { itemWidth: 10 }));
}

export const SHAPES_CAPTION = shapes.map(({ name, shape }) => `${name} ${shape.join("×")}`).join(", ");
