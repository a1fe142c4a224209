// Packs the package, and unpacks it to be looked at.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { sha256 } from "./manifest.mjs";
import { packInto } from "./stage.mjs";

function pack(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return packInto(folder);
}

/** The tarball in `folder`, whose bytes are the same when packed again; with what npm says of it. */
export function packReproducibly(folder) {
  const [packed, again] = [folder, join(folder, "again")].map((one) => pack(one));
  const [first, second] = [packed, again].map(({ path }) => readFileSync(path));
  if (sha256(first) !== sha256(second)) throw new Error("the tarball is another one when packed again");
  rmSync(join(folder, "again"), { recursive: true });
  return packed;
}

/** The folder with the package. */
export function unpack(path, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync("tar", ["-xzf", path, "-C", folder]);
  return join(folder, "package");
}

/** Size of a text or binary, as it is and as a network carries it. */
const sizeOf = (bytes) => ({ bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length });

/** Sizes of the unpacked package's binaries, and of what a browser gets. */
export function sizesIn(folder, binaries) {
  const rows = binaries.map((name) => [name, sizeOf(readFileSync(join(folder, "prebuilds", name)))]);
  const options = { bundle: true, minify: true, format: "esm", target: "es2022", write: false };
  const { outputFiles } = buildSync({ ...options, entryPoints: [join(folder, "dist", "browser.js")] });
  return Object.fromEntries([...rows, ["dist/browser.js, bundled and minified", sizeOf(outputFiles[0].contents)]]);
}
