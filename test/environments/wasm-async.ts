// Asynchronous calls on WebAssembly: where there can be workers the event loop goes on while a large tensor is normalized, with
// the bits of a synchronous call; elsewhere the reason is told, and the bits are the same. The program is the same everywhere.
import { BUNDLERS } from "./bundles.js";
import type { Environment } from "./environment.js";
import { ISOLATED, missingChromium } from "./pages.js";
import {
  POLICY,
  POLICY_WITH_BLOB,
  inBundle,
  inPage,
  inWorkerd,
  withoutWorkers,
  type Place,
  type Script,
} from "./wasm-places.js";

interface Told {
  readonly backend: string;
  /** How many of the ways gave the bits of a synchronous call. */
  readonly same: number;
  /** Whether another turn of the event loop came while the kernels ran. */
  readonly goesOn: boolean;
  /** What became of a call that was aborted while it ran, and of one whose array was taken away. */
  readonly aborted: string;
  readonly detached: string;
  readonly noWorker?: string;
}

/** A function of the package that returns what is told, as JSON. */
const SCRIPT = `
async function callLater({ BatchNorm, backends, createArena }) {
  const shape = [16, 32, 64, 64];
  const length = 2 ** 21;
  const fill = (x, prime) => { for (let i = 0; i < length; i++) x[i] = ((i * prime) % 1009) / 64 - 5; return x; };
  const make = (reuse) => new BatchNorm(32, { backend: "wasm", reuse, activation: "relu" });
  const isSame = (a, b) => a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
  const ordinary = (prime) => fill(new Float32Array(length), prime);
  const arena = createArena(16 * length + 4096, { shared: true });
  const inArena = (prime) => fill(arena.float32(length), prime);
  const sync = make(false);
  const expected = [sync.forward(ordinary(7919), shape), sync.backward(ordinary(6007)).gradInput];
  let same = 0;
  for (const [tensor, reuse] of [[ordinary, false], [ordinary, true], [inArena, true]]) {
    const bn = make(reuse);
    const y = bn.forwardAsync(tensor(7919), shape);
    const { gradInput } = await bn.backwardAsync(tensor(6007));
    if (isSame(await y, expected[0]) && isSame(gradInput, expected[1])) same++;
  }
  const outcome = (call) => call.then(() => "fulfilled", (error) => error.code ?? String(error));
  const next = () => new Promise((resolve) => setTimeout(resolve, 0));
  const gone = new AbortController();
  const aborted = outcome(make(false).forwardAsync(ordinary(1), shape, { signal: gone.signal }));
  await next();
  gone.abort("enough");
  const x = ordinary(1);
  const detached = outcome(make(false).forwardAsync(x, shape));
  structuredClone(x, { transfer: [x.buffer] });
  const { noWorker } = backends().find(({ name }) => name === "wasm");
  const told = { backend: make(false).backend, same, goesOn: await goesOn(make(false), ordinary(1), shape), noWorker };
  return JSON.stringify({ ...told, aborted: await aborted, detached: await detached });
}

/** Whether the loop has many turns during a call. Slices of a copy would give it sixteen at most. */
async function goesOn(bn, x, shape) {
  const turn = () => new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => (port1.close(), resolve());
    port2.postMessage(null);
  });
  for (let i = 0; i < 5; i++) {
    let [turns, isOver] = [0, false];
    const call = bn.forwardAsync(x, shape).finally(() => (isOver = true));
    for (; !isOver; turns++) await turn();
    await call;
    if (turns > 40) return true;
  }
  return false;
}`;

/** Checks what was told: calls in a worker, or the reason why they are not. */
function expectTold(text: string, reason?: RegExp): string {
  const line = text.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined) throw new Error(`nothing is told:\n${text}`);
  const told = JSON.parse(line) as Told;
  const { backend, same, goesOn, aborted, detached, noWorker } = told;
  const isAsEverywhere =
    backend === "wasm" &&
    same === 3 &&
    ["fulfilled", "enough"].includes(aborted) &&
    ["fulfilled", "ERR_BATCHNORM_DETACHED"].includes(detached);
  const isRight = reason ? !goesOn && reason.test(noWorker ?? "") : goesOn && noWorker === undefined;
  if (!isAsEverywhere || !isRight) throw new Error(line);
  return reason ? `on the calling thread: ${noWorker}` : "in a worker";
}

/** Without isolation too: arrays are moved to the worker. */
const PLACES: readonly Place[] = [
  { name: "page that is not isolated" },
  { name: "isolated page", headers: ISOLATED },
  { name: "module worker of a page", page: "worker.html" },
  { name: "module worker of an isolated page", page: "worker.html", headers: ISOLATED },
  { name: "page, CSP without blob:", headers: POLICY, reason: /content security policy/i },
  {
    name: "page, CSP with blob:",
    headers: POLICY_WITH_BLOB,
  },
];

const PROGRAM: Script = { text: SCRIPT, name: "callLater" };

export const environments: readonly Environment[] = [
  {
    name: "calls in workers of WASM, Node that refuses workers",
    run: (context) => withoutWorkers(context, PROGRAM, expectTold),
  },
  ...PLACES.map((place): Environment => ({
    name: `calls in workers of WASM, Chromium, ${place.name}`,
    missing: missingChromium,
    run: async (context) => expectTold(await inPage(context, place, PROGRAM), place.reason),
  })),
  ...BUNDLERS.map((bundler): Environment => ({
    name: `calls in workers of WASM, Chromium, bundled by ${bundler.name}`,
    missing: missingChromium,
    run: async (context) => expectTold(await inBundle(context, bundler, PROGRAM)),
  })),
  {
    name: "calls in workers of WASM, workerd",
    run: async (context) => expectTold(await inWorkerd(context, PROGRAM), /edge workers/),
  },
];
