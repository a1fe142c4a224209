// npm run release: builds every platform's binary, packs them with the package into build/release/, and shows that the
// tarball is what users should get: binaries that come out the same twice, ask for old systems only and give the
// oracle's bits where they run. Fails at the first thing that is wrong. Publishes nothing.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildWasm } from "../build/wasm.mjs";
import { buildWorker } from "../build/worker.mjs";
import { bundlePackage } from "../build/bundle.mjs";
import { repository } from "../check/plain.mjs";
import { buildReproducibly } from "./build.mjs";
import { faultsOf } from "./checks.mjs";
import { manifestOf, sha256 } from "./manifest.mjs";
import { packReproducibly, sizesIn, unpack } from "./pack.mjs";
import { runPackage } from "./run.mjs";
import { dynamicSymbols, missingProtection, tooNew } from "./symbols.mjs";
import { TARGETS } from "./targets.mjs";
import { installTools, needSystemTools } from "./tools.mjs";

const folder = join(repository, "build", "release");
const prebuilds = join(repository, "prebuilds");
const binaries = TARGETS.map(({ file }) => file);

/** Does one step and tells how long it took. */
async function step(name, work) {
  process.stdout.write(`${name} … `);
  const start = Date.now();
  const result = await work();
  console.log(`${((Date.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

function writePrebuilds(built) {
  rmSync(prebuilds, { recursive: true, force: true });
  for (const [file, bytes] of built) {
    mkdirSync(dirname(join(prebuilds, file)), { recursive: true });
    writeFileSync(join(prebuilds, file), bytes, { mode: 0o755 });
  }
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  writeFileSync(join(prebuilds, "checksums.json"), manifestOf(version, built));
}

function checkSymbols() {
  for (const { file, libc } of TARGETS) {
    const listing = dynamicSymbols(join(prebuilds, file));
    const found = tooNew(listing, libc);
    if (found.length > 0) throw new Error(`${file} asks for ${found.join(", ")}`);
    const missing = missingProtection(listing);
    if (missing.length > 0) throw new Error(`${file} lacks ${missing.join(", ")}`);
  }
}

function checkTarball({ size, files }, unpacked) {
  const manifest = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8"));
  const faults = faultsOf({ size, paths: files.map(({ path }) => path), manifest }, binaries);
  if (faults.length > 0) throw new Error(`the tarball is no release:\n${faults.join("\n")}`);
}

function printSummary({ path, size, unpackedSize, files }, sizes, used) {
  console.table(
    Object.fromEntries(Object.entries(sizes).map(([name, row]) => [name, { ...row, "ran as": used.get(name) ?? "" }])),
  );
  console.log(`${path}: ${size} bytes packed, ${unpackedSize} unpacked, ${files.length} files`);
  console.log(`sha256 ${sha256(readFileSync(path))}`);
}

needSystemTools();
await step("installing tools", installTools);
await step("building dist/", async () => {
  await buildWasm();
  await buildWorker();
  await bundlePackage();
});
const built = new Map();
for (const target of TARGETS) {
  built.set(target.file, await step(`building ${target.file}, twice`, () => buildReproducibly(target)));
}
writePrebuilds(built);
await step("checking the systems they ask for", checkSymbols);
const packed = await step("packing, twice", () => packReproducibly(folder));
const unpacked = unpack(packed.path, join(folder, "unpacked"));
checkTarball(packed, unpacked);
const used = new Map();
for (const target of TARGETS) {
  used.set(target.file, await step(`running ${target.file}`, () => runPackage(unpacked, target)));
}
printSummary(packed, sizesIn(unpacked, binaries), used);
