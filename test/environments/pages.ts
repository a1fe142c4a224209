// Pages in Chromium: folders served over HTTP, and what a page says.
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Context } from "./environment.js";

/** The headers of a page that is cross-origin isolated. */
export const ISOLATED = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const KINDS: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

/** The parts of playwright-core that are used: it is installed at run time, without types. */
interface Playwright {
  readonly chromium: { launch(options: object): Promise<Browser> };
}
export interface Browser {
  newPage(options?: object): Promise<Page>;
  close(): Promise<void>;
}
export interface Page {
  readonly keyboard: { press(key: string): Promise<void> };
  on(event: "pageerror", listener: (error: Error) => void): void;
  on(event: "console", listener: (message: { text(): string }) => void): void;
  on(event: "request", listener: (request: { url(): string }) => void): void;
  goto(url: string, options: { timeout: number }): Promise<unknown>;
  waitForFunction(code: string, argument: undefined, options: { timeout: number }): Promise<unknown>;
  evaluate(code: string): Promise<unknown>;
  screenshot(options: { path: string; fullPage: boolean }): Promise<unknown>;
  close(): Promise<void>;
}

export function missingChromium(): string | null {
  return existsSync(CHROMIUM) ? null : `no ${CHROMIUM}: Debian's package chromium, or CHROMIUM names another`;
}

function serve(folder: string, headers: Readonly<Record<string, string>>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://page").pathname);
    try {
      const body = readFileSync(join(folder, path));
      response.writeHead(200, { "Content-Type": KINDS[extname(path)] ?? "application/octet-stream", ...headers });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

async function reportIn(page: Page, url: string, timeout: number, hear?: (line: string) => void): Promise<string> {
  const said: string[] = [];
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("console", (message) => {
    said.push(message.text());
    hear?.(message.text());
  });
  // The module runs before the page has loaded.
  await page.goto(url, { timeout });
  // A wait of Playwright's own evaluates a text in the page, which its policy may forbid.
  for (const end = Date.now() + timeout; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const text = (await page.evaluate("globalThis.said")) as string | undefined;
    if (text !== undefined) return text;
  }
  throw new Error(`${url} says nothing: ${said.join("\n")}`);
}

export interface Visit {
  /** Of every response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of Chromium. */
  readonly flags?: readonly string[];
  readonly timeoutMs?: number;
  /** Gets the lines of the page's console. */
  readonly hear?: (line: string) => void;
}

/** Serves a folder, and gives `use` a browser and the folder's address. */
export async function withBrowser<Result>(
  context: Pick<Context, "tools">,
  folder: string,
  { headers = {}, flags = [] }: Visit,
  use: (browser: Browser, address: string) => Promise<Result>,
): Promise<Result> {
  const require = createRequire(join(context.tools("playwright", ["playwright-core@1.65.1"]), "package.json"));
  const { chromium } = require("playwright-core") as Playwright;
  const server = await serve(folder, headers);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...flags] });
  try {
    const { port } = server.address() as AddressInfo;
    return await use(browser, `http://127.0.0.1:${port}`);
  } finally {
    await browser.close();
    server.close();
  }
}

/** Opens a page of a folder; what it assigned to `globalThis.said`. */
export function visit(context: Context, folder: string, path: string, options: Visit = {}): Promise<string> {
  const { timeoutMs = 60_000, hear } = options;
  return withBrowser(context, folder, options, async (browser, address) =>
    reportIn(await browser.newPage(), `${address}/${path}`, timeoutMs, hear),
  );
}
