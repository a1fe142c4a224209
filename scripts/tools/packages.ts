// Packages apart from the library's own, in a folder with a lockfile: installed at first use and loaded by path, so that
// types and lint of the library need none of them.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface Packages {
  /** Installs them unless they are installed; null, or why that failed. `tell` hears of it first, with `size`. */
  readonly install: (size: string, tell: (line: string) => void) => string | null;
  /** `T` is what the caller uses of it. @throws Error where it is not installed or does not run here. */
  readonly load: <T>(name: string) => T;
  readonly versionOf: (name: string) => string;
  /** The folder of a file of a package. */
  readonly folderIn: (name: string, ...path: readonly string[]) => string;
}

/** The packages of a folder with package.json and package-lock.json. */
export function packagesIn(folder: URL): Packages {
  const root = fileURLToPath(folder);
  const installed = join(root, "node_modules");
  /** npm writes it at the end of an installation. */
  const mark = join(installed, ".package-lock.json");
  const lock = join(root, "package-lock.json");
  const require = createRequire(join(root, "package.json"));
  return {
    /** Without install scripts: onnxruntime-node's would fetch what GPUs need, and nothing here needs one. */
    install(size, tell) {
      if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(lock).mtimeMs) return null;
      tell(`installing ${size}: npm ci --ignore-scripts in ${relative(process.cwd(), root)}`);
      const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
      const { status, stderr, error } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
      return status === 0 ? null : `npm ci failed in ${root}: ${error?.message ?? stderr.trim()}`;
    },
    load: <T>(name: string) => require(name) as T,
    versionOf(name) {
      const { version } = JSON.parse(readFileSync(join(installed, name, "package.json"), "utf8")) as {
        version: string;
      };
      return version;
    },
    folderIn: (name, ...path) => join(installed, name, ...path, "/"),
  };
}
