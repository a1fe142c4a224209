// Sections on the mini-batch: its size, and what it is made of.
import { BATCHES } from "../../experiments/experiments.js";
import { COLOURS, overGroups, panelChart, type Line, type Panel } from "../charts.js";
import {
  byStatistics,
  cell,
  compared,
  inPercent,
  meanOf,
  NOT_RUN,
  percent,
  verdict,
  type Group,
  type Groups,
} from "../groups.js";
import type { Section } from "../section.js";
import { ACCURACY, sidesOf, type Sides } from "../sides.js";

const KINDS = { running: COLOURS.with, cumulative: COLOURS.third, population: COLOURS.fourth } as const;

function milliseconds(group: Group): string {
  return group.points.length === 0 ? NOT_RUN : meanOf(group, ({ shortestStep }) => shortestStep).toFixed(2);
}

function batchPanel(title: string, rows: readonly (readonly [number, Sides])[]): Panel {
  const kinds: Line[] = Object.entries(KINDS).map(([kind, colour]) => ({
    name: `with, ${kind} statistics`,
    colour,
    data: overGroups(
      rows.map(([size, sides]) => [size, sides.with]),
      byStatistics(kind as keyof typeof KINDS),
    ),
  }));
  const without = {
    name: "without",
    colour: COLOURS.without,
    data: overGroups(
      rows.map(([size, sides]) => [size, sides.without]),
      inPercent,
    ),
  };
  return { title, lines: [without, ...kinds] };
}

function batchVerdict(title: string, rows: readonly (readonly [number, Sides])[]): string {
  return verdict(
    rows.flatMap(([, sides]) => Object.values(sides)),
    () => {
      const better = rows.filter(([, sides]) => meanOf(sides.with) > meanOf(sides.without)).map(([size]) => size);
      const [best] = rows.reduce((a, b) => (meanOf(b[1].with) > meanOf(a[1].with) ? b : a));
      const [smallest, { with: small }] = rows[0]!;
      return `${title}: with normalization the mean is higher for batches of ${better.length > 0 ? better.join(", ") : "no size"}; its best size is ${best}. A batch of ${smallest} gives ${percent(small, byStatistics("running"))} with the running statistics and ${percent(small, byStatistics("population"))} with those of the population.`;
    },
  );
}

export function batch(groups: Groups): Section {
  const each = (["equal epochs", "equal steps"] as const).map((kind) => ({
    kind,
    rows: BATCHES.map((size) => [size, sidesOf(groups, "batch", `${kind}, batch ${size}`)] as const),
  }));
  return {
    title: "The size of the mini-batch",
    claim: "The lecture: a batch neither too large nor too small, usually 128, 256, 512 or 1024.",
    done: `ReLU, rate 0.1; ${groups.size.epochs} epochs of each size, and ${groups.size.equalSteps} steps of each. Running: an exponential mean with momentum 0.1; cumulative: the mean over all training batches; population: 10 000 training digits at once after training. The time is that of the shortest step.`,
    verdicts: each.map(({ kind, rows }) => batchVerdict(kind, rows)),
    tables: each.map(({ kind, rows }) => ({
      head: [
        kind,
        "steps",
        "without, %",
        "with, running",
        "with,\ncumulative",
        "with,\npopulation",
        "step, ms,\nwithout",
        "step, ms,\nwith",
      ],
      rows: rows.map(([size, sides]) => [
        `batch ${size}`,
        `${sides.with.settings.steps}`,
        cell(sides.without),
        ...Object.keys(KINDS).map((name) => cell(sides.with, byStatistics(name as keyof typeof KINDS))),
        milliseconds(sides.without),
        milliseconds(sides.with),
      ]),
    })),
    pictures: [
      {
        name: "batch",
        svg: panelChart(
          each.map(({ kind, rows }) => batchPanel(kind, rows)),
          { x: "mini-batch", y: ACCURACY, logX: true, min: 0, max: 100 },
        ),
        caption: "Held-out accuracy at the end over the size of the mini-batch; the bands hold all seeds.",
      },
    ],
  };
}

export function classes(groups: Groups): Section {
  const rows = ["all classes", "two classes"].map((name) => ({ name, sides: sidesOf(groups, "classes", name) }));
  const two = rows[1]!.sides;
  return {
    title: "Batches of two classes",
    claim: "Batches that are not drawn alike: normalization trains, but fails at inference (Ioffe 2017).",
    done: `ReLU, rate 0.1, batch 60, ${groups.size.usual} steps. Each batch holds two digits only, drawn anew. “Batch”: held-out digits in batches made up like the training's, each normalized with its own statistics.`,
    verdicts: [
      verdict(Object.values(two), () => {
        const [batch, running] = [meanOf(two.with, byStatistics("batch")), meanOf(two.with, byStatistics("running"))];
        return `Trained on batches of two classes, the network with normalization names ${batch.toFixed(1)} % rightly in such batches, and ${running.toFixed(1)} % with the running statistics: ${running < batch - 1 ? "it fails" : "it does not fail"} at inference. With its running statistics it is ${compared(two.with, two.without, inPercent)} than the network without.`;
      }),
    ],
    tables: [
      {
        head: ["batches of", "without, %", "with, running", "with,\ncumulative", "with,\npopulation", "with, batch"],
        rows: rows.map(({ name, sides }) => [
          name,
          cell(sides.without),
          ...(["running", "cumulative", "population", "batch"] as const).map((kind) =>
            cell(sides.with, byStatistics(kind)),
          ),
        ]),
      },
    ],
    pictures: [],
  };
}
