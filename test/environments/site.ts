// The page that trains live, built and opened in Chromium: it trains to Node's bits, by keyboard alone, in both languages,
// themes and sizes, without errors, violations or further requests. It leaves its screens in build/site-screens.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { BackendName } from "../../src/index.js";
import { digitFile } from "../../site/build/pack-digits.js";
import { readAddress } from "../../site/lab/settings.js";
import { Side } from "../../site/lab/side.js";
import type { Context, Environment } from "./environment.js";
import { missingChromium, withBrowser, type Browser, type Page } from "./pages.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SITE = join(root, "build", "site");
const SCREENS = join(root, "build", "site-screens");
const LARGEST = 3 * 1024 * 1024;
const TIMEOUT = 60_000;

let built: Promise<void> | null = null;

/** Once for all environments of this file. */
function buildSite(context: Context): Promise<void> {
  built ??= context
    .run(process.execPath, ["--import", "tsx", "site/build/main.ts"], { cwd: root })
    .then(({ status, stdout, stderr }) => {
      if (status !== 0) throw new Error(`the page cannot be built:\n${stdout}${stderr}`);
    });
  return built;
}

interface Visitor {
  readonly page: Page;
  /** What the console and the page said, which must be nothing. */
  readonly said: string[];
  readonly requests: string[];
}

async function open(browser: Browser, url: string, options: object = {}): Promise<Visitor> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, locale: "en-GB", ...options });
  const visitor: Visitor = { page, said: [], requests: [] };
  page.on("pageerror", (error) => visitor.said.push(String(error)));
  page.on("console", (message) => visitor.said.push(message.text()));
  page.on("request", (request) => visitor.requests.push(request.url()));
  await page.goto(url, { timeout: TIMEOUT });
  return visitor;
}

async function wait(page: Page, code: string): Promise<void> {
  await page.waitForFunction(code, undefined, { timeout: TIMEOUT }).catch(async (error: unknown) => {
    const shows = String(await page.evaluate(`location.hash + " " + document.getElementById("run").innerText`));
    throw new Error(`never true: ${code}\n${shows}`, { cause: error });
  });
}
const textOf = async (page: Page, id: string): Promise<string> =>
  String(await page.evaluate(`document.getElementById("${id}").textContent`));
/** Waits until both networks stand at a step and the page says so: then its status has their accuracies. */
const stands = (page: Page, step: number): Promise<void> =>
  wait(
    page,
    `document.getElementById("count").textContent === "${step}" && /\\d/.test(document.getElementById("status").textContent)`,
  );

function expectSilence({ said }: Visitor): void {
  if (said.length > 0) throw new Error(`the page said:\n${said.join("\n")}`);
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

function hashInNode(address: string, normalized: boolean, backend: BackendName): string {
  const { settings, at } = readAddress(address);
  const side = new Side(digitFile(), settings, normalized, backend);
  side.advance(at ?? 0);
  return createHash("sha256").update(side.parameters()).digest("hex");
}

async function trainsToNodesBits(context: Context): Promise<string> {
  const address = "#rate=0.3&batch=32&seed=7&at=60&lang=en";
  return withBrowser(context, SITE, {}, async (browser, origin) => {
    const visitor = await open(browser, `${origin}/index.html${address}`);
    const { page, requests } = visitor;
    await stands(page, 60);
    const loaded = requests.length;
    await page.evaluate(`document.getElementById("fingerprint").click()`);
    await wait(page, `document.getElementById("hash-with") !== null`);
    const inPage = { without: await textOf(page, "hash-without"), with: await textOf(page, "hash-with") };
    for (const backend of ["wasm", context.native] as BackendName[]) {
      check(inPage.without === hashInNode(address, false, backend), "without normalization the page has other bits");
      check(inPage.with === hashInNode(address, true, backend), `the page's bits are not those of ${backend}`);
    }
    check(/: wasm\./.test(await textOf(page, "backend")), await textOf(page, "backend"));
    check(Number.parseFloat(await textOf(page, "accuracy-with")) > 50, "it has not learnt");
    check(requests.length === loaded, `requests after loading: ${requests.slice(loaded).join(" ")}`);
    expectSilence(visitor);
    return `60 steps, the bits of Node on wasm and ${context.native}: ${inPage.with.slice(0, 16)}…`;
  });
}

/** Bytes of all files, and what a visitor waits for. No time is asserted but that of `TIMEOUT`. */
async function sizeAndTime(context: Context): Promise<string> {
  const files = readdirSync(SITE, { recursive: true, encoding: "utf8" }).map((name) => join(SITE, name));
  const bytes = files.reduce((sum, name) => sum + (statSync(name).isFile() ? statSync(name).size : 0), 0);
  check(bytes <= LARGEST, `the page has ${bytes} bytes, more than ${LARGEST}`);
  return withBrowser(context, SITE, {}, async (browser, origin) => {
    const visitor = await open(browser, `${origin}/index.html`);
    await wait(visitor.page, `Number(document.getElementById("count").textContent) >= 1`);
    const first = Number(await visitor.page.evaluate("performance.now()"));
    const frames = (await visitor.page.evaluate(FRAMES)) as number[];
    expectSilence(visitor);
    const [median, longest] = [frames.sort((a, b) => a - b)[frames.length >> 1]!, Math.max(...frames)];
    return `${(bytes / 2 ** 20).toFixed(2)} MB; first step shown after ${first.toFixed(0)} ms; while it trains a frame takes ${median.toFixed(1)} ms (median), ${longest.toFixed(0)} ms (longest)`;
  });
}

/** Times between frames over two seconds of training. */
const FRAMES = `new Promise((resolve) => {
  const times = [];
  let last = performance.now();
  const frame = (now) => {
    times.push(now - last);
    last = now;
    if (times.reduce((a, b) => a + b) > 2000) resolve(times.slice(1)); else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;

/** Everything by Tab, Enter, Space and arrow keys, and the address follows. */
async function byKeyboard(context: Context): Promise<string> {
  return withBrowser(context, SITE, {}, async (browser, origin) => {
    const visitor = await open(browser, `${origin}/index.html#at=0&lang=en`, { reducedMotion: "reduce" });
    const { page } = visitor;
    await stands(page, 0);
    const focused = (): Promise<unknown> =>
      page.evaluate(`document.activeElement.id || document.activeElement.textContent`);
    const reached: string[] = [];
    const tabTo = async (id: string): Promise<void> => {
      for (let i = 0; i < 60 && (await focused()) !== id; i++) {
        await page.keyboard.press("Tab");
        reached.push(String(await focused()));
      }
      check((await focused()) === id, `Tab does not reach ${id}, only ${reached.join(", ")}`);
    };
    await tabTo("step");
    await page.keyboard.press("Enter");
    await stands(page, 1);
    await tabTo("set-rate");
    await page.keyboard.press("ArrowRight");
    await wait(page, `location.hash.includes("rate=1&")`);
    await tabTo("set-depth");
    await page.keyboard.press("ArrowRight");
    await wait(page, `location.hash.includes("depth=4")`);
    await stands(page, 0);
    await tabTo("line-first");
    await page.keyboard.press("Enter");
    check((await page.evaluate(`document.querySelectorAll("#lines li").length`)) === 1, "not one line");
    await tabTo("canvas");
    for (const key of [" ", ..."ArrowDown ".repeat(15).trim().split(" "), " "]) await page.keyboard.press(key);
    await wait(page, `/%/.test(document.getElementById("guess").textContent)`);
    // The link that this state has leads to it again.
    const hash = String(await page.evaluate("location.hash"));
    const again = await open(browser, `${origin}/index.html${hash}`);
    await stands(again.page, 0);
    check(
      (await again.page.evaluate("location.hash")) === hash,
      `${hash} became ${String(await again.page.evaluate("location.hash"))}`,
    );
    await page.evaluate(`location.hash = "#activation=relu&rate=nonsense&at=3&lang=ko"`);
    await stands(page, 3);
    check((await textOf(page, "notice")).includes("rate=nonsense"), "the wrong part of the address is not named");
    check((await page.evaluate("document.documentElement.lang")) === "ko", "the language is not that of the address");
    expectSilence(visitor);
    expectSilence(again);
    return `${reached.length} stops; ${hash} leads back`;
  });
}

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 900 } } as const;

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

/** All looks of the page: nothing wider than the window, no violation found by axe. */
async function looks(context: Context): Promise<string> {
  const axe = readFileSync(
    join(context.tools("axe", ["axe-core@4.14.1"]), "node_modules", "axe-core", "axe.min.js"),
    "utf8",
  );
  mkdirSync(SCREENS, { recursive: true });
  return withBrowser(context, SITE, {}, async (browser, origin) => {
    let rules = 0;
    for (const [size, viewport] of Object.entries(SIZES)) {
      for (const colorScheme of ["light", "dark"]) {
        for (const lang of ["en", "ko"]) {
          const name = `${size}-${colorScheme}-${lang}`;
          const visitor = await open(browser, `${origin}/index.html#at=100&lang=${lang}`, { viewport, colorScheme });
          const { page } = visitor;
          await stands(page, 100);
          await page.evaluate(`document.getElementById("sample").click()`);
          await wait(page, `/%/.test(document.getElementById("guess").textContent)`);
          await page.screenshot({ path: join(SCREENS, `${name}.png`), fullPage: true });
          const wide = Number(await page.evaluate("document.documentElement.scrollWidth - innerWidth"));
          check(wide <= 0, `${name} is ${wide} pixels wider than the window`);
          await page.evaluate(axe);
          const found = (await page.evaluate(
            `axe.run().then(({ violations, passes }) => ({ violations, passes: passes.length }))`,
          )) as { violations: readonly Violation[]; passes: number };
          const told = found.violations.flatMap(({ id, nodes }) =>
            nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
          );
          check(told.length === 0, `${name}:\n${told.join("\n")}`);
          check(found.passes > 20, `axe has run ${found.passes} rules only`);
          rules = found.passes;
          expectSilence(visitor);
          await page.close();
        }
      }
    }
    return `8 looks in ${SCREENS}, ${rules} rules of axe`;
  });
}

const environment = (name: string, run: (context: Context) => Promise<string>): Environment => ({
  name: `the page, ${name}`,
  missing: missingChromium,
  async run(context) {
    await buildSite(context);
    return run(context);
  },
});

export const environments: readonly Environment[] = [
  environment("Node's bits", trainsToNodesBits),
  environment("size and time", sizeAndTime),
  environment("keyboard and address", byKeyboard),
  environment("looks and axe", looks),
];
