// Sections on what a setting may be: learning rates, initial weights, and rates of the convolutional network.
import { CONVOLUTIONAL_RATES, DEVIATIONS, PAIR, RATES } from "../../experiments/experiments.js";
import { SIDES } from "../../experiments/plan.js";
import { COLOURS, overGroups, panelChart } from "../charts.js";
import { cell, compared, inPercent, meanOf, verdict, type Groups } from "../groups.js";
import type { Section } from "../section.js";
import { ACCURACY, accuracyLines, NAMES, sidesOf } from "../sides.js";

interface Swept {
  readonly experiment: "rates" | "weights" | "convolution";
  readonly symbol: string;
  readonly values: readonly number[];
  readonly titles: readonly (readonly [title: string, label: (value: number) => string])[];
}

/** Accuracy at the end, without and with, for the values of one setting. */
function swept(
  groups: Groups,
  { experiment, symbol, values, titles }: Swept,
): Pick<Section, "verdicts" | "tables" | "pictures"> {
  const each = titles.map(([title, label]) => ({
    title,
    rows: values.map((value) => ({ value, sides: sidesOf(groups, experiment, label(value)) })),
  }));
  return {
    verdicts: each.map(({ title, rows }) =>
      verdict(
        rows.flatMap(({ sides }) => Object.values(sides)),
        () => {
          const good = SIDES.map((side) => {
            const found = rows.filter(({ sides }) => meanOf(sides[side]) >= 90).map(({ value }) => value);
            return `${side} normalization for ${found.length > 0 ? `${symbol} ${found.join(", ")}` : `no ${symbol}`}`;
          });
          const higher = rows
            .filter(({ sides }) => meanOf(sides.with) > meanOf(sides.without))
            .map(({ value }) => value);
          return `${title}: a mean of at least 90 % was reached ${good.join(", and ")}. With normalization the mean was higher ${higher.length > 0 ? `for ${symbol} ${higher.join(", ")}` : `for no ${symbol}`}.`;
        },
      ),
    ),
    tables: [
      {
        head: ["units", symbol, "without, %", "with, %"],
        rows: each.flatMap(({ title, rows }) =>
          rows.map(({ value, sides }) => [title, `${value}`, ...SIDES.map((side) => cell(sides[side]))]),
        ),
      },
    ],
    pictures: [
      {
        name: experiment,
        svg: panelChart(
          each.map(({ title, rows }) => ({
            title,
            lines: SIDES.map((side) => ({
              name: side,
              colour: COLOURS[side],
              data: overGroups(
                rows.map(({ value, sides }) => [value, sides[side]]),
                inPercent,
              ),
            })),
          })),
          { x: symbol, y: ACCURACY, logX: true, min: 0, max: 100 },
        ),
        caption: "Held-out accuracy at the end; the bands hold all seeds.",
      },
    ],
  };
}

export function rates(groups: Groups): Section {
  const titles = PAIR.map((name) => [NAMES[name], (rate: number) => `${name}, rate ${rate}`] as const);
  return {
    title: "Learning rates",
    claim: "The lecture and the paper: with normalization much higher rates can be used.",
    done: `Weights of deviation 1/√inputs, batch 60, ${groups.size.usual} steps.`,
    ...swept(groups, { experiment: "rates", symbol: "rate", values: RATES, titles }),
  };
}

export function weights(groups: Groups): Section {
  const titles = PAIR.map((name) => [NAMES[name], (std: number) => `${name}, σ ${std}`] as const);
  return {
    title: "Initial weights",
    claim: "The lecture and the lesson: with normalization the initial weights matter less.",
    done: `All weights are Gaussian of standard deviation σ; rate 0.1, batch 60, ${groups.size.usual} steps.`,
    ...swept(groups, { experiment: "weights", symbol: "σ", values: DEVIATIONS, titles }),
  };
}

export function convolution(groups: Groups): Section {
  const titles = [["two 3×3 convolutions", (rate: number) => `rate ${rate}`]] as const;
  const { verdicts, tables } = swept(groups, {
    experiment: "convolution",
    symbol: "rate",
    values: CONVOLUTIONAL_RATES,
    titles,
  });
  const panels = CONVOLUTIONAL_RATES.map((rate) => {
    const sides = sidesOf(groups, "convolution", `rate ${rate}`);
    return { title: `rate ${rate}`, lines: accuracyLines(sides) };
  });
  const sides = sidesOf(groups, "convolution", `rate ${CONVOLUTIONAL_RATES[0]}`);
  return {
    title: "A convolutional network",
    claim: "The paper, section 3.2: statistics are taken for each channel, over all samples and places.",
    done: `Convolutions of 4 and 8 channels, each of stride 2, ReLU, a dense map; batch 60, ${groups.size.convolutional} steps.`,
    verdicts: [
      ...verdicts,
      verdict(
        Object.values(sides),
        () =>
          `At rate ${CONVOLUTIONAL_RATES[0]}, the network with normalization is ${compared(sides.with, sides.without)}.`,
      ),
    ],
    tables,
    pictures: [
      {
        name: "convolution",
        svg: panelChart(panels, { x: "steps", y: ACCURACY, min: 0, max: 100 }),
        caption: "Held-out accuracy over the steps; the bands hold all seeds.",
      },
    ],
  };
}
