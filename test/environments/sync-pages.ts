// Synchronized layers in Chromium: web workers of an isolated page, bundled as the page is, and the page itself as a rank.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BUNDLERS, bundle, PAGE } from "./bundles.js";
import type { Context, Environment } from "./environment.js";
import { ISOLATED, missingChromium, visit } from "./pages.js";

const APP = readFileSync(new URL("sync-page.js", import.meta.url), "utf8");
/** As in Firefox before 145. */
const WITHOUT = "<script>delete Atomics.waitAsync;</script>";

interface Failure {
  readonly code?: string;
  readonly ranks?: readonly number[];
  readonly message?: string;
}

interface Failed {
  readonly page: Failure;
  readonly worker: Failure;
  readonly milliseconds: number;
}

/** What the page says. */
interface Said {
  readonly isolated: boolean;
  readonly waitAsync: boolean;
  readonly backend: string;
  /** For each rank, whether it has the bits of the whole batch, or its error. */
  readonly workers: readonly unknown[];
  readonly page: readonly unknown[];
  readonly pageInParts: readonly unknown[];
  readonly blocking: Failure;
  readonly thrown: Failed;
  readonly aborted: Failed;
  readonly ended: Failed;
  readonly silent: Failed;
}

/** The page and the worker name rank 2, the one because it did not come, or because of what was told of it. */
function hasFailed({ page, worker, milliseconds }: Failed, reason: RegExp, most: number): boolean {
  const isRight = ({ code, ranks, message = "" }: Failure): boolean =>
    code === "ERR_BATCHNORM_GROUP" && ranks?.join() === "2" && reason.test(message);
  return isRight(page) && isRight(worker) && milliseconds < most;
}

function check(text: string, waitAsync: boolean): string {
  const said = JSON.parse(text) as Said;
  const isEqual = (ranks: readonly unknown[]): boolean => ranks.length === 3 && ranks.every((one) => one === true);
  const conditions: Readonly<Record<string, boolean>> = {
    place: said.isolated && said.waitAsync === waitAsync && said.backend === "wasm",
    workers: isEqual(said.workers),
    page: isEqual(said.page),
    "page, arrays in parts": isEqual(said.pageInParts),
    "page that blocks": /must not block.*forwardAsync/.test(said.blocking.message ?? ""),
    // At once, not at the limit of 4,000 ms.
    "worker that throws": hasFailed(said.thrown, /its worker had an error/, 3000),
    "worker that aborts": hasFailed(said.aborted, /no data/, 3000),
    "worker that is terminated": hasFailed(said.ended, /it was terminated/, 3000),
    "worker that is terminated untold": hasFailed(said.silent, /did not come within 4000 ms/, 8000),
  };
  const wrong = Object.keys(conditions).filter((name) => !conditions[name]);
  if (wrong.length > 0) throw new Error(`${wrong.join(", ")}: ${text}`);
  return `wasm: 3 workers, the page and 2 workers; a lost rank is named after ${Math.round(said.ended.milliseconds)} ms`;
}

/** A bundle of the page, served with the headers. */
async function visitBundle(context: Context, html: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const out = join(await bundle(context, BUNDLERS[0]!, "browser", APP), "out");
  writeFileSync(join(out, "index.html"), html);
  return visit(context, out, "index.html", { headers });
}

async function notIsolated(context: Context): Promise<string> {
  const text = await visitBundle(context, PAGE, {});
  const { unshared } = JSON.parse(text) as { unshared?: Failure };
  const isRefused = unshared?.code === "ERR_BATCHNORM_TYPE" && /cross-origin isolated/.test(unshared.message ?? "");
  if (!isRefused) throw new Error(text);
  return unshared.message!;
}

/** The blocks of docs/sync.md for a page and its workers, by a bundler that finds the workers by their URL. */
async function documented(context: Context, bundler: (typeof BUNDLERS)[number]): Promise<string> {
  const text = readFileSync(new URL("../../docs/sync.md", import.meta.url), "utf8");
  const code = (name: string): string => new RegExp(`\`\`\`js\n// ${name}\n([^]*?)\`\`\``).exec(text)![1]!;
  const say = "console.log = (line) => { globalThis.said = line; };";
  const files = (tools: string): Record<string, string> => ({
    ...bundler.files?.(tools),
    "worker.js": code("worker.js"),
  });
  const out = join(await bundle(context, { ...bundler, files }, "browser", code("page.js")), "out");
  writeFileSync(join(out, "index.html"), PAGE.replace("<script", `<script>${say}</script><script`));
  const said = await visit(context, out, "index.html", { headers: ISOLATED });
  if (said !== "rank 0 of 3: 16 gradients") throw new Error(said);
  return said;
}

const WITH_WORKERS = BUNDLERS.filter(({ name }) => name === "vite" || name === "webpack");

export const environments: readonly Environment[] = [
  {
    name: "synchronized layers, isolated page with Atomics.waitAsync",
    missing: missingChromium,
    run: async (context) => check(await visitBundle(context, PAGE, ISOLATED), true),
  },
  {
    name: "synchronized layers, isolated page without Atomics.waitAsync",
    missing: missingChromium,
    run: async (context) =>
      check(await visitBundle(context, PAGE.replace("<script", `${WITHOUT}<script`), ISOLATED), false),
  },
  { name: "synchronized layers, page that is not isolated", missing: missingChromium, run: notIsolated },
  ...WITH_WORKERS.map((bundler): Environment => ({
    name: `synchronized layers, the documented page, bundled by ${bundler.name}`,
    missing: missingChromium,
    run: (context) => documented(context, bundler),
  })),
];
