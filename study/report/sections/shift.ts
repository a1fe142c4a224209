// The section on internal covariate shift, and on the doubts about it.
import { mean } from "../../../examples/digits/network/evaluate.js";
import { PAIR } from "../../experiments/experiments.js";
import { COLOURS, overSteps, panelChart, type Line } from "../charts.js";
import { cell, compared, meanOf, verdict, type Group, type Groups, type Measure } from "../groups.js";
import type { Section } from "../section.js";
import { ACCURACY, NAMES } from "../sides.js";

function averaged(values: readonly (readonly (number | null)[])[] | undefined): number {
  return mean((values ?? []).flat().filter((value) => value !== null));
}

/** Averages over the layers and the followed steps. */
const meanDrift: Measure = ({ curve }) => averaged(curve.meanDrift);
const deviationDrift: Measure = ({ curve }) => averaged(curve.deviationDrift);
const gradientChange: Measure = ({ curve }) => curve.gradientChange && averaged([curve.gradientChange]);
const smoothness: Measure = ({ curve }) => curve.smoothness && averaged([curve.smoothness]);

function shiftVerdicts(name: string, without: Group, normalized: Group, noisy: Group): string[] {
  const times = (a: Group, b: Group, measure: Measure): string =>
    (meanOf(a, measure) / meanOf(b, measure)).toPrecision(2);
  return [
    verdict([without, normalized, noisy], () => {
      const still = meanOf(noisy) > meanOf(without) ? "still trained better than" : "did not train better than";
      return `${name}: a step moved the mean that enters a layer ${times(normalized, without, meanDrift)} times as far with normalization as without, and ${times(noisy, without, meanDrift)} times as far with normalization and noise. The noisy network ${still} the one without: ${compared(noisy, without)}.`;
    }),
    verdict([without, normalized], () => {
      const smaller = meanOf(normalized, gradientChange) < meanOf(without, gradientChange);
      return `${name}: one step changed the gradient by ${(100 * meanOf(without, gradientChange)).toFixed(0)} % of its length without and ${(100 * meanOf(normalized, gradientChange)).toFixed(0)} % with normalization, so gradients were ${smaller ? "more" : "not more"} predictive with it.`;
    }),
  ];
}

export function shift(groups: Groups): Section {
  const each = PAIR.map((activation) => {
    const of = (side: string): Group => groups.of("shift", `${activation}, ${side}`);
    return { name: NAMES[activation], without: of("without"), normalized: of("with"), noisy: of("with and noise") };
  });
  const lines = ({ without, normalized, noisy }: (typeof each)[number], data: (group: Group) => Line["data"]): Line[] =>
    [
      { name: "without", colour: COLOURS.without, data: data(without) },
      { name: "with", colour: COLOURS.with, data: data(normalized) },
      { name: "with, and noise", colour: COLOURS.third, data: data(noisy) },
    ].filter((line) => line.data.length > 0);
  const panels = (data: (group: Group) => Line["data"]): { title: string; lines: Line[] }[] =>
    each.map((one) => ({ title: one.name, lines: lines(one, data) }));
  return {
    title: "Internal covariate shift",
    claim:
      "The paper: normalization helps because layers' inputs shift less. Santurkar et al. (2018): it helps even when noise makes them shift more, because gradients become more predictive.",
    done: `Rate 0.1, batch 60, ${groups.size.usual} steps. Noise: after normalization, each unit's values are multiplied by up to 1.25 and moved by up to 0.5, drawn anew at every step. Drift: how far one step moves the mean of 500 held-out digits, in standard deviations of each unit, and the deviation, as a logarithm. Where a batch is normalized with its own statistics, only γ, β and the noise can move these two, so little drift is no finding by itself; whether training needs it is.`,
    verdicts: each.flatMap(({ name, without, normalized, noisy }) => shiftVerdicts(name, without, normalized, noisy)),
    tables: [
      {
        head: [
          "units",
          "normalization",
          "accuracy, %",
          "drift of\nthe mean",
          "drift of\nthe deviation",
          "gradient's\nrelative change",
          "change of gradient\nper distance",
        ],
        rows: each.flatMap(({ name, without, normalized, noisy }) =>
          [["without", without] as const, ["with", normalized] as const, ["with, and noise", noisy] as const].map(
            ([side, group]) => [
              name,
              side,
              cell(group),
              cell(group, meanDrift, 4),
              cell(group, deviationDrift, 4),
              group === noisy ? "" : cell(group, gradientChange, 3),
              group === noisy ? "" : cell(group, smoothness, 2),
            ],
          ),
        ),
      },
    ],
    pictures: [
      {
        name: "shift-accuracy",
        svg: panelChart(
          panels((group) => overSteps(group, ({ accuracy }, i) => 100 * accuracy[i]!)),
          { x: "steps", y: ACCURACY, min: 0, max: 100 },
        ),
        caption: "Held-out accuracy over the steps; the bands hold all seeds.",
      },
      {
        name: "shift-drift",
        svg: panelChart(
          panels((group) =>
            overSteps(group, ({ meanDrift }, i) => mean((meanDrift?.[i] ?? []).filter((value) => value !== null))),
          ),
          { x: "steps", y: "drift of the mean", logY: true },
        ),
        caption: "How far one step moves the mean that enters a hidden layer, in standard deviations.",
      },
      {
        name: "shift-gradients",
        svg: panelChart(
          panels((group) => overSteps(group, ({ gradientChange }, i) => gradientChange?.[i])),
          { x: "steps", y: "relative change", logY: true },
        ),
        caption: "How much the gradient changes by one step along it; less is more predictive.",
      },
    ],
  };
}
