// --html: a page that needs nothing else, charts first, then all tables.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { escape, figure, page, table } from "../../scripts/tools/page.js";
import { chartsOf } from "../charts/charts.js";
import { describeFixed } from "../measure/fixed.js";
import { relativeSections } from "./relatives.js";
import { describe, type Results } from "./results.js";
import { sizeSections } from "./sizes.js";
import { shapeSections, type Section } from "./table.js";

function paragraph(text: string): string {
  return `<p class="note">${escape(text)}</p>`;
}

function part(heading: string, sections: readonly Section[]): string[] {
  if (sections.length === 0) return [];
  return [`<h2>${escape(heading)}</h2>`, ...sections.map((one) => `<h3>${escape(one.title)}</h3>${table(one)}`)];
}

export function pageOf({ environment, fixed, rows }: Results): string {
  const body = [
    paragraph(describe(environment)),
    ...(fixed ? [paragraph(describeFixed(fixed))] : []),
    ...chartsOf(rows).flatMap(({ title, svg, caption }) => [`<h2>${title}</h2>`, figure(svg, caption)]),
    ...part("Time per value", sizeSections(rows)),
    ...part("Other types and calls", relativeSections(rows)),
    ...part("Shapes", shapeSections(rows)),
  ];
  return page("batchnorm: benchmark", body.join("\n"));
}

export function writePage(file: string, results: Results): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, pageOf(results));
}
