// Builds what this machine can: the WASM module, the native addon where there is a compiler, and the
// ESM package in dist/. Says in one line what it skipped.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildNative } from "./build-native.mjs";
import { buildWasm } from "./build-wasm.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

function compileTypeScript() {
  rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", "src"], { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error("tsc failed");
}

await buildWasm();
compileTypeScript();
const native = await buildNative({ quiet: true });
console.log(
  native.built
    ? `batchnorm: built ${native.path}`
    : `batchnorm: native addon not built (${native.reason}); WASM is used instead`,
);
