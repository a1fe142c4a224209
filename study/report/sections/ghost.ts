// The section on ghost batches: a large batch as a whole, and cut into virtual batches.
import { FEW, FEW_SMALL, GHOSTS, LARGE, RAISED, SMALL } from "../../experiments/whose-statistics.js";
import { RATE } from "../../experiments/networks.js";
import { COLOURS, overSteps, panelChart, type Line } from "../charts.js";
import {
  byStatistics,
  byUpdate,
  cell,
  compared,
  meanOf,
  percent,
  verdict,
  type Group,
  type Groups,
  type Measure,
} from "../groups.js";
import type { Section } from "../section.js";
import { ACCURACY } from "../sides.js";

const CUTS = ["whole", ...GHOSTS.map((size) => `ghosts of ${size}`)];
const CUT_COLOURS = [COLOURS.without, COLOURS.third, COLOURS.with, COLOURS.fourth];

/** On the training digits, at the end. */
const onTraining: Measure = ({ curve }) => 100 * (curve.training?.at(-1) ?? NaN);

/** A large batch, whole and cut, and the small batch that it is measured against. */
interface Compared {
  readonly title: string;
  readonly cuts: readonly Group[];
  readonly small: Group;
  readonly smallSize: number;
}

/** Whether the large batch is behind, and whether cutting it helps. */
function say({ title, cuts, small, smallSize }: Compared): string {
  return verdict([...cuts, small], () => {
    const [whole, ...ghosts] = cuts as [Group, ...Group[]];
    const higher = GHOSTS.filter((_, i) => meanOf(ghosts[i]!) > meanOf(whole));
    const best = ghosts.reduce((a, b) => (meanOf(b) > meanOf(a) ? b : a));
    const size = GHOSTS[ghosts.indexOf(best)]!;
    return `${title}: beside batches of ${smallSize}, the whole batch, with ${percent(whole)}, is ${compared(whole, small)}. The mean is higher than that of the whole batch for ${higher.length > 0 ? `ghosts of ${higher.join(", ")}` : "no ghosts"}; beside it, the best, ghosts of ${size}, are ${compared(best, whole)}.`;
  });
}

/** A row of the table. The points of the experiment on batches have the population's statistics under another name. */
function rowOf(group: Group, normalizedBy: string): string[] {
  const { digits, batch, rate, steps } = group.settings;
  const population = group.settings.follow?.includes("population") ? byUpdate("inOrder") : byStatistics("population");
  return [
    digits === undefined ? "all" : `${digits}`,
    `${steps}`,
    `${batch}`,
    `${rate}`,
    normalizedBy,
    digits === undefined ? "" : cell(group, onTraining),
    cell(group),
    cell(group, population),
  ];
}

function linesOf({ cuts, small, smallSize }: Compared): Line[] {
  const line = (name: string, colour: string, group: Group, dashed = false): Line => ({
    name,
    colour,
    dashed,
    data: overSteps(group, ({ accuracy }, i) => 100 * accuracy[i]!),
  });
  const isFew = smallSize === FEW_SMALL;
  return [
    ...CUTS.map((name, i) => line(name, CUT_COLOURS[i]!, cuts[i]!)),
    // At equal epochs the small batch takes more steps, which would not fit the axis.
    ...(isFew ? [line(`batches of ${smallSize}`, COLOURS.without, small, true)] : []),
  ];
}

export function ghost(groups: Groups): Section {
  const cutsOf = (label: string): Group[] => CUTS.map((name) => groups.of("ghost", `${label}, ${name}`));
  const small = groups.of("batch", `equal epochs, batch ${SMALL}, with`);
  const large: Compared[] = [RATE, RAISED].map((rate) => ({
    title: `batches of ${LARGE} at rate ${rate}`,
    cuts: cutsOf(`rate ${rate}`),
    small,
    smallSize: SMALL,
  }));
  const few: Compared = {
    title: `${FEW} digits in one batch`,
    cuts: cutsOf("few digits"),
    small: groups.of("ghost", "few digits, small batch"),
    smallSize: FEW_SMALL,
  };
  const all = [...large, few];
  return {
    title: "Ghost batches",
    claim: "Hoffer et al. (2017): large batches generalize less well, and statistics of small virtual batches help.",
    done: `ReLU. ${groups.size.epochs} epochs in batches of ${LARGE}, beside the batches of ${SMALL} of the section on sizes; the higher rate is that of the paper, raised by the root of the ratio of the batches. And ${few.small.settings.steps} steps on ${FEW} training digits, where all training digits are learned by heart, so that what is held out is what generalizes. Every virtual batch moves the running statistics. In order: with the statistics of the population, of \`updateStatistics\`; for batches of ${SMALL}, those of 10 000 digits at once.`,
    verdicts: all.map(say),
    tables: [
      {
        head: ["digits", "steps", "batch", "rate", "normalized by", "training, %", "held-out, %", "in order, %"],
        rows: [
          rowOf(small, "whole"),
          ...large.flatMap(({ cuts }) => cuts.map((group, i) => rowOf(group, CUTS[i]!))),
          rowOf(few.small, "whole"),
          ...few.cuts.map((group, i) => rowOf(group, CUTS[i]!)),
        ],
      },
    ],
    pictures: [
      {
        name: "ghost",
        svg: panelChart(
          all.map((each) => ({ title: each.title, lines: linesOf(each) })),
          { x: "steps", y: ACCURACY, min: 70, max: 100 },
        ),
        caption: "Held-out accuracy over the steps, whole batches and ghost batches; the bands hold all seeds.",
      },
    ],
  };
}
