// Copies of the built package in a folder of their own, to be tampered with, and the real loader run on them.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BackendStatus } from "../../src/backends/backend.js";
import { temporaryFolder } from "./folders.js";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** A copy of what the package ships: dist/, prebuilds/ and package.json. */
export function packageCopy(): string {
  const folder = temporaryFolder();
  for (const part of ["dist", "prebuilds", "package.json"]) {
    const source = join(root, part);
    if (existsSync(source)) cpSync(source, join(folder, part), { recursive: true });
  }
  return folder;
}

export interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
}

/** Runs an ES module given as text, in a process of its own. */
export function runModule(code: string, cwd: string, env: Record<string, string> = {}): Outcome {
  // A bundle is longer than an argument may be.
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-"], {
    cwd,
    input: code,
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: "", ...env },
  });
  return { stdout, stderr, status };
}

/** What `backends()` of the package in a folder says, and what went to stderr. */
export function backendsIn(folder: string): { list: BackendStatus[]; stderr: string } {
  const index = pathToFileURL(join(folder, "dist", "index.js")).href;
  const { stdout, stderr } = runModule(
    `import { backends } from ${JSON.stringify(index)}; console.log(JSON.stringify(backends()));`,
    folder,
  );
  return { list: JSON.parse(stdout) as BackendStatus[], stderr };
}
