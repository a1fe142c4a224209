// Sections on how fast networks train: Figure 1 of the paper, a lesson, and steps to an accuracy.
import { mean } from "../../../examples/digits/network/evaluate.js";
import { PAIR } from "../../experiments/experiments.js";
import { LESSON_ROWS } from "../../experiments/lesson.js";
import { SIDES } from "../../experiments/plan.js";
import type { Point } from "../../training/point.js";
import { COLOURS, overSteps, panelChart, type Panel } from "../charts.js";
import { cell, inPercent, meanOf, percent, verdict, type Group, type Groups, type Measure } from "../groups.js";
import type { Section } from "../section.js";
import { ACCURACY, accuracyLines, NAMES, sidesOf, type Sides } from "../sides.js";

/** The first evaluated step with at least this accuracy. */
function stepsTo(percent: number): Measure {
  return ({ curve }: Point) => curve.steps[curve.accuracy.findIndex((value) => 100 * value >= percent)];
}

function speedSentence({ without, with: normalized }: Sides, percent: number): string {
  const [slow, fast] = [meanOf(without, stepsTo(percent)), meanOf(normalized, stepsTo(percent))];
  if (Number.isNaN(fast)) return `the network with normalization never reached ${percent} %`;
  if (Number.isNaN(slow))
    return `with normalization ${percent} % were reached after ${fast.toFixed(0)} steps, without it never`;
  const times = `${(slow / fast).toFixed(1)} times as many steps`;
  return `${percent} % took ${fast.toFixed(0)} steps with normalization and ${slow.toFixed(0)} without, ${times}`;
}

/** How far the median that enters a unit wandered, averaged over units and seeds. */
function wandering({ points }: Group): number {
  return mean(
    points.flatMap(({ curve: { percentiles = [] } }) =>
      (percentiles[0] ?? []).map((_, unit) => {
        const medians = percentiles.map((units) => units[unit]![1]!);
        return Math.max(...medians) - Math.min(...medians);
      }),
    ),
  );
}

function percentilePanel(title: string, group: Group, colour: string): Panel {
  const unit = 0;
  const lines = ["15th", "50th", "85th"].map((name, i) => ({
    name: `${name} percentile`,
    colour,
    dashed: i !== 1,
    data: overSteps(group, ({ percentiles }, at) => percentiles?.[at]?.[unit]?.[i]),
  }));
  return { title, lines };
}

export function figure1(groups: Groups): Section {
  const sides = sidesOf(groups, "figure1", "sigmoid");
  const both = Object.values(sides);
  const { steps } = sides.with.settings;
  return {
    title: "Figure 1 of the paper",
    claim: "Ioffe & Szegedy (2015): the network trains faster and ends higher, and what enters a unit stays stable.",
    done: `784–100–100–100–10 sigmoid units, batch 60, rate 0.1, ${steps} steps, one seed. The paper states no rate.`,
    verdicts: [
      verdict(
        both,
        () =>
          `At the end: ${percent(sides.without)} without, ${percent(sides.with)} with. On the way, ${speedSentence(sides, 90)}.`,
      ),
      verdict(both, () => {
        const [without, normalized] = [wandering(sides.without), wandering(sides.with)];
        return `The median that enters a unit of the last hidden layer ranged over ${without.toFixed(2)} without normalization and ${normalized.toFixed(2)} with it (mean of three units): ${normalized < without ? "it was more stable with" : "it was not more stable with"} normalization.`;
      }),
    ],
    tables: [],
    pictures: [
      {
        name: "figure1-accuracy",
        svg: panelChart([{ title: "accuracy", lines: accuracyLines(sides) }], {
          x: "steps",
          y: ACCURACY,
          min: 0,
          max: 100,
        }),
        caption: "Held-out accuracy over the steps, without and with batch normalization.",
      },
      {
        name: "figure1-percentiles",
        svg: panelChart(
          SIDES.map((side) => percentilePanel(side, sides[side], COLOURS[side])),
          { x: "steps", y: "input of the unit" },
        ),
        caption: "Percentiles of what enters the first unit of the last hidden layer, without and with.",
      },
    ],
  };
}

export function lesson(groups: Groups): Section {
  const rows = LESSON_ROWS.map((row) => ({ row, sides: sidesOf(groups, "lesson", row.label) }));
  const all = rows.flatMap(({ sides }) => Object.values(sides));
  const { steps } = all[0]!.settings;
  return {
    title: "A published lesson, trained again",
    claim: "Udacity's Batch Normalization Lesson: high rates and bad initial weights are harmless with normalization.",
    done: `The lesson's network, weights, ε and momentum; batch 60, ${steps} steps, 60 000 training digits (the lesson's 55 000).`,
    verdicts: [
      verdict(all, () => {
        const higher = rows.filter(({ sides }) => meanOf(sides.with) > meanOf(sides.without)).length;
        const near = rows.flatMap(({ row, sides }) =>
          SIDES.filter((side) => row.published[side].some((value) => Math.abs(value - meanOf(sides[side])) < 2)),
        ).length;
        return `The network with normalization ended higher in ${higher} of ${rows.length} rows. ${near} of ${2 * rows.length} results are within 2 points of the lesson's.`;
      }),
    ],
    tables: [
      {
        head: ["units", "rate", "σ", "lesson,\nwithout", "here,\nwithout", "lesson,\nwith", "here,\nwith"],
        rows: rows.map(({ row, sides }) => [
          NAMES[row.activation],
          `${row.rate}`,
          `${row.initialStd}`,
          ...SIDES.flatMap((side) => [row.published[side].join(", "), cell(sides[side], inPercent, 2)]),
        ]),
      },
    ],
    pictures: [],
  };
}

export function speed(groups: Groups): Section {
  const each = PAIR.map((name) => ({ name, sides: sidesOf(groups, "speed", name) }));
  const levels = [90, 95, 97];
  return {
    title: "Faster training",
    claim: "The lecture and the paper: with normalization fewer steps are needed.",
    done: `Rate 0.1, batch 60, ${each[0]!.sides.with.settings.steps} steps. The steps are those of the first evaluation with at least that accuracy, on 2000 of the test digits.`,
    verdicts: each.map(({ name, sides }) =>
      verdict(Object.values(sides), () => `${NAMES[name]}: ${speedSentence(sides, 90)}; ${speedSentence(sides, 97)}.`),
    ),
    tables: [
      {
        head: ["units", "normalization", ...levels.map((level) => `steps to\n${level} %`), "accuracy at\nthe end, %"],
        rows: each.flatMap(({ name, sides }) =>
          SIDES.map((side) => [
            NAMES[name],
            side,
            ...levels.map((level) => cell(sides[side], stepsTo(level), 0)),
            cell(sides[side], inPercent, 2),
          ]),
        ),
      },
    ],
    pictures: [
      {
        name: "speed",
        svg: panelChart(
          each.map(({ name, sides }) => ({ title: NAMES[name], lines: accuracyLines(sides) })),
          { x: "steps", y: ACCURACY, min: 0, max: 100 },
        ),
        caption: "Held-out accuracy over the steps; the bands hold all seeds.",
      },
    ],
  };
}
