// `npm run bench:threads`: WebAssembly on several threads beside one, and with --peers beside other libraries. `--help` lists
// the options.
import { availableParallelism, cpus } from "node:os";
import * as library from "batchnorm";
import { checkQuiet } from "./quiet.js";
import { showProgress } from "./report/progress.js";
import { runInChromium } from "./threads/chromium.js";
import { measure, type Job, type Timed } from "./threads/measure.js";
import { HELP, parseThreadOptions, type ThreadOptions } from "./threads/options.js";
import { comparePeers, installPeers, peerVersions } from "./threads/peers/compare.js";
import { minutesFor, settingsOf } from "./threads/peers/job.js";
import { asMarkdown, asText } from "./threads/peers/report.js";

const machine = `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]!.model}, ${availableParallelism()} cores`;

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** In a page, of the built package. */
async function measureInChromium(job: Job): Promise<Timed[]> {
  const source = `import * as library from "batchnorm";
import { measure } from "./measure.js";
const run = () => measure(library, ${JSON.stringify(job)});`;
  return (await runInChromium({ source })).result as Timed[];
}

function print(rows: readonly Timed[]): void {
  console.log("| shape | operation | threads | worked | median, ms | × one | least, ms | × one |");
  console.log("|---|---|---|---|---|---|---|---|");
  for (const row of rows) {
    const one = rows.find((other) => other.shape === row.shape && other.operation === row.operation)!;
    const cells = [row.median, one.median / row.median, row.least, one.least / row.least].map((ms) => ms.toFixed(2));
    console.log(`| ${[row.shape, row.operation, row.threads, row.used, ...cells].join(" | ")} |`);
  }
}

async function runAlone({ shapes, threads, rounds, inARow, chromium }: ThreadOptions): Promise<void> {
  const job: Job = { shapes, threads: [...new Set([1, ...threads])], rounds, inARow };
  const where = chromium ? "Chromium, an isolated page" : `Node ${process.version}`;
  console.log(`${machine}, ${where}\n`);
  print(chromium ? await measureInChromium(job) : await measure(library, job));
}

async function runBesidePeers({ shapes, threads: [threads], rounds, markdown }: ThreadOptions): Promise<void> {
  const settings = settingsOf(shapes);
  tell(`about ${minutesFor(settings)} minutes`);
  installPeers(tell);
  const busy = checkQuiet(false, tell);
  const progress = showProgress(settings.reduce((sum, { shape }) => sum + shape.operations.length, 0));
  const job = { threads: threads!, rounds, settings };
  const { result, browser } = await comparePeers(job, progress.done).finally(progress.stop);
  const versions = [browser, ...peerVersions()].join("; ");
  console.log(`${machine}, ${versions}; an isolated page, ${threads} threads each\n`);
  const notes = busy === null ? [] : [busy];
  console.log([...result.checks, ...notes, "", asText(result)].join("\n"));
  if (!markdown) return;
  const head = `Machine and versions: ${machine}; ${versions}; ${threads} threads each.`;
  console.log(["", head, ...notes, "", asMarkdown(result)].join("\n"));
}

try {
  const options = parseThreadOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(HELP);
  else await (options.peers ? runBesidePeers(options) : runAlone(options));
} catch (error) {
  tell(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
