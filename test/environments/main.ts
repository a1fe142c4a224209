// npm run test:environments: the packed package in every environment that can be had here. A line for each: run, with
// what it showed, skipped, with the reason, or FAILED; BATCHNORM_REQUIRE=environments makes failures of the skipped ones.
import { readdirSync } from "node:fs";
import { flag, items, list, OptionError, readArguments } from "../../scripts/tools/command-line.js";
import { createContext } from "./context.js";
import { Unavailable, type Context, type Environment } from "./environment.js";

const AT_A_TIME = 2;
const OPTIONS = { only: list, list: flag } as const;
const required = (process.env["BATCHNORM_REQUIRE"] ?? "").split(",").includes("environments");

/** All that the files of this folder export. */
async function findEnvironments(): Promise<Environment[]> {
  const names = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".ts") && name !== "main.ts");
  const modules = await Promise.all(
    names.sort().map((name) => import(`./${name}`) as Promise<{ environments?: readonly Environment[] }>),
  );
  return modules.flatMap(({ environments = [] }) => environments);
}

interface Outcome {
  readonly kind: "run" | "skipped" | "FAILED";
  readonly text: string;
}

async function outcomeOf(environment: Environment, context: Context): Promise<Outcome> {
  const skipped = (reason: string): Outcome => ({ kind: required ? "FAILED" : "skipped", text: reason });
  try {
    const reason = await environment.missing?.(context);
    if (typeof reason === "string") return skipped(reason);
    const ban = await environment.forbidden?.(context);
    if (typeof ban === "string") return { kind: "skipped", text: ban };
    return { kind: "run", text: await environment.run(context) };
  } catch (error) {
    if (error instanceof Unavailable) return skipped(error.message);
    return { kind: "FAILED", text: error instanceof Error ? error.message : String(error) };
  }
}

/** On a terminal, a line that tells what is running, over which the results are written. */
function showProgress(running: ReadonlySet<string>, left: number): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${[...running].join(", ")}; ${left} to come`.slice(0, 110));
}

function print(line: string): void {
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  console.log(line);
}

async function runAll(environments: readonly Environment[], context: Context): Promise<void> {
  const queue = [...environments];
  const running = new Set<string>();
  const counts = { run: 0, skipped: 0, FAILED: 0 };
  const width = Math.max(...environments.map(({ name }) => name.length));
  const work = async (): Promise<void> => {
    for (let environment = queue.shift(); environment; environment = queue.shift()) {
      const { name } = environment;
      const start = Date.now();
      showProgress(running.add(name), queue.length);
      const { kind, text } = await outcomeOf(environment, context);
      running.delete(name);
      counts[kind]++;
      const seconds = ((Date.now() - start) / 1000).toFixed(1).padStart(5);
      print(`${kind.padEnd(7)} ${seconds} s  ${name.padEnd(width)}  ${text}`);
      showProgress(running, queue.length);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  print(`${counts.skipped} skipped`);
  console.log(`${counts.run} passed, ${counts.FAILED} failed`);
  process.exitCode = counts.FAILED > 0 ? 1 : 0;
}

async function main(): Promise<void> {
  const values = readArguments(process.argv.slice(2), OPTIONS);
  const only = items(values.only);
  const all = await findEnvironments();
  const chosen = only.length === 0 ? all : all.filter(({ name }) => only.some((part) => name.includes(part)));
  if (chosen.length === 0) throw new OptionError(`--only names none of:\n${all.map(({ name }) => name).join("\n")}`);
  if (values.list) for (const { name } of chosen) console.log(name);
  else await runAll(chosen, createContext());
}

main().catch((error: unknown) => {
  if (!(error instanceof OptionError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
});
