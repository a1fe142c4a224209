// Writes the report: an HTML page that needs nothing else, a Markdown page for reading on GitHub, and the pictures.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { escape, figure, page, table, type Cells } from "../../scripts/tools/page.js";
import { EXPERIMENTS, experimentsOf, FIXED, type ExperimentName } from "../experiments/experiments.js";
import { hashOf, planOf } from "../experiments/plan.js";
import type { Size } from "../experiments/sizes.js";
import type { Point } from "../training/point.js";
import { Groups } from "./groups.js";
import type { Section } from "./section.js";
import { batch, classes } from "./sections/batches.js";
import { ghost } from "./sections/ghost.js";
import { population } from "./sections/population.js";
import { regularization } from "./sections/regularization.js";
import { renorm } from "./sections/renorm.js";
import { shift } from "./sections/shift.js";
import { variants } from "./sections/variants.js";
import { convolution, rates, weights } from "./sections/sweeps.js";
import { figure1, lesson, speed } from "./sections/training.js";

const SECTIONS: Readonly<Record<ExperimentName, (groups: Groups) => Section>> = {
  figure1,
  lesson,
  speed,
  rates,
  weights,
  regularization,
  shift,
  batch,
  classes,
  ghost,
  renorm,
  population,
  variants,
  convolution,
};

const TITLE = "Batch normalization on MNIST: every claim, measured";
const PICTURES = "pictures";
/** Pictures that pages of docs/ show. The package has these pages, and not the study. */
const SHOWN = [
  "figure1-percentiles",
  "speed",
  "rates",
  "weights",
  "regularization",
  "shift-accuracy",
  "batch",
  "renorm",
];

/** The pictures that docs/ shows: the files in the study, and those in docs/. */
export function shownIn(out: string, docs: string): (readonly [from: string, to: string])[] {
  return SHOWN.map((name) => [join(out, PICTURES, `${name}.svg`), join(docs, `study-${name}.svg`)]);
}

/** What was run of what was planned. */
function overview(groups: Groups): Cells {
  const rows = experimentsOf(groups.size).map(({ name, variants: all }) => {
    const own = all.map(({ label }) => groups.of(name as ExperimentName, label));
    const steps = own.map(({ settings }) => settings.steps);
    const [least, most] = [Math.min(...steps), Math.max(...steps)];
    const done = own.reduce((sum, { points }) => sum + points.length, 0);
    const planned = own.reduce((sum, group) => sum + group.planned, 0);
    return [name, `${own.length}`, least === most ? `${least}` : `${least}–${most}`, `${done} of ${planned}`];
  });
  return { head: ["experiment", "variants", "steps", "points that were run"], rows };
}

/** Every value that a property of the points has. */
function distinct(points: readonly Point[], of: (point: Point) => string): string {
  return [...new Set(points.map(of))].sort().join("; ") || "none";
}

function introduction(groups: Groups): string[] {
  const points = groups.all.flatMap((group) => group.points);
  const plan = hashOf(planOf(experimentsOf(groups.size), groups.size.seeds));
  const versions = distinct(points, (point) =>
    Object.entries(point.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  );
  return [
    "Networks are trained on the 60 000 training digits of MNIST by plain stochastic gradient descent on softmax cross-entropy, and tested on the 10 000 test digits. Without and with normalization, a pair starts from the same weights and sees the same batches. Accuracies are in percent: the mean over the seeds ± their standard deviation. Curves are evaluated on 2000 of the test digits, and what is said of the end on all.",
    `All settings were fixed on ${FIXED}, before any of them was run, and nothing was tuned afterwards. Ghost batches, batch renormalization and population statistics were added on the same day, when the results of the others were known and before any of theirs was; their lengths were cut once, for want of time, when eleven of their points had been run. The SHA-256 of the plan is ${plan}. What does not hold is said not to hold. “Diverged” means that a parameter became infinite or NaN; such a network names every digit 0.`,
    `Run with: ${versions}. Normalization ran on: ${distinct(
      points.filter(({ settings }) => settings.norm !== null),
      ({ backend }) => backend,
    )}. Dates: ${distinct(points, ({ date }) => date)}. The results folder has every point with its settings, seed, versions, backend and the SHA-256 of its trained parameters.`,
  ];
}

function htmlOf(groups: Groups, sections: readonly Section[]): string {
  const text = (paragraph: string): string => `<p>${escape(paragraph)}</p>`;
  const bodies = sections.map(({ title, claim, done, verdicts, tables, pictures }) =>
    [
      `<h2>${escape(title)}</h2>`,
      `<p><b>Claim.</b> ${escape(claim)}</p>`,
      `<p class="note">${escape(done)}</p>`,
      `<ul>${verdicts.map((verdict) => `<li>${escape(verdict)}</li>`).join("")}</ul>`,
      ...tables.map(table),
      ...pictures.map(({ svg, caption }) => figure(svg, caption)),
    ].join("\n"),
  );
  return page(TITLE, [...introduction(groups).map(text), table(overview(groups)), ...bodies].join("\n"));
}

function markdownTable({ head, rows }: Cells): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("\n", " ")).join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...rows.map(row)].join("\n");
}

function markdownOf(groups: Groups, sections: readonly Section[]): string {
  const bodies = sections.flatMap(({ title, claim, done, verdicts, tables, pictures }) => [
    `## ${title}`,
    `**Claim.** ${claim}`,
    done,
    verdicts.map((verdict) => `- ${verdict}`).join("\n"),
    ...tables.map(markdownTable),
    ...pictures.map(({ name, caption }) => `![${caption}](${PICTURES}/${name}.svg)`),
  ]);
  const note = "This page is written by `npm run study`. [README.md](README.md) says how.";
  return `${[`# ${TITLE}`, note, ...introduction(groups), markdownTable(overview(groups)), ...bodies].join("\n\n")}\n`;
}

/** Writes all of it into `out`; returns the HTML page's path. */
export function writeReport(out: string, points: ReadonlyMap<string, Point>, size: Size): string {
  const groups = new Groups(points, size);
  const sections = EXPERIMENTS.map((name) => SECTIONS[name](groups));
  mkdirSync(join(out, PICTURES), { recursive: true });
  for (const { name, svg } of sections.flatMap(({ pictures }) => pictures)) {
    writeFileSync(join(out, PICTURES, `${name}.svg`), `${svg}\n`);
  }
  writeFileSync(join(out, "results.md"), markdownOf(groups, sections));
  const file = join(out, "report.html");
  writeFileSync(file, htmlOf(groups, sections));
  return file;
}
