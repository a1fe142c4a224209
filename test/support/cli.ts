// Runs the built package's command, in a process of its own.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../../src/cli/report.js";
import { root, type Outcome } from "./package-copy.js";

export interface Run {
  readonly folder?: string;
  readonly env?: Record<string, string>;
  readonly flags?: readonly string[];
}

export function cli(args: readonly string[], { folder = root, env = {}, flags = [] }: Run = {}): Outcome {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("BATCHNORM_"));
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, join(folder, "dist", "cli.js"), ...args], {
    encoding: "utf8",
    env: { ...Object.fromEntries(inherited), NODE_OPTIONS: "", ...env },
  });
  return { stdout, stderr, status };
}

export function doctor(run: Run = {}): { report: Report; status: number | null } {
  const { stdout, status } = cli(["doctor", "--json"], run);
  return { report: JSON.parse(stdout) as Report, status };
}

export const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
export const adviceOf = ({ advice }: Report): string[] => advice.map(({ about }) => about);
export const inUse = ({ backends }: Report): string | undefined =>
  backends.find(({ status }) => status === "in use")?.name;
