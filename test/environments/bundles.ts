// Bundles for browsers and for Node by esbuild, rollup, vite and webpack, run.
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TARGETS } from "../../scripts/release/targets.mjs";
import {
  expectReport,
  shown,
  trainingScript,
  type Context,
  type Environment,
  type Expected,
  type Report,
} from "./environment.js";
import { missingChromium, visit } from "./pages.js";
import { exactly, installed, succeed, trains } from "./programs.js";
import { commands } from "./recipes.js";
import { bundlers } from "./tools.js";

/** For a page and for Node alike. */
const APP = `import * as batchnorm from "batchnorm";
${trainingScript}
const isPage = typeof document !== "undefined";
globalThis.said = report(batchnorm, isPage ? "page" : process.version);
if (!isPage) console.log(globalThis.said);
`;
export const PAGE = `<!doctype html><title>app</title><script type="module" src="./app.js"></script>`;

interface Bundler {
  readonly name: string;
  /** Its command: both write out/app.js. */
  readonly browser: readonly string[];
  readonly node: readonly string[];
  readonly files?: (tools: string) => Readonly<Record<string, string>>;
  /** It takes the literal URLs of the binaries for assets, and copies them. */
  readonly copiesBinaries?: boolean;
}

const rollupConfig = (
  tools: string,
  options: string,
): string => `import resolve from "${tools}/@rollup/plugin-node-resolve/dist/es/index.js";
export default { input: "app.js", output: { file: "out/app.js" }, plugins: [resolve(${options})], external: /^node:/ };
`;
const WEBPACK_NODE = `export default {
  target: "node",
  experiments: { outputModule: true },
  output: { module: true, chunkFormat: "module" },
};
`;
const WEBPACK = ["--mode=production", "--entry=./app.js", "--output-path=./out", "--output-filename=app.js"];

export const BUNDLERS: readonly Bundler[] = [
  {
    name: "esbuild",
    browser: ["esbuild", "app.js", "--bundle", "--minify", "--format=esm", "--outfile=out/app.js"],
    node: ["esbuild", "app.js", "--bundle", "--platform=node", "--format=esm", "--outfile=out/app.js"],
  },
  {
    name: "rollup",
    browser: ["rollup", "-c", "browser.config.mjs"],
    node: ["rollup", "-c", "node.config.mjs"],
    files: (tools) => ({
      "browser.config.mjs": rollupConfig(tools, "{ browser: true }"),
      "node.config.mjs": rollupConfig(tools, `{ exportConditions: ["node"] }`),
    }),
  },
  {
    name: "vite",
    browser: ["vite", "build", "--config", "browser.config.mjs"],
    node: ["vite", "build", "--config", "node.config.mjs", "--ssr", "app.js"],
    files: () => ({
      "browser.config.mjs": `const output = { entryFileNames: "app.js" };
export default { base: "./", build: { outDir: "out", rollupOptions: { output } } };\n`,
      "node.config.mjs": `export default { build: { outDir: "out" }, ssr: { noExternal: true } };\n`,
    }),
  },
  {
    name: "webpack",
    browser: ["webpack", ...WEBPACK],
    node: ["webpack", ...WEBPACK, "--config", "node.config.mjs"],
    files: () => ({ "node.config.mjs": WEBPACK_NODE }),
    copiesBinaries: true,
  },
];

/** CommonJS in and out, webpack's own way. */
const REQUIRING = `const batchnorm = require("batchnorm");
${trainingScript}
console.log(report(batchnorm, process.version));
`;

/** What is packed on one machine may lack binaries that a release has: webpack stops where one is missing. */
function completeBinaries(folder: string): void {
  for (const { file } of TARGETS) {
    const path = installed(folder, "prebuilds", file);
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) writeFileSync(path, "");
  }
}

/** The folder with out/app.js in it. */
export async function bundle(
  context: Context,
  { files, ...bundler }: Bundler,
  target: "browser" | "node",
  app = APP,
): Promise<string> {
  const commands = bundlers(context);
  const folder = context.folder({
    "package.json": '{ "type": "module", "private": true }\n',
    "app.js": app,
    ...(target === "browser" && { "index.html": PAGE }),
    ...files?.(dirname(commands)),
  });
  completeBinaries(folder);
  const [command, ...args] = bundler[target];
  await succeed(context, join(commands, command!), args, { cwd: folder });
  return folder;
}

async function runBrowser(context: Context, bundler: Bundler): Promise<string> {
  const out = join(await bundle(context, bundler, "browser"), "out");
  writeFileSync(join(out, "index.html"), PAGE);
  const said = await visit(context, out, "index.html");
  const reason = /^this build, for browsers/;
  return shown(expectReport(said, { backend: /^wasm$/, hash: context.trainingHash, reason }), reason);
}

/** By itself a bundle has no binaries; beside prebuilds/ it has. */
async function runNode(context: Context, bundler: Bundler): Promise<string> {
  const folder = await bundle(context, bundler, "node");
  const run = (expected: Omit<Expected, "hash">): Promise<Report> =>
    trains(context, [process.execPath, "out/app.js"], expected, { cwd: folder });
  const native = { backend: exactly(context.native) };
  if (bundler.copiesBinaries) return shown(await run(native));
  const alone = await run({ backend: /^wasm$/, reason: /does not exist/ });
  cpSync(installed(folder, "prebuilds"), join(folder, "prebuilds"), { recursive: true });
  const beside = await run(native);
  return `${shown(alone)}; beside prebuilds/ ${beside.backend}`;
}

async function runCommonJs(context: Context): Promise<string> {
  const cwd = context.folder({ "package.json": '{ "private": true }\n', "app.js": REQUIRING });
  completeBinaries(cwd);
  const told = await succeed(context, join(bundlers(context), "webpack"), [...WEBPACK, "--target=node"], { cwd });
  if (/warning/i.test(told)) throw new Error(told);
  return shown(await trains(context, [process.execPath, "out/app.js"], { backend: exactly(context.native) }, { cwd }));
}

/** The esbuild that npx finds is the one of the tools. */
async function runCommands(context: Context): Promise<string> {
  const cwd = context.folder({ "package.json": '{ "type": "module", "private": true }\n', "app.js": APP });
  const script = commands("a bundle for Node").replaceAll("npx ", "");
  const env = { PATH: `${bundlers(context)}:${process.env["PATH"]}` };
  const command = ["bash", "-e", "-c", script] as const;
  return shown(await trains(context, command, { backend: exactly(context.native) }, { cwd, env }));
}

export const environments: readonly Environment[] = BUNDLERS.flatMap((bundler): Environment[] => [
  {
    name: `${bundler.name}, bundle for browsers`,
    missing: missingChromium,
    run: (context) => runBrowser(context, bundler),
  },
  { name: `${bundler.name}, bundle for Node`, run: (context) => runNode(context, bundler) },
]).concat(
  { name: "webpack, CommonJS bundle for Node", run: runCommonJs },
  { name: "the documented bundle for Node", run: runCommands },
);
