// The section on batch renormalization: batches that are small, or not drawn alike.
import { HARD_BATCHES, RENORM_MOMENTA, type HardBatches } from "../../experiments/whose-statistics.js";
import { COLOURS, overSteps, panelChart, type Line, type Panel } from "../charts.js";
import { byUpdate, cell, compared, meanOf, verdict, type Group, type Groups } from "../groups.js";
import type { Section } from "../section.js";
import { ACCURACY } from "../sides.js";

const KINDS = ["plain", "renorm"] as const;
const NAMES = { plain: "batch normalization", renorm: "renormalization" } as const;
const STATISTICS = ["running", "together", "inOrder", "batch"] as const;

export const HARD = Object.keys(HARD_BATCHES) as HardBatches[];

export const normalizedOf = (
  groups: Groups,
  batches: HardBatches,
  kind: (typeof KINDS)[number],
  momentum: number,
): Group => groups.of("renorm", `${batches}, ${kind}, momentum ${momentum}`);

function withoutOf(groups: Groups, batches: HardBatches): Group {
  const more = HARD_BATCHES[batches];
  return "batch" in more
    ? groups.of("batch", `equal steps, batch ${more.batch}, without`)
    : groups.of("renorm", `${batches}, without`);
}

function say(groups: Groups, batches: HardBatches): string {
  const of = (kind: (typeof KINDS)[number]): Group[] =>
    RENORM_MOMENTA.map((momentum) => normalizedOf(groups, batches, kind, momentum));
  const [plain, renormalized] = KINDS.map(of) as [Group[], Group[]];
  const without = withoutOf(groups, batches);
  return verdict([...plain, ...renormalized, without], () => {
    const each = RENORM_MOMENTA.map(
      (momentum, i) => `at momentum ${momentum}, ${compared(renormalized[i]!, plain[i]!)}`,
    );
    const best = renormalized.reduce((a, b) => (meanOf(b) > meanOf(a) ? b : a));
    return `${batches}: beside batch normalization, renormalization is, ${each.join("; ")}. Beside the network without, the better one is ${compared(best, without)}. Beside its running statistics, those taken together are ${compared(best, best, byUpdate("together"), byUpdate("running"))}; in order, ${compared(best, best, byUpdate("inOrder"), byUpdate("running"))}.`;
  });
}

function panelOf(groups: Groups, batches: HardBatches): Panel {
  const line = (name: string, colour: string, group: Group, dashed = false): Line => ({
    name,
    colour,
    dashed,
    data: overSteps(group, ({ accuracy }, i) => 100 * accuracy[i]!),
  });
  const colours = { plain: COLOURS.with, renorm: COLOURS.third };
  return {
    title: batches,
    lines: [
      line("without", COLOURS.without, withoutOf(groups, batches)),
      ...KINDS.flatMap((kind) =>
        RENORM_MOMENTA.map((momentum, i) =>
          line(`${kind}, ${momentum}`, colours[kind], normalizedOf(groups, batches, kind, momentum), i > 0),
        ),
      ),
    ],
  };
}

export function renorm(groups: Groups): Section {
  const steps = groups.size.equalSteps;
  return {
    title: "Batch renormalization",
    claim:
      "Ioffe (2017): renormalization trains well where batches are small or not drawn alike, and costs nothing elsewhere.",
    done: `ReLU, rate 0.1, ${steps} steps. Batches of 2 and 4 digits, and batches of 60 of two digits only and of all. The limits are the paper's, for trainings that are as much shorter: batch normalization for ${steps / 8} steps, then r up to 3 at step ${steps} and d up to 5 at step ${(5 * steps) / 8}. The momentum is the library's 0.1 and the paper's 0.01. Running: the layers' own statistics; together and in order: \`updateStatistics\` over up to 10 000 training digits in up to 1000 such batches; batch: held-out digits in such batches, normalized as in training.`,
    verdicts: HARD.map((batches) => say(groups, batches)),
    tables: [
      {
        head: ["batches", "normalization", "momentum", "running, %", "together, %", "in order, %", "batch, %"],
        rows: HARD.flatMap((batches) => [
          [batches, "without", "", cell(withoutOf(groups, batches)), "", "", ""],
          ...KINDS.flatMap((kind) =>
            RENORM_MOMENTA.map((momentum) => {
              const group = normalizedOf(groups, batches, kind, momentum);
              return [batches, NAMES[kind], `${momentum}`, ...STATISTICS.map((name) => cell(group, byUpdate(name)))];
            }),
          ),
        ]),
      },
    ],
    pictures: [
      {
        name: "renorm",
        svg: panelChart(
          HARD.slice(0, 3).map((batches) => panelOf(groups, batches)),
          { x: "steps", y: ACCURACY, min: 0, max: 100 },
        ),
        caption:
          "Held-out accuracy over the steps with the running statistics; the numbers are momenta, and the bands hold all seeds.",
      },
    ],
  };
}
