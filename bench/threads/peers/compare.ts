// The comparison with peers, from Node: their packages, the page, and what it gives.
import { fileURLToPath } from "node:url";
import { packagesIn } from "../../../scripts/tools/packages.js";
import { runInChromium } from "../chromium.js";
import type { Compared, Job } from "./job.js";
import type { Places } from "./page.js";

const FOLDER = new URL("../../peers/packages/", import.meta.url);
const packages = packagesIn(FOLDER);
const [TFJS, TFJS_WASM, ONNX] = ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-wasm", "onnxruntime-web"] as const;
const PLACES: Places = { onnx: "/onnx/", tfjs: "/tfjs.js", tfjsWasm: "/tfjs-wasm/" };

/** @throws Error where they cannot be installed. */
export function installPeers(tell: (line: string) => void): void {
  const failure = packages.install("the peers' packages, half a gigabyte", tell);
  if (failure !== null) throw new Error(failure);
}

/** "TensorFlow.js 4.22.0" and so on. */
export function peerVersions(): string[] {
  return [`TensorFlow.js ${packages.versionOf(TFJS)}`, `onnxruntime-web ${packages.versionOf(ONNX)}`];
}

export async function comparePeers(
  job: Job,
  tell: (what: string) => void,
): Promise<{ result: Compared; browser: string }> {
  const source = `import { compare } from "./peers/page.js";
const run = (tell) => compare(${JSON.stringify(job)}, ${JSON.stringify(PLACES)}, tell);`;
  const tfjs = [
    `export * from "${TFJS}";`,
    `import "${TFJS}/dist/register_all_gradients";`,
    `export * from "${TFJS_WASM}";`,
  ];
  const { result, browser } = await runInChromium({
    source,
    tell,
    modules: { "tfjs.js": { source: tfjs.join("\n"), folder: fileURLToPath(FOLDER) } },
    folders: { onnx: packages.folderIn(ONNX, "dist"), "tfjs-wasm": packages.folderIn(TFJS_WASM, "wasm-out") },
  });
  return { result: result as Compared, browser };
}
