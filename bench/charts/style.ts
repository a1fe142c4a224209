// What the charts share: colours, axes, legends placed by hand, and panels side by side.
import type { EChartsOption, LegendComponentOption, MarkLineComponentOption, TitleComponentOption } from "echarts";
import { FONT, renderChart } from "../../scripts/tools/page.js";

const COLOURS: Readonly<Record<string, string>> = {
  "native/avx512": "#0b2f7a",
  "native/avx2": "#1f5fb4",
  "native/neon": "#1f5fb4",
  "native/sse2": "#2aa0a0",
  "native/scalar": "#8a63c4",
  wasm: "#e08a00",
  "wasm, arena": "#b4451f",
  oracle: "#8c8c8c",
};
const COPY = "#222222";

/** Colour by backend and memory; several threads are dashed. */
export function styleOf(contender: string): { color: string; dashed: boolean } {
  const [name] = contender.split(/, \d+ threads/);
  return { color: COLOURS[name!] ?? COPY, dashed: contender.includes(" threads") };
}

const LEGEND_LINE = 20;
const LEGEND_TOP = 10;
const COLUMNS = 4;

/** Four names a row: without a browser ECharts can only guess how wide text is. */
export function legendOf(names: readonly string[], icon: { readonly itemWidth: number }): LegendComponentOption[] {
  return Array.from({ length: Math.min(COLUMNS, names.length) }, (_, column) => ({
    data: names.filter((_, i) => i % COLUMNS === column),
    orient: "vertical",
    left: 60 + column * 210,
    top: LEGEND_TOP,
    padding: 0,
    itemGap: LEGEND_LINE - 14,
    itemHeight: 8,
    ...icon,
  }));
}

export function legendHeight(names: readonly string[]): number {
  return LEGEND_TOP + LEGEND_LINE * Math.ceil(names.length / COLUMNS);
}

export interface Panel {
  readonly title: string;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** A line across a panel, of the series that has it. */
export function lineAt(value: number): { markLine: MarkLineComponentOption } {
  return {
    markLine: {
      silent: true,
      symbol: "none",
      label: { show: false },
      lineStyle: { color: "#222", type: "solid", width: 1 },
      data: [{ yAxis: value }],
    },
  };
}

/** Titles and grids of panels; each series names its panel's index as that of both axes. */
export function placed(panels: readonly Panel[]): Pick<EChartsOption, "title" | "grid"> {
  return {
    title: panels.map(({ title, left, top }): TitleComponentOption => ({
      text: title,
      left,
      top: top - 24,
      padding: 0,
      textStyle: { fontSize: 13, fontFamily: FONT },
    })),
    grid: panels.map(({ left, top, width, height }) => ({ left, top, width, height })),
  };
}

/** The names of all series, each once: several panels have series of one name. */
export function namesOf(series: readonly { readonly name: string }[]): string[] {
  return [...new Set(series.map(({ name }) => name))];
}

/** On white, also where the page around it is dark. */
export function renderPanels(option: EChartsOption, panels: readonly Panel[], legend: LegendComponentOption[]): string {
  const bottom = Math.max(...panels.map(({ top, height }) => top + height));
  return renderChart({ backgroundColor: "#fff", ...placed(panels), legend, ...option }, bottom + 50);
}
