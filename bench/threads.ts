// `npm run bench:threads`: WebAssembly on several threads beside one, in a shared arena; here, and with --chromium in an
// isolated page. `--only A,B` chooses shapes, `--threads 2,4` the numbers, `--rounds N` how often.
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import * as library from "batchnorm";
import { flag, integer, items, list, readArguments, text } from "../scripts/tools/command-line.js";
import { createContext } from "../test/environments/context.js";
import { visit } from "../test/environments/pages.js";
import { shapes } from "./shapes.js";
import { measure, type Job, type Timed } from "./threads/measure.js";

const OPTIONS = { only: list, threads: list, rounds: text, chromium: flag } as const;
const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

function readJob(values: ReturnType<typeof readArguments<typeof OPTIONS>>): Job {
  const only = items(values.only ?? ["A,B,E,I,L"]);
  const threads = items(values.threads ?? [String(availableParallelism())]);
  return {
    shapes: shapes.filter(({ name }) => only.includes(name)),
    threads: [...new Set([1, ...threads.map((value) => integer("threads", value, 1, 16))])],
    rounds: integer("rounds", values.rounds ?? "15", 1, 10_000),
  };
}

/** The same in a page, of the built package. */
async function measureInChromium(job: Job): Promise<Timed[]> {
  const { outputFiles } = await build({
    stdin: {
      contents: `import * as library from "../dist/browser.js";
import { measure } from "./threads/measure.js";
measure(library, ${JSON.stringify(job)}).then(
  (rows) => { globalThis.said = JSON.stringify(rows); },
  (error) => { globalThis.said = String(error); },
);`,
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    format: "esm",
    write: false,
  });
  const page = '<!doctype html><title>threads</title><script type="module" src="page.js"></script>';
  const context = createContext();
  const folder = context.folder({ "page.html": page, "page.js": outputFiles[0]!.text });
  const said = await visit(context, folder, "page.html", { headers: ISOLATED, timeoutMs: 1_800_000 });
  if (!said.startsWith("[")) throw new Error(said);
  return JSON.parse(said) as Timed[];
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

const values = readArguments(process.argv.slice(2), OPTIONS);
const job = readJob(values);
const where = values.chromium ? "Chromium, an isolated page" : `Node ${process.version}`;
console.log(`${new Date().toISOString().slice(0, 10)}, ${cpus()[0]!.model}, ${where}\n`);
print(values.chromium ? await measureInChromium(job) : await measure(library, job));
