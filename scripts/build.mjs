// Builds what this machine can: the WASM module, the native addon where there is a compiler, and the
// ESM package in dist/, bundled: 36 modules take Node some 20 ms more to load than the few there are now. Says in one
// line what it skipped.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildNative } from "./build-native.mjs";
import { buildWasm } from "./build-wasm.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

function compileTypeScript() {
  rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "src"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("tsc failed");
}

/** Modules that stay files of their own: those that are replaced, by browsers' bundlers or by hand. */
const APART = ["native", "native-absent", "wasm-binary"];

function bundle() {
  return build({
    absWorkingDir: root,
    entryPoints: ["index", "math", ...APART].map((name) => `src/${name}.ts`),
    outdir: "dist",
    bundle: true,
    splitting: true,
    external: APART.map((name) => `./${name}.js`),
    format: "esm",
    platform: "neutral",
    target: "es2022",
    chunkNames: "shared-[hash]",
  });
}

await buildWasm();
compileTypeScript();
await bundle();
const native = await buildNative({ quiet: true });
console.log(
  native.built
    ? `batchnorm: built ${native.path}`
    : `batchnorm: native addon not built (${native.reason}); WASM is used instead`,
);
