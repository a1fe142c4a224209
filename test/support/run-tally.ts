// Runs a script of this folder in a process of its own: a crash or a hang is a failure with its signal.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { root } from "./package-copy.js";

/** What such a script prints. */
export type Tally = Record<string, number> & { messages?: string[] };

const LIMIT = 60_000; // ms; each takes one to five seconds

export function runTally(script: string, ...args: readonly (string | number)[]): { tally: Tally; stderr: string } {
  return runTallyWith({}, script, ...args);
}

/** The same under changed variables of the environment, behind another command where one is given. */
export function runTallyWith(
  { env = {}, prefix = [] }: { env?: Readonly<Record<string, string>>; prefix?: readonly string[] },
  script: string,
  ...args: readonly (string | number)[]
): { tally: Tally; stderr: string } {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const [command, ...rest] = [...prefix, process.execPath, "--expose-gc", "--import", "tsx", file, ...args.map(String)];
  const { status, signal, stdout, stderr } = spawnSync(command!, rest, {
    cwd: root,
    encoding: "utf8",
    timeout: LIMIT,
    env: { ...process.env, NODE_OPTIONS: "", ...env },
  });
  const ended = status === 0 && signal === null;
  expect({ signal, status, stderr: ended ? "" : stderr.slice(-2000) }).toEqual({ signal: null, status: 0, stderr: "" });
  return { tally: JSON.parse(stdout) as Tally, stderr };
}
