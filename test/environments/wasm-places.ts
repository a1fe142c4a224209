// Where WASM's workers are tried, with a program that is the same everywhere: a function of the package that promises a text.
import { cpSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle, PAGE, type BUNDLERS } from "./bundles.js";
import type { Context } from "./environment.js";
import { visit } from "./pages.js";
import { installed, succeed } from "./programs.js";
import { LINES, node, type NodeLine } from "./runtimes.js";
import { serveWorker } from "./workers.js";

export const POLICY = { "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" };
export const POLICY_WITH_BLOB = {
  "Content-Security-Policy": `${POLICY["Content-Security-Policy"]}; worker-src blob:`,
};

/** A page, and the reason that is told there, if it is not as everywhere. */
export interface Place {
  readonly name: string;
  readonly page?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly reason?: RegExp;
}

/** The program: the text of a function, and its name. */
export interface Script {
  readonly text: string;
  readonly name: string;
}

/** Checks what was told, and says it in short. */
export type Expect = (text: string, reason?: RegExp) => string;

export const moduleOf = ({ text, name }: Script): string =>
  `import * as batchnorm from "batchnorm";\n${text}\nconsole.log(await ${name}(batchnorm));\n`;

const permission = (line: NodeLine): string => (line === "20" ? "--experimental-permission" : "--permission");

/** In Node that refuses workers. */
export async function withoutWorkers(context: Context, script: Script, expectTold: Expect): Promise<string> {
  const cwd = context.folder({ "program.mjs": moduleOf(script) });
  let told = "";
  for (const line of LINES) {
    const args = [permission(line), "--allow-fs-read=*", "program.mjs"];
    told = expectTold(await succeed(context, node(context, line), args, { cwd }), /access|permission|restricted/i);
  }
  return `${told}; Node ${LINES.join(", ")}`;
}

const SAY = "(said) => { globalThis.said = said; }";
const IMPORT = `import * as batchnorm from "/node_modules/batchnorm/dist/browser.js";`;
const sayOf = ({ text, name }: Script): string =>
  `${text}\n${name}(batchnorm).then(${SAY}, (error) => (${SAY})(String(error.stack)));\n`;

const pagesOf = (script: Script): Record<string, string> => ({
  "page.html": `<!doctype html><title>page</title><script type="module" src="page.js"></script>`,
  "page.js": `${IMPORT}\n${sayOf(script)}`,
  "worker.html": `<!doctype html><title>worker</title><script type="module" src="start.js"></script>`,
  "start.js": `const worker = new Worker("/worker.js", { type: "module" });
worker.onmessage = ({ data }) => (${SAY})(data);
worker.onerror = ({ message }) => (${SAY})(message);`,
  "worker.js": `${IMPORT}\n${script.text}
${script.name}(batchnorm).then(postMessage, (error) => postMessage(String(error.stack)));`,
});

export async function inPage(
  context: Context,
  { page = "page.html", headers = {} }: Place,
  script: Script,
): Promise<string> {
  return visit(context, context.folder(pagesOf(script)), page, { headers });
}

export async function inBundle(
  context: Context,
  bundler: (typeof BUNDLERS)[number],
  script: Script,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const app = `import * as batchnorm from "batchnorm";\n${sayOf(script)}`;
  const out = join(await bundle(context, bundler, "browser", app), "out");
  writeFileSync(join(out, "index.html"), PAGE);
  return visit(context, out, "index.html", { headers });
}

export async function inWorkerd(context: Context, { text, name }: Script): Promise<string> {
  const handler = `import * as batchnorm from "./workerd.js";\n${text}
export default { fetch: async () => new Response(await ${name}(batchnorm)) };\n`;
  const folder = context.folder({ "worker.js": handler });
  const dist = installed(folder, "dist");
  const files = readdirSync(dist).filter((file) => /^workerd.*\.js$|\.wasm$/.test(file));
  for (const file of files) cpSync(join(dist, file), join(folder, file));
  return serveWorker(context, folder, ["worker.js", ...files], async (url) => (await fetch(url)).text());
}
