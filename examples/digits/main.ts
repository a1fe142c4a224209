// `npm start`: trains a network on handwritten digits with and without batch normalization, prints the
// results and writes a report. `npm start -- --help` lists the options.
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { BackendUnavailableError, backends } from "batchnorm";
import { version as echarts } from "echarts";
import { loadDigits } from "./data.js";
import { HELP, parseOptions, type Options } from "./options.js";
import { OptionError } from "../../scripts/tools/command-line.js";
import { showProgress } from "./progress.js";
import { renderReport } from "./report.js";
import { drawTable, probe, resultCells, trapCells } from "./summary.js";
import type { Result } from "./train.js";
import { nameOf, planTrainings, runTrainings } from "./trainings.js";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Fails now rather than after the training where the file cannot be written. */
async function checkWritable(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await (await open(file, "a")).close();
}

async function versions(): Promise<Record<string, string>> {
  const text = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return { batchnorm: version, "Node.js": process.versions.node, V8: process.versions.v8, ECharts: echarts };
}

async function trainAll(options: Options): Promise<Result[]> {
  const trainings = planTrainings(options);
  const progress = showProgress(trainings.map(nameOf), options.steps);
  try {
    return await runTrainings(trainings, loadDigits(options.seed), progress.update);
  } finally {
    progress.stop();
  }
}

async function run(options: Options, command: string): Promise<void> {
  const start = performance.now();
  await checkWritable(options.out);
  const ran = probe(options.backend);
  if (ran.notNative !== null) print(ran.notNative);
  const results = await trainAll(options);
  const seconds = (performance.now() - start) / 1000;
  print(drawTable(resultCells(results, ran)));
  print("\nThe networks with batch norm, given the held-out digits one at a time:");
  print(drawTable(trapCells(results)));
  print("\nHashes of the trained parameters:");
  for (const { training, hash } of results) print(`${hash}  ${nameOf(training)}`);
  await writeFile(options.out, renderReport({ command, options, ran, results, versions: await versions(), seconds }));
  print(`\n${seconds.toFixed(0)} s. Report: ${options.out}`);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error;
}

async function main(args: readonly string[]): Promise<void> {
  try {
    const options = parseOptions(args, ["native", ...backends().map(({ name }) => name)]);
    if (options === null) print(HELP);
    else await run(options, ["npm start", ...(args.length > 0 ? ["--", ...args] : [])].join(" "));
  } catch (error) {
    const expected = error instanceof OptionError || error instanceof BackendUnavailableError || isSystemError(error);
    if (!expected) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof OptionError ? 2 : 1;
  }
}

await main(process.argv.slice(2));
