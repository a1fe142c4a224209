// examples/page-worker in Chromium, served by its own serve.js, isolated and not: the page, and the client class beside a network
// that is slow or that fails.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { tools } from "../environments/context.js";
import { ISOLATED, missingChromium, withBrowser, type Browser, type Page } from "../environments/pages.js";
import { root } from "../support/package-copy.js";
import { copyOf, run } from "./copies.js";

const TIMEOUT = 120_000;
const SCREENS = join(root, "build", "page-worker-screens");

const NO_CHROMIUM = missingChromium() !== null;

let folder = "";
/** The folder with a network.js and a page of the tests. */
let probed = "";
/** What Node makes of each size: `size: fingerprint`. */
let ofNode: ReadonlyMap<string, string> = new Map();
let browser: Browser;
let closeBrowser = (): void => undefined;
let closed: Promise<void> | undefined;
const servers: ChildProcess[] = [];

/** Starts the folder's own server. */
async function serve(of: string, args: readonly string[]): Promise<string> {
  const server = spawn(process.execPath, ["serve.js", ...args], { cwd: of, env: { ...process.env, PORT: "0" } });
  servers.push(server);
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  return /http:\S+:\d+/.exec(line.toString())![0];
}

/** One browser for all tests. */
function launch(): Promise<void> {
  return new Promise((resolve, reject) => {
    closed = withBrowser({ tools }, folder, {}, (launched) => {
      browser = launched;
      resolve();
      return new Promise<void>((close) => (closeBrowser = close));
    });
    closed.catch(reject);
  });
}

beforeAll(async () => {
  if (NO_CHROMIUM) return;
  folder = copyOf("page-worker");
  ofNode = new Map([...run(folder, "check.js").matchAll(/^(\w+): (\w+), /gm)].map(([, size, bits]) => [size!, bits!]));
  probed = copyOf("page-worker", "page-worker-probed");
  renameSync(join(probed, "network.js"), join(probed, "own-network.js"));
  copyFileSync(join(root, "test/examples/page-worker-network.js"), join(probed, "network.js"));
  copyFileSync(join(root, "test/examples/page-worker-probe.js"), join(probed, "probe.js"));
  writeFileSync(join(probed, "empty.html"), "<!doctype html><title>empty</title>");
  await launch();
});
afterAll(async () => {
  for (const server of servers) server.kill();
  closeBrowser();
  await closed;
});

/** Opens the page; fails if the page or the console said anything. */
async function visit(address: string, use: (page: Page) => Promise<void>): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  const said: string[] = [];
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("console", (message) => said.push(message.text()));
  await page.goto(`${address}/`, { timeout: TIMEOUT });
  await wait(page, `!document.getElementById("in-worker").disabled`);
  await use(page);
  expect(said).toEqual([]);
  await page.close();
}

const wait = (page: Page, code: string): Promise<unknown> =>
  page.waitForFunction(code, undefined, { timeout: TIMEOUT });
const click = (page: Page, id: string): Promise<unknown> => page.evaluate(`document.getElementById("${id}").click()`);
const choose = (page: Page, id: string, value: string): Promise<unknown> =>
  page.evaluate(`document.getElementById("${id}").value = "${value}"`);
const textOf = async (page: Page, id: string): Promise<string> =>
  String(await page.evaluate(`document.getElementById("${id}").innerText`));

const countIn = (card: string, what: string): string =>
  `Number(document.querySelector("#${card}-card [data-is=${what}]").textContent)`;
const count = async (page: Page, card: string, what: string): Promise<number> =>
  Number(await page.evaluate(countIn(card, what)));

/** Runs until something has been counted so often. */
async function runUntil(
  page: Page,
  button: string,
  card: string,
  counts: Readonly<Record<string, number>>,
): Promise<void> {
  await click(page, button);
  for (const [what, least] of Object.entries(counts)) await wait(page, `${countIn(card, what)} >= ${least}`);
  await click(page, "stop");
  await wait(page, `document.getElementById("stop").disabled`);
}

/** What Node makes of a tensor of the probe. */
const normalized = (x: Float32Array): Float32Array =>
  new BatchNorm(3, { eps: 0.5 }).eval().forward(x, [x.length / 3, 3]);

/** What a function of the probe gives, in a page of its own. */
async function ask(of: Browser, address: string, call: string): Promise<unknown> {
  const page = await of.newPage();
  await page.goto(`${address}/empty.html`, { timeout: TIMEOUT });
  const said = await page.evaluate(`import("/probe.js").then((probe) => probe.${call})`);
  await page.close();
  return said;
}

describe.skipIf(NO_CHROMIUM).each([
  { name: "not isolated", args: [] as string[], isShared: false },
  { name: "isolated", args: ["--isolated"], isShared: true },
])("page-worker, $name", { timeout: TIMEOUT }, ({ args, isShared }) => {
  let own = "";
  let other = "";
  beforeAll(async () => {
    [own, other] = await Promise.all([serve(folder, args), serve(probed, args)]);
  });
  const askHere = (call: string): Promise<unknown> => ask(browser, other, call);

  test("the page has the bits of Node", async () => {
    await visit(own, async (page) => {
      const memory = isShared
        ? /^The worker runs wasm on .* memory that is shared\.$/
        : /^The worker runs wasm on one thread, with buffers that go to and fro\.$/;
      expect(await textOf(page, "state")).toMatch(memory);
      expect([...ofNode.keys()]).toEqual(["small", "medium", "large"]);
      for (const [size, bits] of ofNode) {
        await choose(page, "size", size);
        await click(page, "compare");
        await wait(page, `document.getElementById("bits").innerText.startsWith("${size}")`);
        expect(await textOf(page, "bits")).toBe(`${size}: worker ${bits}, page ${bits}`);
      }
    });
  });

  test("frames are drawn while tensors are worked on in the worker, and none on the page's thread", async () => {
    await visit(own, async (page) => {
      await runUntil(page, "in-worker", "worker", { meanwhile: 40, tensors: 3 });
      await runUntil(page, "on-page", "page", { tensors: 5, frames: 2 });
      expect(await count(page, "page", "meanwhile")).toBe(0);
      expect(await textOf(page, "log")).toBe("");
      mkdirSync(SCREENS, { recursive: true });
      await page.screenshot({ path: join(SCREENS, isShared ? "isolated.png" : "page.png"), fullPage: true });
    });
  });

  test("the page drops what the worker has no time for, says what failed, and starts another worker", async () => {
    await visit(other, async (page) => {
      await choose(page, "size", "small");
      await choose(page, "full", "drop");
      await runUntil(page, "in-worker", "worker", { dropped: 5, tensors: 2 });
      await click(page, "wrong");
      const shape = `RangeError, ERR_BATCHNORM_SHAPE: "shape" expected 64 channels at axis 1, got 5 in [3, 5]`;
      await wait(page, `document.querySelectorAll("#log li").length === 1`);
      await click(page, "abort");
      await wait(page, `document.querySelectorAll("#log li").length === 2`);
      expect((await textOf(page, "log")).split("\n")).toEqual([shape, "done, done, AbortError, AbortError"]);
      await click(page, "in-worker");
      await wait(page, `${countIn("worker", "tensors")} >= 1`);
      await click(page, "kill");
      await wait(page, `document.getElementById("stop").disabled && !document.getElementById("restart").disabled`);
      expect(await textOf(page, "state")).toContain("ERR_NORMALIZER_CLOSED");
      await click(page, "restart");
      await wait(page, `!document.getElementById("in-worker").disabled`);
      await runUntil(page, "in-worker", "worker", { tensors: 2 });
    });
  });

  test("nothing is copied, and memory is used again", async () => {
    const x = Float32Array.from({ length: 12 }, (_, i) => 1 + i);
    const values = { x: [...x], y: [...normalized(x)] };
    const refused = { name: "DOMException", code: 25, message: expect.stringContaining("detached") as string };
    expect(await askHere("memory()")).toEqual({
      sent: isShared ? { length: 12, transferred: 0 } : { length: 0, transferred: 1 },
      isShared,
      same: isShared,
      values,
      spares: [false, true, true, true, true, true],
      viewStays: true,
      twice: isShared ? "shared" : ["done", refused],
    });
  });

  test("errors are values with their codes, and the worker goes on", async () => {
    const message = (pattern: RegExp): string => expect.stringMatching(pattern) as string;
    expect(await askHere("errors()")).toEqual({
      refused: [
        {
          name: "RangeError",
          code: "ERR_BATCHNORM_SHAPE",
          message: message(/^"shape" expected 3 channels/),
          isError: true,
        },
        { name: "TypeError", code: "ERR_BATCHNORM_TYPE", message: message(/^"shape"/), isError: true },
        { name: "RangeError", code: message(/^ERR_BATCHNORM_/), message: message(/^"shape/), isError: true },
      ],
      unclonable: { name: "DOMException", code: 25, message: message(/could not be cloned/) },
      lengths: { name: "RangeError", code: isShared ? "ERR_BATCHNORM_VALUE" : undefined, message: message(/length/) },
      nothing: { name: "TypeError", code: "ERR_NORMALIZER_TYPE", message: '"x" expected a Float32Array' },
      pending: 0,
      goesOn: [...normalized(new Float32Array(12).fill(1).map((one, i) => one + i))],
    });
  });

  test("the worker never has more tensors than it may, and the others wait in their order or are refused", async () => {
    expect(await askHere("backPressure()")).toEqual({
      pending: 5,
      sentAtOnce: 2,
      busy: { name: "RangeError", code: "ERR_NORMALIZER_BUSY", message: "the worker has enough to do" },
      kept: 12,
      most: 2,
      wait: "done",
      order: [0, 10, 20, 30, 40],
      isFull: false,
    });
  });

  test("an aborted tensor is not begun, in the worker or in the page", async () => {
    expect(await askHere("aborts()")).toEqual({
      ends: [0, 10, true, 30, true],
      late: true,
      sent: 5,
      dropped: 1,
      pending: 0,
      goesOn: 12,
    });
  });

  test("the result of an aborted tensor that runs is thrown away", async () => {
    expect(await askHere("abortsWhileItRuns()")).toEqual({
      end: "DOMException",
      pending: 1,
      dropped: 0,
      later: 0,
      goesOn: normalized(new Float32Array(12).fill(5))[0],
    });
  });

  test.each([
    ["throws", /^the worker failed: .*broken/],
    ["rejects", /^the worker failed: .*lost/],
    ["closes", /^the worker has ended$/],
  ])("all that waits is rejected where a worker %s", async (way, pattern) => {
    const failure = { name: "Error", code: "ERR_NORMALIZER_WORKER", message: expect.stringMatching(pattern) as string };
    expect(await askHere(`death("${way}")`)).toEqual({
      first: "done",
      last: failure,
      pending: 0,
      why: failure,
      later: failure,
      again: "done",
    });
  });

  test("closing rejects what waits", async () => {
    const closed = { name: "Error", code: "ERR_NORMALIZER_CLOSED", message: "the normalizer is closed" };
    expect(await askHere("closing()")).toEqual([closed, closed, closed]);
  });

  test("arrays of other sizes leave the arena, and those without room in it have memory of their own", async () => {
    expect(await askHere("sizes(64 * 2 ** 20)")).toEqual({ shared: isShared ? 16 : 0, right: true, isShared });
    const small = (await askHere("sizes(2 ** 20)")) as { shared: number; right: boolean };
    expect(small.right).toBe(true);
    expect(small.shared).toBeLessThan(16);
  });

  test("a description that the library refuses", async () => {
    const error = {
      name: "TypeError",
      code: "ERR_BATCHNORM_OPTION",
      message: expect.stringContaining("epsilon") as string,
    };
    expect(await askHere("badDescription()")).toEqual(error);
  });
});

describe.skipIf(NO_CHROMIUM)("page-worker, a worker that cannot start", { timeout: TIMEOUT }, () => {
  const scripts = "default-src 'self'; script-src 'self'";
  const askWith = (of: string, policy: string, call: string): Promise<unknown> => {
    const headers = { ...ISOLATED, "Content-Security-Policy": policy };
    return withBrowser({ tools }, of, { headers }, (strict, address) => ask(strict, address, call));
  };
  const failure = (pattern: RegExp): object => ({
    name: "Error",
    code: "ERR_NORMALIZER_WORKER",
    message: expect.stringMatching(pattern) as string,
  });

  test("a policy forbids it", async () => {
    const policy = `${scripts} 'wasm-unsafe-eval'; worker-src 'none'`;
    expect(await askWith(probed, policy, "begin()")).toEqual(failure(/^the worker (cannot start|failed)/));
  });

  test("a policy forbids WebAssembly or threads: the bits are the same", async () => {
    const usual = (await askWith(
      probed,
      `${scripts} 'wasm-unsafe-eval'; worker-src 'self' blob:`,
      "begin()",
    )) as object;
    expect(usual).toMatchObject({ backend: "wasm", isShared: true });
    expect(await askWith(probed, scripts, "begin()")).toEqual({ ...usual, backend: "oracle", isShared: false });
    // Without the library's own threads.
    const alone = await askWith(probed, `${scripts} 'wasm-unsafe-eval'; worker-src 'self'`, "begin()");
    expect(alone).toMatchObject({ ...usual, isShared: expect.any(Boolean) as boolean });
  });

  test("its script cannot be loaded, or never ends loading", async () => {
    const broken = copyOf("page-worker", "page-worker-broken");
    copyFileSync(join(probed, "probe.js"), join(broken, "probe.js"));
    copyFileSync(join(probed, "empty.html"), join(broken, "empty.html"));
    renameSync(join(broken, "network.js"), join(broken, "elsewhere.js"));
    expect(await askWith(broken, scripts, "begin()")).toEqual(
      failure(/^the worker failed: its script cannot be loaded/),
    );
    writeFileSync(
      join(broken, "network.js"),
      "await new Promise(() => undefined);\nexport const [makeLayers, forward] = [];\n",
    );
    const late = { name: "DOMException", code: 23, message: expect.stringContaining("timed out") as string };
    expect(await askWith(broken, scripts, "begin({ aborted: true })")).toEqual(late);
  });
});

test.skipIf(NO_CHROMIUM)("page-worker, the code of its README", { timeout: TIMEOUT }, async () => {
  const [, code] = /```js\n([^]*?)```/.exec(readFileSync(join(folder, "README.md"), "utf8"))!;
  const around = `import { BatchNorm } from "./batchnorm.js";
const [bn, signal] = [new BatchNorm(64, { eps: 3 }), undefined];
export let shown;
const show = (y) => (shown = y.every((value) => value === 4));
`;
  const given = code!.replace("const result", "x.fill(8);\nconst result");
  writeFileSync(join(probed, "readme.js"), around + given);
  const page = await browser.newPage();
  await page.goto(`${await serve(probed, [])}/empty.html`, { timeout: TIMEOUT });
  expect(await page.evaluate(`import("/readme.js").then(({ shown }) => shown)`)).toBe(true);
});

test.skipIf(NO_CHROMIUM)("page-worker is bundled by vite", { timeout: TIMEOUT }, async () => {
  const bundled = copyOf("page-worker", "page-worker-bundled");
  const vite = createRequire(join(root, "package.json")).resolve("vite/package.json");
  execFileSync(process.execPath, [join(dirname(vite), "bin/vite.js"), "build"], { cwd: bundled, stdio: "pipe" });
  const dist = join(bundled, "dist");
  copyFileSync(join(bundled, "serve.js"), join(dist, "serve.js"));
  for (const args of [[], ["--isolated"]])
    await visit(await serve(dist, args), async (page) => {
      await choose(page, "size", "small");
      await click(page, "compare");
      await wait(page, `document.getElementById("bits").innerText.startsWith("small")`);
      const bits = ofNode.get("small");
      expect(await textOf(page, "bits")).toBe(`small: worker ${bits}, page ${bits}`);
    });
});
