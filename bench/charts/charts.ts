// The charts, by the names of their files.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ratiosChart } from "./ratios.js";
import { sizesChart } from "./sizes.js";
import { threadsChart } from "./threads.js";
import { typesChart } from "./types.js";
import type { CHARTS } from "../options.js";
import type { Row } from "../report/rows.js";

export interface Chart {
  readonly name: (typeof CHARTS)[number];
  readonly title: string;
  readonly svg: string;
  readonly caption: string;
}

/** As many as the rows allow. */
export function chartsOf(rows: readonly Row[]): Chart[] {
  const all = [
    { name: "sizes", title: "Time per value over size", drawn: sizesChart(rows) },
    { name: "ratios", title: "Ratio to a copy", drawn: ratiosChart(rows) },
    { name: "threads", title: "Scaling over threads", drawn: threadsChart(rows) },
    { name: "types", title: "Other types and calls beside float32", drawn: typesChart(rows) },
  ] as const;
  return all.flatMap(({ name, title, drawn }) => (drawn ? [{ name, title, ...drawn }] : []));
}

/** Writes each as NAME.svg into the folder, and tells their paths. */
export function writeCharts(folder: string, rows: readonly Row[]): string[] {
  mkdirSync(folder, { recursive: true });
  return chartsOf(rows).map(({ name, svg }) => {
    const file = join(folder, `${name}.svg`);
    writeFileSync(file, svg);
    return file;
  });
}
