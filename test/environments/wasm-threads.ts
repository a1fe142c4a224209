// WASM on two threads: where there can be workers, they work and give the bits of one thread, and the process ends; elsewhere
// the reason is told. The program is the same everywhere.
import { join } from "node:path";
import { grows, thirdsOf } from "../support/levels.js";
import { BUNDLERS } from "./bundles.js";
import type { Context, Environment } from "./environment.js";
import { ISOLATED, missingChromium } from "./pages.js";
import { succeed } from "./programs.js";
import { bun, deno, LINES, node } from "./runtimes.js";
import {
  POLICY,
  POLICY_WITH_BLOB,
  inBundle,
  inPage,
  inWorkerd,
  moduleOf,
  withoutWorkers,
  type Place,
  type Script,
} from "./wasm-places.js";

/** What the program tells. */
interface Told {
  readonly threads: number;
  readonly shared: boolean;
  /** The most threads that worked on a call, and whether all bits were those of one. */
  readonly used: number;
  readonly same: boolean;
  readonly oneThread?: string;
}

/** A function of the package that returns what is told, as JSON. */
const SCRIPT = `
async function shareWork({ BatchNorm, backends, createArena, warmUp }) {
  const { threads } = await warmUp({ backend: "wasm", threads: 2 });
  const shape = [16, 64, 1024];
  const length = 2 ** 20;
  const arena = createArena(16 * length + 4096, { shared: true });
  const [x, y, dy, dx] = [1, 2, 3, 4].map(() => arena.float32(length));
  for (let i = 0; i < length; i++) x[i] = ((i * 7919) % 1009) / 64 - 5;
  for (let i = 0; i < length; i++) dy[i] = ((i * 6007) % 1013) / 64 - 5;
  const run = (threads) => {
    const layer = new BatchNorm(64, { backend: "wasm", threads });
    layer.forward(x, shape, { out: y });
    const used = layer.threads;
    layer.backward(dy, { out: dx });
    return { used: Math.max(used, layer.threads), arrays: [y.slice(), dx.slice()] };
  };
  const one = run(1);
  let used = 1;
  let same = true;
  for (let i = 0; i < 100 && (i < 3 || used < Math.min(2, threads)); i++) {
    const two = run(2);
    used = Math.max(used, two.used);
    same &&= two.arrays.every((array, k) => array.every((value, j) => Object.is(value, one.arrays[k][j])));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const { oneThread } = backends().find(({ name }) => name === "wasm");
  return JSON.stringify({ threads, shared: arena.shared, used, same, oneThread });
}`;

const SHARING: Script = { text: SCRIPT, name: "shareWork" };
const REQUIRING = `${SCRIPT}\nshareWork(require("batchnorm")).then(console.log);\n`;

/** Checks what was told: two threads, or the reason for one. */
function expectTold(text: string, reason?: RegExp): string {
  const line = text.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`nothing is told:\n${text}`);
  const told = JSON.parse(line) as Told;
  const isRight = reason
    ? told.threads === 1 && told.used === 1 && reason.test(told.oneThread ?? "")
    : told.threads === 2 && told.used === 2 && told.shared && told.oneThread === undefined;
  if (!isRight || !told.same) throw new Error(line);
  return reason ? `1 thread: ${told.oneThread}` : "2 threads";
}

const FILES = { "program.mjs": moduleOf(SHARING), "program.cjs": REQUIRING };

async function inNode(context: Context): Promise<string> {
  const cwd = context.folder(FILES);
  for (const line of LINES) {
    for (const name of ["program.mjs", "program.cjs"]) {
      expectTold(await succeed(context, node(context, line), ["--no-addons", name], { cwd }));
    }
  }
  return `2 threads; Node ${LINES.join(", ")}`;
}

/** Threads of the program that are ended while a call of theirs has workers; resident memory of each round, in megabytes. */
const TERMINATED = `
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { BatchNorm, createArena, warmUp } from "batchnorm";
const round = (i) => new Promise((resolve, reject) => {
  const worker = new Worker(new URL(import.meta.url));
  worker.on("error", reject);
  worker.on("message", (used) => setTimeout(() => worker.terminate().then(() => resolve(used), reject), i % 8));
});
if (isMainThread) {
  const resident = [];
  let used = 1;
  for (let i = 0; i < 30; i++) {
    used = Math.max(used, await round(i));
    resident.push(Math.round(process.memoryUsage().rss / 2 ** 20));
  }
  console.log(JSON.stringify({ used, resident }));
} else {
  await warmUp({ backend: "wasm", threads: 2 });
  const layer = new BatchNorm(64, { threads: 2, backend: "wasm" });
  const arena = createArena(2 ** 25, { shared: true });
  const [x, y] = [arena.float32(2 ** 20), arena.float32(2 ** 20)];
  let used = 1;
  for (let i = 0; i < 20; i++) {
    layer.forward(x, [16, 64, 1024], { out: y });
    used = Math.max(used, layer.threads);
  }
  parentPort.postMessage(used);
  for (;;) {
    layer.forward(x, [16, 64, 1024], { out: y });
    layer.backward(y, { out: y });
  }
}`;

/** Megabytes that the last third of the rounds may be above the second: each round has 8 MB of arrays and two threads. */
const SLACK = 24;

async function endedInCalls(context: Context): Promise<string> {
  const cwd = context.folder({ "program.mjs": TERMINATED });
  const told: string[] = [];
  for (const line of LINES) {
    const stdout = await succeed(context, node(context, line), ["program.mjs"], { cwd });
    const { used, resident } = JSON.parse(stdout) as { used: number; resident: number[] };
    const thirds = thirdsOf(resident);
    if (used !== 2 || grows(thirds, SLACK)) throw new Error(stdout);
    told.push(thirds.join(" "));
  }
  return `30 rounds each; MB resident at most, by thirds: ${told.join(", ")}`;
}

async function inDeno(context: Context): Promise<string> {
  const cwd = context.folder(FILES);
  const env = { DENO_DIR: join(cwd, "cache"), DENO_NO_UPDATE_CHECK: "1" };
  return expectTold(await succeed(context, deno(context), ["run", "-A", "program.mjs"], { cwd, env }));
}

async function inBun(context: Context): Promise<string> {
  const cwd = context.folder(FILES);
  return expectTold(await succeed(context, bun(context), ["program.mjs"], { cwd }));
}

const PLACES: readonly Place[] = [
  { name: "isolated page", headers: ISOLATED },
  { name: "module worker of an isolated page", page: "worker.html", headers: ISOLATED },
  { name: "page that is not isolated", reason: /cross-origin isolated/ },
  { name: "isolated page, CSP without blob:", headers: { ...ISOLATED, ...POLICY }, reason: /content security policy/i },
  {
    name: "isolated page, CSP with blob:",
    headers: { ...ISOLATED, ...POLICY_WITH_BLOB },
  },
];

export const environments: readonly Environment[] = [
  { name: "threads of WASM, Node", run: inNode },
  {
    name: "threads of WASM, Node that refuses workers",
    run: (context) => withoutWorkers(context, SHARING, expectTold),
  },
  { name: "threads of WASM, worker threads ended in a call", run: endedInCalls },
  { name: "threads of WASM, deno", run: inDeno },
  { name: "threads of WASM, bun", run: inBun },
  ...PLACES.map((place): Environment => ({
    name: `threads of WASM, Chromium, ${place.name}`,
    missing: missingChromium,
    run: async (context) => expectTold(await inPage(context, place, SHARING), place.reason),
  })),
  ...BUNDLERS.map((bundler): Environment => ({
    name: `threads of WASM, Chromium, bundled by ${bundler.name}`,
    missing: missingChromium,
    run: async (context) => expectTold(await inBundle(context, bundler, SHARING, ISOLATED)),
  })),
  {
    name: "threads of WASM, workerd",
    run: async (context) => expectTold(await inWorkerd(context, SHARING), /compiled/),
  },
];
