// Running programs that train, and what must come out.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expectReport, type Context, type Expected, type Report, type Result, type RunOptions } from "./environment.js";

export const told = (command: string, args: readonly string[], { stdout, stderr }: Result): string =>
  `${[command, ...args].join(" ").slice(0, 300)}\n${stdout}${stderr}`;

/** Runs a command that must succeed; what it printed. */
export async function succeed(
  context: Context,
  command: string,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const result = await context.run(command, args, options);
  if (result.status !== 0) throw new Error(`status ${result.status}: ${told(command, args, result)}`);
  return result.stdout;
}

/** Whole text: names of backends have no character of regular expressions. */
export const exactly = (name: string): RegExp => new RegExp(`^${name}$`);

/** Runs a program that trains: its report must have this backend, the oracle's hash, and such a reason, if one is given. */
export async function trains(
  context: Context,
  [command, ...args]: readonly [string, ...string[]],
  expected: Omit<Expected, "hash">,
  options?: RunOptions,
): Promise<Report> {
  return expectReport(await succeed(context, command, args, options), { ...expected, hash: context.trainingHash });
}

/** Where the package is in a user's folder. */
export const installed = (folder: string, ...path: string[]): string =>
  join(folder, "node_modules", "batchnorm", ...path);

/** Whether the tarball has a binary for a platform, such as "linux-x64/batchnorm.musl". */
export const ships = (folder: string, platform: string): boolean =>
  existsSync(installed(folder, "prebuilds", `${platform}.node`));
