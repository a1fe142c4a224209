// `npm start`: tries every claim of the lecture on handwritten digits, prints what held and writes a report.
// `npm start -- --help` lists the options.
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BackendUnavailableError, backends } from "batchnorm";
import { version as echarts } from "echarts";
import { OptionError } from "../../scripts/tools/command-line.js";
import { readAll, splitDigits } from "./data.js";
import { costOf, measureSpeed } from "./estimate.js";
import { HELP, parseOptions, type Options } from "./options.js";
import { runParallel } from "./parallel/run.js";
import { runTasks, workersFor, type Sets, type Task } from "./pool.js";
import { showProgress } from "./progress.js";
import { renderReport } from "./report.js";
import { FIXED } from "./settings.js";
import { drawTable, probeBackend } from "./summary.js";
import { findings, planTasks } from "./tour.js";
import type { Result } from "./train.js";
import { RULE } from "./verdict.js";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Fails now rather than after the training where the file cannot be written. A new file says that it will be written. */
async function checkWritable(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(file, "a");
  const { size } = await handle.stat();
  if (size === 0)
    await handle.write(
      "<p>The report is written when all trainings are done. If none is running, run npm start again.</p>\n",
    );
  await handle.close();
}

async function versions(): Promise<Record<string, string>> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return { batchnorm: version, "Node.js": process.versions.node, V8: process.versions.v8, ECharts: echarts };
}

/** Runs the longest tasks first, so that no worker is left alone with a long one at the end. */
async function runAll(tasks: readonly Task[], sets: Sets): Promise<Result[]> {
  const { training } = tasks[0]!;
  const speed = measureSpeed({ ...training, normalized: true }, sets.get(training.seed)!);
  const timed = tasks.map((task) => ({ task, cost: costOf(task, speed) })).sort((a, b) => b.cost - a.cost);
  const total = timed.reduce((sum, { cost }) => sum + cost, 0);
  const workers = workersFor(tasks.length);
  print(
    `${tasks.length} trainings, ${workers} at a time: about ${Math.ceil(total / workers / 1000 + 2)} s on this machine.`,
  );
  const done = timed.map(() => 0);
  const progress = showProgress();
  try {
    const sorted = timed.map(({ task }) => task);
    return await runTasks(sorted, sets, (index, step) => {
      done[index] = (timed[index]!.cost * step) / timed[index]!.task.training.steps;
      progress.update(done.reduce((sum, each) => sum + each, 0) / total);
    });
  } finally {
    progress.stop();
  }
}

async function run(options: Options, command: string): Promise<void> {
  const start = performance.now();
  await checkWritable(options.out);
  const ran = probeBackend(options.backend);
  if (ran.notNative !== null) print(ran.notNative);
  const all = readAll();
  const sets = new Map(options.seeds.map((seed) => [seed, splitDigits(all, seed)]));
  const results = await runAll(planTasks(options.claims, options.seeds, options.backend), sets);
  // In the order of the seeds, whichever worker was ready first.
  results.sort((a, b) => a.training.seed - b.training.seed);
  const found = findings(options.claims, results);
  print(drawTable(found, process.stdout.columns ?? 120));
  print(`\nMean ± standard deviation over the seeds; n× counts seeds.\n${RULE}`);
  print(`The claims' settings were fixed on ${FIXED.date}, before they were run: SHA-256 ${FIXED.sha256}.`);
  const seconds = (performance.now() - start) / 1000;
  const { seeds, out } = options;
  await writeFile(
    out,
    renderReport({ command, seeds, ran, results, findings: found, versions: await versions(), seconds }),
  );
  print(`\n${seconds.toFixed(0)} s. Report: ${out}`);
}

/** A rank that did not come, or MPI that is not there. */
function isOfGroup(error: unknown): error is Error {
  const { code } = error as { code?: unknown };
  return error instanceof Error && (code === "ERR_BATCHNORM_GROUP" || code === "ERR_BATCHNORM_MPI");
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

async function main(args: readonly string[]): Promise<void> {
  try {
    const options = parseOptions(args, ["native", ...backends().map(({ name }) => name)]);
    if (options === null) print(HELP);
    else if (options.parallel !== null) await runParallel(options.parallel);
    else await run(options, ["npm start", ...(args.length > 0 ? ["--", ...args] : [])].join(" "));
  } catch (error) {
    const isTold = error instanceof OptionError || error instanceof BackendUnavailableError;
    const expected = isTold || isOfGroup(error) || isSystemError(error);
    if (!expected) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof OptionError ? 2 : 1;
  }
}

await main(process.argv.slice(2));
