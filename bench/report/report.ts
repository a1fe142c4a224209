// What a run shows: tables on the terminal, and the files that were asked for.
import { describeFixed } from "../measure/fixed.js";
import type { Options } from "../options.js";
import { relativeSections } from "./relatives.js";
import { describe, writeResults, type Results } from "./results.js";
import { sizeSections } from "./sizes.js";
import { writeFigures } from "./speed-page.js";
import { drawSections, shapeSections } from "./table.js";

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function printResults({ environment, fixed, rows }: Results): void {
  print(describe(environment));
  if (fixed) print(describeFixed(fixed));
  const shapes = shapeSections(rows);
  for (const sections of [shapes, relativeSections(rows), sizeSections(rows)])
    if (sections.length > 0) print(`\n${drawSections(sections)}`);
  if (shapes.length === 0) return;
  const yardstick = rows.find(({ op }) => op === "copy")?.backend ?? "y.set(x)";
  print(
    `\nRatio: the median time divided by that of copying x to y (${yardstick}) on as many threads, in turns. Of gaussian,\n` +
      "smooth and relu data, the worst ratio is shown. Floor: passes over the same memory that compute next to nothing.\n" +
      "Fresh: without an output array. Threads: the number that a call used; a number that was allowed and not used is not\n" +
      "timed again. The bits of the results were checked on these tensors.",
  );
}

type Outputs = Pick<Options, "json" | "html" | "charts" | "markdown">;

/** ECharts takes a good part of a second to load: only where something is drawn. */
export async function writeOutputs({ json, html, charts, markdown }: Outputs, results: Results): Promise<void> {
  if (json !== null) {
    writeResults(json, results);
    print(`${results.rows.length} rows: ${json}`);
  }
  if (html !== null) {
    const { writePage } = await import("./page.js");
    writePage(html, results);
    print(`Charts and tables: ${html}`);
  }
  if (charts !== null) {
    const { writeCharts } = await import("../charts/charts.js");
    print(`Charts: ${writeCharts(charts, results.rows).join(", ") || "none, for lack of rows"}`);
  }
  if (markdown !== null) {
    writeFigures(markdown, results);
    print(`Figures: ${markdown}`);
  }
}
