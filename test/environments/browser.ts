// Chromium: pages and workers that load the package's own files, isolated or not, and what content security policies leave.
import { expectReport, shown, trainingScript, type Context, type Environment } from "./environment.js";
import { missingChromium, visit } from "./pages.js";

const RUNTIME = `navigator.userAgent.match(/Chrome\\/\\d+/)[0] + (globalThis.crossOriginIsolated ? " isolated" : "")`;
const IMPORT = `import * as batchnorm from "/node_modules/batchnorm/dist/browser.js";`;

const FILES = {
  "page.html": `<!doctype html><title>page</title><script type="module" src="page.js"></script>`,
  "page.js": `${IMPORT}\n${trainingScript}\nglobalThis.said = report(batchnorm, ${RUNTIME});`,
  "worker.html": `<!doctype html><title>worker</title><script type="module" src="start.js"></script>`,
  "start.js": `const worker = new Worker("/worker.js", { type: "module" });
worker.onmessage = ({ data }) => { globalThis.said = data; };
worker.onerror = ({ message }) => { globalThis.said = message; };`,
  "worker.js": `${IMPORT}\n${trainingScript}\npostMessage(report(batchnorm, ${RUNTIME}));`,
};

const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
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

export const environments: readonly Environment[] = PLACES.map((place) => ({
  name: `Chromium, ${place.name}`,
  missing: missingChromium,
  run: (context) => runPlace(context, place),
}));
