// Builds what this machine can: the WASM module, dist/, and the native addon where there is a compiler. Says in one line
// what it skipped.
import { buildNative } from "./native.mjs";
import { buildWasm } from "./wasm.mjs";
import { buildWorker } from "./worker.mjs";
import { bundlePackage } from "./bundle.mjs";

await buildWasm();
await buildWorker();
await bundlePackage();
const native = await buildNative({ quiet: true });
console.log(
  native.built
    ? `batchnorm: built ${native.path}`
    : `batchnorm: native addon not built (${native.reason}); WASM is used instead`,
);
