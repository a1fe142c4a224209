// Edge workers: the handler of docs/bundlers-and-edge.md, and the training, in workerd, which compiles no WASM at run time.
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Verification } from "../../src/verify.js";
import { expectReport, shown, trainingScript, type Context, type Environment } from "./environment.js";
import { installed, succeed } from "./programs.js";
import { recipe } from "./recipes.js";
import { bundlers } from "./tools.js";
import { serveWorker } from "./workers.js";

const TRAINING = `import * as batchnorm from "batchnorm";
${trainingScript}
// In a request, where nothing can be compiled any more.
export default { fetch: () => new Response(report(batchnorm, navigator.userAgent)) };
`;

const trained = (context: Context, text: string): string => {
  const report = expectReport(text, { backend: /^wasm$/, hash: context.trainingHash });
  return `${report.runtime} ${shown(report)}`;
};

async function get(url: string, body?: string): Promise<string> {
  const response = await fetch(url, body === undefined ? {} : { method: "POST", body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status}: ${text}`);
  return text;
}

/** The package's own files, without a bundler. */
function runUnbundled(context: Context): Promise<string> {
  const folder = context.folder({ "worker.js": TRAINING.replace(`"batchnorm"`, `"./workerd.js"`) });
  const dist = installed(folder, "dist");
  const files = readdirSync(dist).filter((name) => /^workerd.*\.js$|\.wasm$/.test(name));
  for (const file of files) cpSync(join(dist, file), join(folder, file));
  return serveWorker(context, folder, ["worker.js", ...files], async (url) => trained(context, await get(url)));
}

/** What esbuild makes of a worker, as wrangler does: a module and the WASM beside it. */
async function bundled(context: Context, worker: string): Promise<string> {
  const folder = context.folder({ "worker.js": worker });
  const args = ["--bundle", "--format=esm", "--conditions=workerd", "--loader:.wasm=copy", "--outdir=out"];
  await succeed(context, join(bundlers(context), "esbuild"), ["worker.js", ...args], { cwd: folder });
  return join(folder, "out");
}

const modulesOf = (folder: string): string[] => [
  "worker.js",
  ...readdirSync(folder).filter((name) => name.endsWith(".wasm")),
];

/** Every case's hash, in a request. */
async function runVerify(context: Context): Promise<string> {
  const worker = `import { verify } from "batchnorm/verify";
export default { fetch: () => Response.json(verify()) };
`;
  const folder = await bundled(context, worker);
  return serveWorker(context, folder, modulesOf(folder), async (url) => {
    const found = JSON.parse(await get(url)) as Verification[];
    const [wasm] = found;
    if (found.length !== 1 || wasm?.backend !== "wasm" || wasm.failed > 0) throw new Error(JSON.stringify(found));
    return `wasm: ${wasm.passed} passed, 0 failed`;
  });
}

async function runBundled(context: Context): Promise<string> {
  const folder = await bundled(context, TRAINING);
  return serveWorker(context, folder, modulesOf(folder), async (url) => trained(context, await get(url)));
}

/** Two channels; a layer in eval with fresh running statistics, mean 0 and variance 1, leaves x but for eps. */
async function runRecipe(context: Context): Promise<string> {
  const folder = await bundled(context, recipe("worker.js"));
  return serveWorker(context, folder, modulesOf(folder), async (url) => {
    const text = await get(url, "[1, 2, 3, 4]");
    const y = JSON.parse(text) as number[];
    if (y.length !== 4 || y.some((value, i) => Math.abs(value - (i + 1)) > 1e-4)) throw new Error(text);
    return `POST [1, 2, 3, 4] answers ${text}`;
  });
}

export const environments: readonly Environment[] = [
  { name: "workerd, static import of the module", run: runUnbundled },
  { name: "workerd, bundled by esbuild", run: runBundled },
  { name: "workerd, the documented handler over HTTP", run: runRecipe },
  { name: "workerd, batchnorm/verify: the digest", run: runVerify },
];
