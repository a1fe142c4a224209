// A program in an isolated page of Chromium, with the built package for `batchnorm`.
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { createContext } from "../../test/environments/context.js";
import { ISOLATED, missingChromium, visit } from "../../test/environments/pages.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const library = fileURLToPath(new URL("../../dist/browser.js", import.meta.url));

/** Marks the lines of the console that tell of progress. */
const PROGRESS = "done: ";

export interface Program {
  /** Has a function `run`, which is called with `tell`, and whose promise has the result. Imports begin in this folder. */
  readonly source: string;
  /** Other modules by their place on the server: their texts, and the folder that these import from. */
  readonly modules?: Readonly<Record<string, { readonly source: string; readonly folder: string }>>;
  /** Folders by their names on the server. */
  readonly folders?: Readonly<Record<string, string>>;
  readonly tell?: (what: string) => void;
}

async function bundle(contents: string, folder: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder },
    bundle: true,
    format: "esm",
    alias: { batchnorm: library },
    write: false,
  });
  return outputFiles[0]!.text;
}

export interface Outcome {
  /** Through JSON. */
  readonly result: unknown;
  /** "Chromium 150". */
  readonly browser: string;
}

/** What the program gives. @throws Error with what it threw. */
export async function runInChromium({ source, modules = {}, folders = {}, tell }: Program): Promise<Outcome> {
  const missing = missingChromium();
  if (missing !== null) throw new Error(missing);
  const start = `${source}
run((what) => console.log(${JSON.stringify(PROGRESS)} + what)).then(
  (result) => { globalThis.said = JSON.stringify({ result, agent: navigator.userAgent }); },
  (error) => { globalThis.said = JSON.stringify({ error: String(error) }); },
);`;
  const files: Record<string, string> = {
    "page.html": '<!doctype html><title>threads</title><script type="module" src="page.js"></script>',
    "page.js": await bundle(start, here),
  };
  for (const [name, module] of Object.entries(modules)) files[name] = await bundle(module.source, module.folder);
  const context = createContext();
  const root = context.folder(files);
  for (const [name, folder] of Object.entries(folders)) symlinkSync(folder, join(root, name));
  const said = await visit(context, root, "page.html", {
    headers: ISOLATED,
    flags: ["--js-flags=--expose-gc"],
    timeoutMs: 3_600_000,
    hear: (line) => line.startsWith(PROGRESS) && tell?.(line.slice(PROGRESS.length)),
  });
  const { result, agent, error } = JSON.parse(said) as { result?: unknown; agent?: string; error?: string };
  if (error !== undefined) throw new Error(error);
  return { result, browser: `Chromium ${/Chrome\/(\d+)/.exec(agent ?? "")?.[1] ?? ""}`.trimEnd() };
}
