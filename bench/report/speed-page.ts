// --markdown: the figures of a run, written between two marks of a page whose prose is written by hand.
import { readFileSync, writeFileSync } from "node:fs";
import { OptionError } from "../../scripts/tools/command-line.js";
import { describeFixed } from "../measure/fixed.js";
import { relativeSections } from "./relatives.js";
import { describe, type Results } from "./results.js";
import { byContender, contenderOf, groupBy, isOrdinary, isYardstick, oneAndMost, worst, type Row } from "./rows.js";
import { sizeSections } from "./sizes.js";
import { isSweep } from "../sweep.js";
import { markdownTable, milliseconds, type Section } from "./table.js";

const BEGIN = "<!-- figures: written by npm run bench -- --markdown -->";
const END = "<!-- end of figures -->";

/** The better of plain and streaming stores on one thread, as a multiple of the copy. */
function floorOf(rows: readonly Row[]): string {
  const ways = groupBy(
    rows.filter(({ op, threads }) => op.endsWith("floor") && threads === 1),
    ({ backend }) => backend,
  );
  if (ways.size === 0) return "–";
  return Math.min(...[...ways.values()].map((way) => worst(way).copyRatio)).toFixed(2);
}

/** Two cells for each contender: its time, and that as a multiple of the copy's. */
function cellsOf(rows: readonly Row[], contenders: readonly string[]): string[] {
  return contenders.flatMap((name) => {
    const own = rows.filter((row) => contenderOf(row) === name);
    if (own.length === 0) return ["–", "–"];
    const { medianMs, copyRatio } = worst(own);
    return [milliseconds(medianMs), copyRatio.toFixed(2)];
  });
}

/** All shapes in one table, outputs given, plain float32; of several kinds of data the worst counts. */
function shapeSection(all: readonly Row[], isShown: (row: Row) => boolean): Section[] {
  const rows = all.filter((row) => !isSweep(row) && isOrdinary(row) && row.out === "given");
  const timed = oneAndMost(rows.filter((row) => !isYardstick(row.op) && row.op !== "forward+read" && isShown(row)));
  if (timed.length === 0) return [];
  const contenders = [...groupBy([...timed].sort(byContender), contenderOf).keys()];
  const lines = [...groupBy(timed, ({ op, shape, layout }) => `${op} ${shape} ${layout}`).values()].map((own) => {
    const { op, shape, layout } = own[0]!;
    const floors = rows.filter((row) => row.op === `${op} floor` && row.shape === shape && row.layout === layout);
    return [op, shape, layout.replace("channels-", ""), floorOf(floors), ...cellsOf(own, contenders)];
  });
  return [
    {
      title: "All shapes beside a copy: float32",
      head: ["op", "shape", "channels", "floor", ...contenders.flatMap((name) => [`${name}: ms`, "× copy"])],
      rows: lines,
    },
  ];
}

/** One tensor from memory and one that a cache holds: what types and weights cost elsewhere is between the two. */
const RELATIVE_SHAPES = ["A", "B"];

/** The figures as Markdown, without the marks around them: a selection that a page can hold. */
export function figuresOf({ environment, fixed, rows }: Results): string {
  const isShown = ({ backend }: Row): boolean => backend === environment.backend || backend === "wasm";
  const relative = rows.filter((row) => isShown(row) && row.threads === 1 && RELATIVE_SHAPES.includes(row.shape));
  const sections = [
    ...shapeSection(rows, isShown),
    ...sizeSections(oneAndMost(rows.filter(isOrdinary))),
    ...relativeSections(relative.filter(({ op }) => op !== "forward+read")),
  ];
  return [
    `Machine: ${describe(environment)}.`,
    ...(fixed ? [describeFixed(fixed)] : []),
    ...sections.map((section) => `**${section.title}**\n\n${markdownTable(section)}`),
  ].join("\n\n");
}

/** @throws OptionError where the page has no marks. */
export function writeFigures(file: string, results: Results): void {
  const page = readFileSync(file, "utf8");
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) throw new OptionError(`--markdown needs a page with "${BEGIN}" and "${END}", got ${file}`);
  writeFileSync(file, `${page.slice(0, from + BEGIN.length)}\n\n${figuresOf(results)}\n\n${page.slice(to)}`);
}
