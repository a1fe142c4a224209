// The peers' packages, apart from the library's: installed at first use, loaded by path, so that types and lint of the
// library need none of them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("packages", import.meta.url));
const installed = join(root, "node_modules");
/** npm writes it at the end of an installation. */
const mark = join(installed, ".package-lock.json");
const lock = join(root, "package-lock.json");

function isInstalled(): boolean {
  return existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs;
}

/** onnxruntime-node's install script would fetch what GPUs need: its package has the rest, so no scripts run. */
export function installPackages(tell: (line: string) => void): void {
  if (isInstalled()) return;
  tell("installing the peers' packages, half a gigabyte: npm ci --ignore-scripts in bench/peers/packages");
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  const { status, stderr, error } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  if (status !== 0) tell(`npm ci failed, so some peers will be missing: ${error?.message ?? stderr.trim()}`);
}

const require = createRequire(join(root, "package.json"));

/** `T` is what the caller uses of it. @throws Error where it is not installed or does not run here. */
export function loadPackage<T>(name: string): T {
  return require(name) as T;
}

export function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(join(installed, name, "package.json"), "utf8")) as { version: string };
  return version;
}

/** The folder of a file of a package. */
export function folderIn(name: string, ...path: readonly string[]): string {
  return join(installed, name, ...path, "/");
}
