// The pictures: curves that grow, and histograms, all drawn by uPlot.
import uPlot from "uplot";
import { percentiles } from "../../examples/digits/network/evaluate.js";
import { SIDES, type Focus, type Frame, type SideName } from "../lab/conductor.js";
import { BINS, histogram, scaleOf } from "../lab/histogram.js";
import { byId, number, percent, style, words } from "./dom.js";

interface Line {
  readonly side: SideName;
  readonly width: number;
  readonly dash?: number[];
  readonly isBars?: boolean;
}

interface Chart {
  readonly draw: (data: uPlot.AlignedData) => void;
  /** Makes it anew, with the colours and the width of now. */
  readonly renew: () => void;
}

const HEIGHT = { accuracy: 360, spread: 240, histogram: 150 };
/** How high a picture may be for its width: on a phone it is lower. */
const HIGHEST = 0.7;

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const shortened = (_: uPlot, ticks: number[]): string[] => ticks.map((tick) => compact.format(tick).replace("-", "−"));

function makeChart(id: string, height: number, lines: readonly Line[], rest: Partial<uPlot.Options>): Chart {
  const place = byId(id, HTMLElement);
  let data: uPlot.AlignedData = [[], ...lines.map(() => [])];
  let plot: uPlot | null = null;
  const renew = (): void => {
    plot?.destroy();
    const width = Math.max(200, place.clientWidth);
    const axis = {
      stroke: style("--text"),
      grid: { stroke: style("--line"), width: 1 },
      ticks: { show: false },
      values: shortened,
      font: "12px system-ui, sans-serif",
    };
    const { axes = [{}, {}], ...others } = rest;
    const options: uPlot.Options = {
      width,
      height: Math.min(height, HIGHEST * width),
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false } },
      ...others,
      axes: axes.map((own) => ({ ...axis, ...own })),
      series: [
        {},
        ...lines.map(({ side, width, dash, isBars = false }) => ({
          stroke: style(`--${side}`),
          width,
          points: { show: false },
          ...(dash && { dash }),
          ...(isBars && { paths: uPlot.paths.bars!({ size: [1, 100], gap: 1 }), fill: style(`--${side}`) }),
        })),
      ],
    };
    plot = new uPlot(options, data, place);
  };
  renew();
  return {
    renew,
    draw(given) {
      data = given;
      plot?.setData(data);
    },
  };
}

const ACCURACY_LINES: readonly Line[] = SIDES.flatMap((side) => [
  { side, width: 2.5 },
  { side, width: 1.2, dash: [5, 4] },
]);
const SPREAD_LINES: readonly Line[] = SIDES.flatMap((side) => [1, 2.5, 1].map((width) => ({ side, width })));

/**
 * Limits that hold all values of the normalized network, and those of the other up to three times as far: where it
 * diverges, it leaves the picture instead of flattening it.
 */
function limitsOf(rows: readonly number[][]): [number, number] {
  const finite = (values: readonly number[]): number[] => values.filter(Number.isFinite);
  const withIt = finite(rows.flatMap((row) => row.slice(4)));
  const far = 3 * Math.max(1, ...withIt.map(Math.abs));
  const without = finite(rows.flatMap((row) => row.slice(1, 4))).map((value) => Math.min(far, Math.max(-far, value)));
  const all = [-1, 1, ...withIt, ...without];
  return [Math.min(...all), Math.max(...all)];
}

/** One row of numbers a step; a value that is not finite leaves a gap. */
class History {
  rows: number[][] = [];

  add(row: readonly number[]): void {
    if (row[0]! <= (this.rows.at(-1)?.[0] ?? -1)) this.rows = this.rows.filter(([step]) => step! < row[0]!);
    this.rows.push([...row]);
  }

  get data(): uPlot.AlignedData {
    const column = (i: number): (number | null)[] => this.rows.map((row) => (Number.isFinite(row[i]) ? row[i]! : null));
    const [steps, ...others] = (this.rows[0] ?? []).map((_, i) => column(i));
    return [(steps ?? []) as number[], ...others];
  }
}

export interface Charts {
  /** Keeps a frame's points. */
  readonly add: (frame: Frame) => void;
  /** Draws all that was kept. */
  readonly draw: (frame: Frame) => void;
  readonly renew: () => void;
}

export function makeCharts(): Charts {
  const histories = { accuracy: new History(), spread: new History() };
  const accuracy = makeChart("accuracy-chart", HEIGHT.accuracy, ACCURACY_LINES, {
    scales: { x: { time: false }, y: { range: [0, 100] } },
    axes: [{ size: 30 }, { size: 40 }],
  });
  const histograms = (["without", "before", "after"] as const).map((name) => {
    const side = name === "without" ? "without" : "with";
    const chart = makeChart(`histogram-${name}`, HEIGHT.histogram, [{ side, width: 0, isBars: true }], {
      axes: [{ size: 30, space: 60 }, { show: false }],
    });
    return { name, chart };
  });
  const spread = makeChart("spread-chart", HEIGHT.spread, SPREAD_LINES, {
    scales: { x: { time: false }, y: { range: () => limitsOf(histories.spread.rows) } },
    axes: [{ size: 30 }, { size: 40 }],
  });
  let followed: Focus | null = null;

  function drawHistograms({ looks }: Frame): void {
    const sets = { without: looks.without.after, before: looks.with.before, after: looks.with.after };
    const scale = scaleOf(Object.values(sets));
    const width = (scale.max - scale.min) / BINS;
    const centres = Array.from({ length: BINS }, (_, i) => scale.min + (i + 0.5) * width);
    for (const { name, chart } of histograms) {
      chart.draw([centres, histogram(sets[name], scale)]);
      const finite = sets[name].filter(Number.isFinite);
      const [low, median, high] = percentiles(finite, [0.05, 0.5, 0.95]).map(number);
      const label = finite.length === 0 ? words.notFinite : words.histogramLabel(median!, low!, high!);
      const place = byId(`histogram-${name}`, HTMLElement);
      place.setAttribute("aria-label", label);
      place.classList.toggle("empty", finite.length === 0);
    }
  }

  return {
    add(frame) {
      const { states, looks, step, focus } = frame;
      const shares = SIDES.flatMap((side) => {
        const { divergedAt, accuracy: heldOut, trainingAccuracy } = states[side];
        return divergedAt === null ? [100 * heldOut, 100 * trainingAccuracy] : [NaN, NaN];
      });
      histories.accuracy.add([step, ...shares]);
      if (focus.layer !== followed?.layer || focus.unit !== followed.unit) histories.spread.rows = [];
      followed = focus;
      histories.spread.add([step, ...SIDES.flatMap((side) => looks[side].spread)]);
    },
    draw(frame) {
      const { states } = frame;
      accuracy.draw(histories.accuracy.data);
      spread.draw(histories.spread.data);
      const label = words.accuracyLabel(percent(states.without.accuracy), percent(states.with.accuracy));
      byId("accuracy-chart", HTMLElement).setAttribute("aria-label", label);
      byId("spread-chart", HTMLElement).setAttribute("aria-label", `${words.spreadTitle} ${words.spreadKey}`);
      drawHistograms(frame);
    },
    renew() {
      for (const chart of [accuracy, spread, ...histograms.map((each) => each.chart)]) chart.renew();
    },
  };
}
