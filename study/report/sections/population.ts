// The section on the statistics of inference: running ones beside those of the population.
import { POPULATION_MOMENTA, RENORM_MOMENTA, SHORT_STEPS } from "../../experiments/whose-statistics.js";
import { byUpdate, cell, compared, verdict, type Group, type Groups } from "../groups.js";
import type { Section } from "../section.js";
import { HARD, normalizedOf } from "./renorm.js";

const STATISTICS = ["running", "together", "inOrder", "batch"] as const;
const [running, together, inOrder] = [byUpdate("running"), byUpdate("together"), byUpdate("inOrder")];

/** Trainings that differ in their momentum alone, and so in their running statistics alone. */
interface Row {
  readonly title: string;
  readonly byMomentum: readonly (readonly [momentum: number, group: Group])[];
}

function rowsOf(groups: Groups): Row[] {
  const short = SHORT_STEPS.map((steps) => ({
    title: `${steps} steps`,
    byMomentum: POPULATION_MOMENTA.map(
      (momentum) => [momentum, groups.of("population", `${steps} steps, momentum ${momentum}`)] as const,
    ),
  }));
  const hard = HARD.map((batches) => ({
    title: batches,
    byMomentum: RENORM_MOMENTA.map((momentum) => [momentum, normalizedOf(groups, batches, "plain", momentum)] as const),
  }));
  return [...short, ...hard];
}

function say({ title, byMomentum }: Row): string {
  const all = byMomentum.map(([, group]) => group);
  return verdict(all, () => {
    const each = byMomentum.map(
      ([momentum, group]) => `of momentum ${momentum}, ${compared(group, group, inOrder, running)}`,
    );
    // Plain batch normalization does not read its running statistics, so all have the same population.
    const [first] = all;
    return `${title}: statistics in order are, beside running ones ${each.join("; ")}; and beside those taken together, ${compared(first!, first!, inOrder, together)}.`;
  });
}

export function population(groups: Groups): Section {
  const rows = rowsOf(groups);
  return {
    title: "Statistics of the population",
    claim:
      "The paper's Algorithm 2, and Wu & Johnson (2021): inference needs the statistics of the training data, which running ones only follow.",
    done: `ReLU, rate 0.1. Short trainings with batches of 60, and the batch normalizations of the section on renormalization, of ${groups.size.equalSteps} steps. \`updateStatistics\` goes over 10 000 training digits, of small batches 1000, in batches like the training's: together, in one pass in which every layer normalizes with its batch, and in order, with a pass for each layer behind those that have their new statistics.`,
    verdicts: rows.map(say),
    tables: [
      {
        head: ["training", "momentum", "running, %", "together, %", "in order, %", "batch, %"],
        rows: rows.flatMap(({ title, byMomentum }) =>
          byMomentum.map(([momentum, group]) => [
            title,
            `${momentum}`,
            ...STATISTICS.map((name) => cell(group, byUpdate(name))),
          ]),
        ),
      },
    ],
    pictures: [],
  };
}
