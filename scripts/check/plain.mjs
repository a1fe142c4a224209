// Compiles test/plain/ and what it imports to build/plain/: programs that plain Node runs, where vitest is too
// much (under emulation) or in the way (under sanitizers).
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Compiles into a folder under build/; the path of a program in it is `<folder>/test/plain/<name>.js`. */
export function compilePlain(name) {
  const folder = join(repository, "build", name);
  rmSync(folder, { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const args = [tsc, "-p", join(repository, "test", "plain"), "--outDir", folder];
  const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (status !== 0) throw new Error("tsc failed");
  return folder;
}

/** A fresh folder under build/ with what the addon is built from. */
export function copyNativeSources(name) {
  const root = join(repository, "build", name);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const part of ["native", "binding.gyp", "package.json"])
    cpSync(join(repository, part), join(root, part), { recursive: true });
  return root;
}

/** Puts the binaries of a folder, where there are any, where the compiled loader looks. */
export function installPrebuilds(from, folder) {
  const source = join(from, "prebuilds");
  if (existsSync(source)) cpSync(source, join(folder, "prebuilds"), { recursive: true });
}
