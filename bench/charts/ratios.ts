// The ratio to the copy of every backend on the shapes.
import type { ScatterSeriesOption } from "echarts";
import { PLACES, pointsIn, renderShapes, SHAPES_CAPTION, type Place } from "./shapes.js";
import { lineAt, namesOf, styleOf } from "./style.js";
import {
  byContender,
  contenderOf,
  groupBy,
  isOrdinary,
  oneAndMost,
  subjectOf,
  worst,
  type Row,
} from "../report/rows.js";
import { isSweep } from "../sweep.js";

const FLOOR = "floor, one thread";
/** Pixels between the marks of one shape. */
const APART = 4;

type Marks = ScatterSeriesOption & { readonly name: string };

/** By shape, the worst data. */
function figuresOf(rows: readonly Row[], place: Place): [string, number][] {
  return pointsIn(place, rows, (own) => (own.length > 0 ? worst(own).copyRatio : null));
}

/** Of plain and streaming stores the better one: a mark as wide as the others together. */
function floorMarks(rows: readonly Row[], place: Place, panel: number): Marks[] {
  const floors = rows.filter(({ op, threads }) => op === `${place.operation} floor` && threads === 1);
  const ways = [...groupBy(floors, ({ backend }) => backend).values()].flatMap((way) => figuresOf(way, place));
  const data = [...groupBy(ways, ([shape]) => shape)].map(([shape, own]) => [
    shape,
    Math.min(...own.map(([, v]) => v)),
  ]);
  if (data.length === 0) return [];
  const at = { xAxisIndex: panel, yAxisIndex: panel };
  return [
    {
      type: "scatter",
      name: FLOOR,
      ...at,
      symbol: "rect",
      symbolSize: [26, 3],
      color: "#c9c9c9",
      itemStyle: { opacity: 1 },
      data,
    },
  ];
}

function panelMarks(all: readonly Row[], panel: number, contenders: readonly string[]): Marks[] {
  const place = PLACES[panel]!;
  const rows = all.filter(({ layout, out }) => layout === place.layout && out === "given");
  const timed = rows.filter(({ op }) => op === place.operation);
  const placeOf = (shape: string, name: string): number => {
    const present = contenders.filter((one) => timed.some((row) => row.shape === shape && contenderOf(row) === one));
    return APART * (present.indexOf(name) - (present.length - 1) / 2);
  };
  const marks = contenders.map((name, i): Marks => {
    const figures = figuresOf(
      timed.filter((row) => contenderOf(row) === name),
      place,
    );
    const { color, dashed } = styleOf(name);
    return {
      type: "scatter",
      name,
      color,
      xAxisIndex: panel,
      yAxisIndex: panel,
      symbol: dashed ? "diamond" : "circle",
      symbolSize: dashed ? 9 : 7,
      itemStyle: { opacity: 1 },
      data: figures.map(([shape, ratio]) => ({ value: [shape, ratio], symbolOffset: [placeOf(shape, name), 0] })),
      ...(i === 0 && lineAt(1)),
    };
  });
  return [...floorMarks(rows, place, panel), ...marks];
}

/** Powers of two around all ratios, and the copy's 1. */
function rangeOf(rows: readonly Row[]): { min: number; max: number } {
  const figures = groupBy(
    rows.filter(({ out }) => out === "given"),
    subjectOf,
  );
  const ratios = [...figures.values()].map((group) => Math.log2(worst(group).copyRatio));
  return { min: 2 ** Math.floor(Math.min(-1, ...ratios)), max: 2 ** Math.ceil(Math.max(1, ...ratios)) };
}

/** null where no shapes were timed. */
export function ratiosChart(all: readonly Row[]): { svg: string; caption: string } | null {
  const rows = oneAndMost(all.filter((row) => !isSweep(row) && isOrdinary(row)));
  const timed = rows.filter(({ op }) => PLACES.some(({ operation }) => operation === op));
  const contenders = [...groupBy(timed.sort(byContender), contenderOf).keys()];
  if (contenders.length === 0) return null;
  const series = PLACES.flatMap((_, panel) => panelMarks(rows, panel, contenders));
  return {
    svg: renderShapes(series, {
      names: namesOf(series),
      axis: { type: "log", logBase: 2, ...rangeOf(timed), name: "times a copy" },
    }),
    caption:
      "Time divided by that of copying the same tensor with as many threads (the line at 1). The data are float32 and outputs " +
      "are given; the worst of three kinds of data is shown. The scale is logarithmic. Floor: passes over the same memory " +
      `that compute next to nothing. ${SHAPES_CAPTION}.`,
  };
}
