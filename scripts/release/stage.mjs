// The package as its users get it: the files that npm would pack, and a package.json without what works in a clone alone.
// npm has no way to pack another package.json than the one that stands in the folder, so the files are copied.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repository } from "../check/plain.mjs";

/** Entries of package.json that ask for files of the clone: scripts, and the tools that these run. */
const OF_THE_CLONE = ["scripts", "devDependencies"];

/** @param {Record<string, unknown>} manifest */
export function publishedManifest(manifest) {
  return Object.fromEntries(Object.entries(manifest).filter(([name]) => !OF_THE_CLONE.includes(name)));
}

/** @param {Record<string, unknown>} manifest */
export const manifestText = (manifest) => `${JSON.stringify(manifest, null, 2)}\n`;

/** What npm says of a package that it packs, or would. Without scripts: `prepare` would build over a release's binaries. */
function npmPack(cwd, ...args) {
  const printed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return JSON.parse(printed)[0];
}

/** Copies the package into a folder. */
function stage(folder) {
  for (const { path } of npmPack(repository, "--dry-run").files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(repository, path), join(folder, path));
  }
  const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  writeFileSync(join(folder, "package.json"), manifestText(publishedManifest(manifest)));
}

/**
 * Packs the package, as it is built, into a folder.
 * @param {string} folder
 * @returns {{ path: string, filename: string, size: number, unpackedSize: number, files: { path: string }[] }}
 */
export function packInto(folder) {
  const staged = join(folder, "staged");
  try {
    stage(staged);
    const packed = npmPack(staged, "--pack-destination", folder);
    return { ...packed, path: join(folder, packed.filename) };
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
}
