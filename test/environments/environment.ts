// An environment: something that runs the packed package, and what must hold there.
import { readFileSync } from "node:fs";

export interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /**
   * Variables beside a user's: this process's without those of npm, Node and this library. Undefined takes one away.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: two minutes. */
  readonly timeoutMs?: number;
}

export interface Context {
  /** Path of the packed tarball. */
  readonly tarball: string;
  /** The hash that the training must give everywhere: the oracle's, of the sources. */
  readonly trainingHash: string;
  /** The best backend that the package has here: "native/avx2", or "wasm" where no addon was built. */
  readonly native: string;
  /** A fresh folder, with a package.json and files: name (with folders) → text. */
  emptyFolder(files?: Readonly<Record<string, string>>): string;
  /** The same with the package in its node_modules, unpacked from the tarball. */
  folder(files?: Readonly<Record<string, string>>): string;
  /** Installs npm packages, "name@version", into a folder of their own, once; returns that folder. */
  tools(key: string, packages: readonly string[]): string;
  /** Runs a command, whatever its status; throws with its output when it takes too long. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<Result>;
}

/** Thrown where something that an environment is made of cannot be had: it is skipped, with this reason. */
export class Unavailable extends Error {}

/** A file of this folder that exports `environments`, an array of these, has them run. */
export interface Environment {
  readonly name: string;
  /** Why it cannot be had here, or null. */
  missing?(context: Context): Promise<string | null> | string | null;
  /** Why the machine does not allow it, or null: it is skipped even where environments are required. */
  forbidden?(context: Context): Promise<string | null> | string | null;
  /** Throws where it does not hold; returns what it showed. */
  run(context: Context): Promise<string>;
}

/** The text of training.js as a module: exports `train(batchnorm, options)` and `report(batchnorm, runtime)`. */
export const trainingModule = readFileSync(new URL("training.js", import.meta.url), "utf8");

/** The same as a script, for CommonJS, for `vm` and for pages: it declares the two functions. */
export const trainingScript = trainingModule.replaceAll("export function", "function");

/** A program that trains and prints the report, as a module or, with `require`, as a script. */
export function trainingProgram(system: "import" | "require" = "import", runtime = "process.version"): string {
  const load =
    system === "import" ? 'import * as batchnorm from "batchnorm";' : 'const batchnorm = require("batchnorm");';
  return `${load}\n${trainingScript}\nconsole.log(report(batchnorm, ${runtime}));\n`;
}

export interface Report {
  readonly backend: string | null;
  readonly reasons: Readonly<Record<string, string>>;
  readonly hash: string;
  readonly runtime: string;
}

export interface Expected {
  readonly backend: RegExp;
  readonly hash: string;
  /** Of at least one backend that is not in use. */
  readonly reason?: RegExp;
}

/** The report among the lines that a program printed, when it is as expected; throws otherwise. */
export function expectReport(stdout: string, expected: Expected): Report {
  const line = stdout.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`no report in the output:\n${stdout}`);
  const report = JSON.parse(line) as Report;
  const { backend, hash, reasons } = report;
  if (!expected.backend.test(backend ?? "none"))
    throw new Error(`backend ${backend}, not ${expected.backend}: ${line}`);
  if (hash !== expected.hash) throw new Error(`hash ${hash}, the oracle's is ${expected.hash}: ${line}`);
  const { reason } = expected;
  if (reason && !Object.values(reasons).some((text) => reason.test(text))) throw new Error(`no ${reason}: ${line}`);
  return report;
}

/** What a report shows, in a few words: the backend in use, and the reason of another that matches, its path shortened. */
export function shown({ backend, reasons }: Report, reason?: RegExp): string {
  const told = reason && Object.entries(reasons).find(([, text]) => reason.test(text));
  return told
    ? `${backend} (${told[0]}: ${told[1].replaceAll(/[^\s"]*node_modules\/batchnorm\//g, "")})`
    : `${backend}`;
}
