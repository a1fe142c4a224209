// The section on variants of the normalizing layer.
import { AFFINE, EPSILONS, MOMENTA, PAIR } from "../../experiments/experiments.js";
import { cell, compared, inPercent, verdict, type Group, type Groups } from "../groups.js";
import type { Section } from "../section.js";
import { NAMES } from "../sides.js";

export function variants(groups: Groups): Section {
  const of = (label: string): Group => groups.of("variants", label);
  const relu = of("relu, γ and β");
  const rows = [
    ...PAIR.flatMap((activation) => [
      ...Object.keys(AFFINE).map(
        (name) => [NAMES[activation], name, of(`${activation}, ${name}`), of(`${activation}, γ and β`)] as const,
      ),
      [NAMES[activation], "after the activation", of(`${activation}, after`), of(`${activation}, γ and β`)] as const,
    ]),
    ...EPSILONS.slice(1).map((eps) => ["ReLU", `ε ${eps}`, of(`relu, ε ${eps}`), relu] as const),
    ...MOMENTA.filter((momentum) => momentum !== 0.1).map(
      (momentum) => ["ReLU", `momentum ${momentum}`, of(`relu, momentum ${momentum}`), relu] as const,
    ),
  ];
  return {
    title: "Variants of the layer",
    claim:
      "The paper normalizes before the activation, with γ and β; the library's defaults are ε 1e-5 and momentum 0.1.",
    done: `Rate 0.1, batch 60, ${groups.size.usual} steps. Each row but the first of its units differs from that first one in one thing.`,
    verdicts: rows
      .filter(([, , group, base]) => group !== base)
      .map(([units, name, group, base]) =>
        verdict([group, base], () => `${units}, ${name}: ${compared(group, base)}.`),
      ),
    tables: [
      {
        head: ["units", "variant", "held-out, %"],
        rows: rows.map(([units, name, group]) => [units, name, cell(group, inPercent, 2)]),
      },
    ],
    pictures: [],
  };
}
