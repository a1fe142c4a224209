// The section on regularization: few training digits, and what keeps a network from learning them by heart.
import type { Point } from "../../training/point.js";
import { COLOURS, overSteps, panelChart, type Line } from "../charts.js";
import { cell, compared, meanOf, percent, verdict, type Group, type Groups, type Measure } from "../groups.js";
import type { Section } from "../section.js";

const REGULARIZED = {
  nothing: COLOURS.without,
  "batch normalization": COLOURS.with,
  dropout: COLOURS.third,
  "weight decay": COLOURS.fourth,
} as const;

/** On the training digits, at the end. */
const onTraining: Measure = ({ curve }: Point) => 100 * (curve.training?.at(-1) ?? NaN);
const gap: Measure = (point) => Number(onTraining(point)) - 100 * point.accuracy;

export function regularization(groups: Groups): Section {
  const all = Object.entries(REGULARIZED).map(([name, colour]) => {
    return { name, colour, group: groups.of("regularization", name) };
  });
  const [nothing, normalized] = all.map(({ group }) => group) as [Group, Group];
  const { settings } = nothing;
  const line = (group: Group, name: string, colour: string, of: "training" | "accuracy"): Line => {
    const perEpoch = settings.digits! / settings.batch;
    const data = overSteps(group, (curve, i) => 100 * (curve[of]?.[i] ?? NaN));
    return { name, colour, data: data.map(([step, ...values]) => [step / perEpoch, ...values]) };
  };
  return {
    title: "Regularization",
    claim: "The lecture and the paper: normalization regularizes, so that dropout may not be needed.",
    done: `ReLU, ${settings.digits} training digits, batch ${settings.batch}, ${settings.steps} steps, rate 0.1; dropout of one half, weight decay of 0.001.`,
    verdicts: [
      verdict(
        [nothing, normalized],
        () =>
          `On held-out digits, normalization is ${compared(normalized, nothing)} than nothing. The gap between training and held-out digits is ${meanOf(nothing, gap).toFixed(1)} points with nothing and ${meanOf(normalized, gap).toFixed(1)} with normalization.`,
      ),
      verdict(
        all.map(({ group }) => group),
        () => {
          const best = all.reduce((a, b) => (meanOf(b.group) > meanOf(a.group) ? b : a));
          return `The best on held-out digits was ${best.name}, with ${percent(best.group)}.`;
        },
      ),
    ],
    tables: [
      {
        head: ["regularized by", "training, %", "held-out, %", "gap, points"],
        rows: all.map(({ name, group }) => [name, cell(group, onTraining), cell(group), cell(group, gap)]),
      },
    ],
    pictures: [
      {
        name: "regularization",
        svg: panelChart(
          [
            {
              title: "held-out digits",
              lines: all.map(({ name, colour, group }) => line(group, name, colour, "accuracy")),
            },
            {
              title: "training digits",
              lines: all.map(({ name, colour, group }) => line(group, name, colour, "training")),
            },
          ],
          { x: "epochs", y: "accuracy, %", min: 50, max: 100 },
        ),
        caption: "Accuracy over the epochs; the bands hold all seeds.",
      },
    ],
  };
}
