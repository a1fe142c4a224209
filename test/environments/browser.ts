// Chromium: pages and workers that load the package's own files, isolated or not, and what content security policies leave.
import type { Verification } from "../../src/verify.js";
import { expectReport, shown, trainingScript, type Context, type Environment } from "./environment.js";
import { ISOLATED, missingChromium, visit } from "./pages.js";

const RUNTIME = `navigator.userAgent.match(/Chrome\\/\\d+/)[0] + (globalThis.crossOriginIsolated ? " isolated" : "")`;
const IMPORT = `import * as batchnorm from "/node_modules/batchnorm/dist/browser.js";`;

const FILES = {
  "page.html": `<!doctype html><title>page</title><script type="module" src="page.js"></script>`,
  "page.js": `${IMPORT}\n${trainingScript}\nglobalThis.said = report(batchnorm, ${RUNTIME});`,
  "digest.html": `<!doctype html><title>digest</title><script type="module" src="digest.js"></script>`,
  "digest.js": `import { verify } from "/node_modules/batchnorm/dist/verify-browser.js";
globalThis.said = JSON.stringify(verify());`,
  "worker.html": `<!doctype html><title>worker</title><script type="module" src="start.js"></script>`,
  "start.js": `const worker = new Worker("/worker.js", { type: "module" });
worker.onmessage = ({ data }) => { globalThis.said = data; };
worker.onerror = ({ message }) => { globalThis.said = message; };`,
  "worker.js": `${IMPORT}\n${trainingScript}\npostMessage(report(batchnorm, ${RUNTIME}));`,
};

const policy = (scripts: string): Record<string, string> => ({
  "Content-Security-Policy": `default-src 'self'; script-src ${scripts}`,
});

interface Place {
  readonly name: string;
  readonly page?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly backend?: RegExp;
  readonly reason?: RegExp;
}

const PLACES: readonly Place[] = [
  { name: "page" },
  { name: "module worker", page: "worker.html" },
  { name: "page, COOP and COEP", headers: ISOLATED },
  { name: "page, CSP with wasm-unsafe-eval", headers: policy("'self' 'wasm-unsafe-eval'") },
  {
    name: "page, CSP without wasm-unsafe-eval",
    headers: policy("'self'"),
    backend: /^oracle$/,
    reason: /^compiling WebAssembly is forbidden here: /,
  },
];

async function runPlace(context: Context, place: Place): Promise<string> {
  const { page = "page.html", headers = {}, backend = /^wasm$/, reason = /^this build, for browsers/ } = place;
  const said = await visit(context, context.folder(FILES), page, { headers });
  const report = expectReport(said, { backend, hash: context.trainingHash, reason });
  return `${report.runtime} ${shown(report, reason)}`;
}

/** Every case of the digest. */
async function runDigest(context: Context): Promise<string> {
  const said = await visit(context, context.folder(FILES), "digest.html", { timeoutMs: 180_000 });
  const results = JSON.parse(said) as readonly Verification[];
  const [wasm] = results;
  if (results.length !== 1 || wasm?.backend !== "wasm" || wasm.failed > 0 || wasm.passed === 0) throw new Error(said);
  return `wasm: ${wasm.passed} hashes of the digest`;
}

export const environments: readonly Environment[] = [
  ...PLACES.map((place): Environment => ({
    name: `Chromium, ${place.name}`,
    missing: missingChromium,
    run: (context) => runPlace(context, place),
  })),
  { name: "Chromium, the digest in a page", missing: missingChromium, run: runDigest },
];
