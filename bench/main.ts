// `npm run bench`: how long batch normalization takes beside copying the same tensor. `npm run bench -- --help` lists
// the options.
import { OptionError } from "../scripts/tools/command-line.js";
import { compareRows, drawComparison } from "./report/compare.js";
import { loadCopies } from "./measure/copy.js";
import { measureFixed } from "./measure/fixed.js";
import { runLaunches } from "./measure/launches.js";
import { HELP, parseOptions, type Options } from "./options.js";
import { planGroups } from "./plan.js";
import { checkQuiet } from "./quiet.js";
import { showProgress } from "./report/progress.js";
import { print, printResults, writeOutputs } from "./report/report.js";
import { here, readResults, type Results } from "./report/results.js";
import type { Row } from "./report/rows.js";
import { wantsFixed } from "./selection.js";

async function timeRows(options: Options, groups: number): Promise<Row[]> {
  const progress = showProgress(groups * options.launches);
  try {
    return await runLaunches(options, progress.done);
  } finally {
    progress.stop();
  }
}

/** All there is to measure; what belongs to an unselected part is left out. */
async function timeAll(options: Options): Promise<Results> {
  const groups = planGroups(options);
  if (groups.length === 0 && !wantsFixed(options.selection)) throw new OptionError("--only leaves nothing to time");
  checkQuiet(options.quietCheck, print);
  const { missing } = loadCopies();
  if (missing !== undefined)
    print(`No native copies: ${missing}. Ratios are to y.set(x) on one thread, and no pass reads y.`);
  const fixed = wantsFixed(options.selection) ? await measureFixed(options) : null;
  const rows = groups.length > 0 ? await timeRows(options, groups.length) : [];
  return { environment: here(), fixed, rows };
}

async function run(options: Options): Promise<void> {
  const start = performance.now();
  const before = options.compare === null ? null : readResults(options.compare);
  const results = options.from === null ? await timeAll(options) : readResults(options.from);
  printResults(results);
  await writeOutputs(options, results);
  if (before !== null) print(`\n${drawComparison(compareRows(before.rows, results.rows), options.compare!)}`);
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
