// `npm run study`: trains every point that is not there yet, and writes the report. `npm run study -- --help` lists the options.
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../scripts/tools/command-line.js";
import { costOf, duration, measureStep, totalCost } from "./cost.js";
import { loadMnist, packages } from "./data/mnist.js";
import { experimentsOf } from "./experiments/experiments.js";
import { idOf, keyOf, planOf, type Planned } from "./experiments/plan.js";
import { HELP, OUT, parseOptions, type Options } from "./options.js";
import { loadProducts, productsVersion, type ProductsName } from "./products.js";
import { showProgress } from "./progress.js";
import { shownIn, writeReport } from "./report/report.js";
import { runPlan } from "./schedule.js";
import { Store } from "./store.js";
import type { Trained } from "./training/train.js";
import type { Point } from "./training/point.js";

const PRODUCTS: ProductsName = "tensorflow";

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function versions(): Record<string, string> {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return { batchnorm: version, node: process.versions.node, v8: process.versions.v8, ...productsVersion() };
}

function pointOf(planned: Planned, trained: Trained): Point {
  const { settings, seed } = planned;
  const date = new Date().toISOString().slice(0, 10);
  return { id: idOf(planned), key: keyOf(planned), settings, seed, versions: versions(), date, ...trained };
}

function summaryOf({ diverged, steps, accuracy, seconds }: Trained): string {
  return `${diverged ? `diverged at step ${steps}` : `${(100 * accuracy).toFixed(2)} %`} in ${duration(1000 * seconds)}`;
}

/** What is to be done, and how long it takes. */
function announce(plan: readonly Planned[], all: number, workers: number, stepMilliseconds: number): void {
  for (const name of new Set(plan.map(({ experiment }) => experiment))) {
    const own = plan.filter(({ experiment }) => experiment === name);
    const steps = [...new Set(own.map(({ settings }) => settings.steps))].sort((a, b) => a - b);
    const each = steps.length > 3 ? `${steps[0]} to ${steps.at(-1)}` : steps.join(", ");
    const time = duration((totalCost(own) * stepMilliseconds) / workers);
    print(`${name.padEnd(15)} ${`${own.length}`.padStart(4)} points of ${each} steps: ${time}`);
  }
  // A long point that begins last keeps one worker busy while the others are idle.
  const longest = Math.max(0, ...plan.map(({ settings }) => costOf(settings)));
  const time = Math.max(totalCost(plan) / workers, longest) * stepMilliseconds;
  print(`A step takes ${stepMilliseconds.toFixed(2)} ms here. ${plan.length} of ${all} points are to be computed.`);
  print(
    `With ${workers} workers this takes about ${duration(time)}. It can be stopped, and goes on when started again.`,
  );
}

/** Trains what is missing. Returns how many points failed. */
async function compute({ workers }: Options, plan: readonly Planned[], store: Store): Promise<number> {
  const missing = store.missing(plan);
  if (missing.length === 0) return 0;
  const failure = packages.install("MNIST and what else the study needs", print);
  if (failure !== null) throw new Error(failure);
  const digits = loadMnist();
  announce(missing, plan.length, workers, measureStep(digits, await loadProducts(PRODUCTS)));
  const progress = showProgress(missing);
  const failed: string[] = [];
  try {
    await runPlan(missing, { digits, products: PRODUCTS }, workers, {
      progress: progress.update,
      trained(planned, trained) {
        store.save(planned.experiment, pointOf(planned, trained));
        progress.end(planned, summaryOf(trained));
      },
      failed(planned, message) {
        failed.push(`${idOf(planned)}: ${message}`);
        progress.end(planned, "failed");
      },
    });
  } finally {
    progress.stop();
  }
  for (const message of failed) process.stderr.write(`${message}\n`);
  return failed.length;
}

async function run(options: Options): Promise<void> {
  const { size, only, out, reportOnly } = options;
  const store = new Store(join(out, "results"));
  const failed = reportOnly ? 0 : await compute(options, planOf(experimentsOf(size, only), size.seeds), store);
  print(`Report: ${writeReport(out, store.all(), size)}`);
  if (out === OUT) for (const [from, to] of shownIn(out, "docs")) copyFileSync(from, to);
  if (failed > 0) process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
  try {
    const options = parseOptions(args);
    if (options === null) print(HELP);
    else await run(options);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    process.stderr.write(`${error instanceof OptionError ? error.message : (error.stack ?? error.message)}\n`);
    process.exitCode = error instanceof OptionError ? 2 : 1;
  }
}

await main(process.argv.slice(2));
