// Puts a built addon where the loader looks for it: node install-addon.mjs FILE ARCH. Shipped in the package, whose
// native/binding.gyp runs it; uses nothing but Node.
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The C library that this process runs on, where a platform has two. */
function libcHere() {
  if (process.platform !== "linux") return undefined;
  return process.report?.getReport().header.glibcVersionRuntime ? "glibc" : "musl";
}

/** The only name the loader looks for, in prebuilds/: <platform>-<arch>/batchnorm[.<libc>].node. */
export function prebuildName(arch, libc = libcHere()) {
  return `${process.platform}-${arch}/batchnorm${libc ? `.${libc}` : ""}.node`;
}

/** Copies it to `<root>/prebuilds/<name>` and returns the path. */
export function installAddon(file, root, name) {
  const path = join(root, "prebuilds", name);
  mkdirSync(dirname(path), { recursive: true });
  // Renamed into place: a process that has the old one loaded keeps its file.
  copyFileSync(file, `${path}.new`);
  renameSync(`${path}.new`, path);
  // The checksums are those of a release, of which this is no longer one.
  rmSync(join(root, "prebuilds", "checksums.json"), { force: true });
  return path;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, arch] = process.argv.slice(2);
  const root = fileURLToPath(new URL("../..", import.meta.url));
  console.log(`installed ${installAddon(file, root, prebuildName(arch))}`);
}
