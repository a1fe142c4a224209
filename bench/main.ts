// `npm run bench`: how long batch normalization takes beside copying the same tensor. `npm run bench -- --help` lists
// the options.
import { writeFileSync } from "node:fs";
import { compareRows, drawComparison, readRows } from "./compare.js";
import { yardstick } from "./cases.js";
import { loadCopies } from "./copy.js";
import { describeFixed, measureFixed, type FixedCosts } from "./fixed.js";
import { runLaunches } from "./launches.js";
import { HELP, parseOptions, type Options } from "./options.js";
import { OptionError } from "../scripts/command-line.js";
import { planGroups } from "./plan.js";
import { showProgress } from "./progress.js";
import { describe, here } from "./results.js";
import type { Row } from "./rows.js";
import { wantsFixed } from "./selection.js";
import { drawRows } from "./table.js";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function timeRows(options: Options, groups: number): Promise<Row[]> {
  const progress = showProgress(groups * options.launches);
  try {
    return await runLaunches(options, progress.done);
  } finally {
    progress.stop();
  }
}

function printRows(rows: readonly Row[], copies: ReturnType<typeof loadCopies>): void {
  print(`\n${drawRows(rows)}\n`);
  print(
    `Ratio: median by that of copying x to y (${yardstick(copies)}) on as many threads, in turns with it. Of gaussian,\n` +
      "smooth and relu data the worst ratio stands here. Floor: passes over the same memory that compute next to nothing.\n" +
      "Fresh: without out. Threads: those the calls used; a count that was allowed and not used is not timed again. The\n" +
      "bits were checked on these tensors.",
  );
  if (copies.missing !== undefined)
    print(`No native copies: ${copies.missing}. Ratios are to y.set(x) on one thread, and no pass reads y.`);
}

/** All there is to measure; what belongs to an unselected part is left out. */
async function run(options: Options): Promise<void> {
  const start = performance.now();
  const before = options.compare === null ? null : readRows(options.compare);
  const groups = planGroups(options);
  if (groups.length === 0 && !wantsFixed(options.selection)) throw new OptionError("--only leaves nothing to time");
  const environment = here();
  print(describe(environment));
  const copies = loadCopies();
  let fixed: FixedCosts | null = null;
  if (wantsFixed(options.selection)) {
    fixed = await measureFixed(options);
    print(describeFixed(fixed));
  }
  const rows = groups.length > 0 ? await timeRows(options, groups.length) : [];
  if (rows.length > 0) printRows(rows, copies);
  if (options.json !== null) {
    writeFileSync(options.json, `${JSON.stringify({ environment, fixed, rows }, null, 1)}\n`);
    print(`${rows.length} rows: ${options.json}`);
  }
  if (before !== null) print(`\n${drawComparison(compareRows(before, rows), options.compare!)}`);
  print(`${((performance.now() - start) / 1000).toFixed(0)} s`);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options) await run(options);
  else process.stdout.write(HELP);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof OptionError ? 2 : 1;
}
