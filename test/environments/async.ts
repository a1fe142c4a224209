// Asynchronous calls in every runtime that loads the addon: the bits of synchronous ones, arrays that go away, signals, a worker
// that is ended while its calls run, and a process that ends with one on its way.
import { type Context, type Environment } from "./environment.js";
import { succeed } from "./programs.js";
import { LINES, bun, deno, node } from "./runtimes.js";

const ROUNDS = 40;
const WORKERS = 5;

const program = `
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { BatchNorm, backends } from "batchnorm";

const SHAPE = [9, 20, 29, 29];
const SIZE = 9 * 20 * 29 * 29;
function tensor(isShared) {
  const x = new Float32Array(isShared ? new SharedArrayBuffer(4 * SIZE) : new ArrayBuffer(4 * SIZE));
  for (let i = 0; i < SIZE; i++) x[i] = ((i * 7919) % 1009) / 500;
  return x;
}
const turns = async (count) => { for (; count > 0; count--) await new Promise((resolve) => setImmediate(resolve)); };
const isSame = (a, b) => a.every((value, i) => Object.is(value, b[i]));

if (!isMainThread) {
  const [x, bn] = [tensor(true), new BatchNorm(20)];
  await bn.forwardAsync(x, SHAPE);
  parentPort.postMessage("working");
  for (;;) await Promise.all([bn.forwardAsync(x, SHAPE), bn.forwardAsync(tensor(false), SHAPE)]);
}
const tally = { backend: new BatchNorm(1).backend, same: 0, ended: 0, workers: 0 };
const sync = new BatchNorm(20);
const expected = { y: sync.forward(tensor(false), SHAPE), ...sync.backward(tensor(false)) };
for (const reuse of [false, true]) {
  for (const isShared of [false, true]) {
    const bn = new BatchNorm(20, { reuse });
    const y = await bn.forwardAsync(tensor(isShared), SHAPE);
    const { gradInput, gradWeight } = await bn.backwardAsync(tensor(isShared));
    const isRight = isSame(y, expected.y) && isSame(gradInput, expected.gradInput) && isSame(gradWeight, expected.gradWeight);
    if (isRight && isSame(bn.runningVar, sync.runningVar)) tally.same++;
  }
}
for (let i = 0; i < ${ROUNDS}; i++) {
  const bn = new BatchNorm(20).eval();
  const gone = new AbortController();
  const x = tensor(i % 2 === 0);
  const call = bn.forwardAsync(x, SHAPE, { signal: gone.signal }).then(
    () => "fulfilled",
    (error) => error.code ?? error,
  );
  await turns(i % 7);
  if (i % 4 === 1) structuredClone(x, { transfer: [x.buffer] });
  else gone.abort("enough");
  if (["fulfilled", "enough", "ERR_BATCHNORM_DETACHED"].includes(await call)) tally.ended++;
}
for (let i = 0; i < ${WORKERS}; i++) {
  const worker = new Worker(new URL(import.meta.url));
  await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
  await turns(i);
  await worker.terminate();
  tally.workers++;
}
tally.noWorker = backends().find(({ name }) => name === "wasm").noWorker ?? null;
console.log(JSON.stringify(tally));
void new BatchNorm(20).forwardAsync(tensor(true), SHAPE);
`;

/** Runs the program on the best backend, and then on WebAssembly, whose kernels run in workers. */
async function runs(context: Context, command: string, ...args: string[]): Promise<string> {
  return `${await runsOn(context.native, context, command, ...args)}; ${await runsOn("wasm", context, command, ...args)}`;
}

async function runsOn(backend: string, context: Context, command: string, ...args: string[]): Promise<string> {
  const cwd = context.folder({ "async.mjs": program });
  const env = { DENO_NO_UPDATE_CHECK: "1", BATCHNORM_BACKEND: backend };
  const text = await succeed(context, command, [...args, "async.mjs"], { cwd, env });
  const expected = { backend, same: 4, ended: ROUNDS, workers: WORKERS, noWorker: null };
  if (text.trim() !== JSON.stringify(expected)) throw new Error(`${text.trim()}, not ${JSON.stringify(expected)}`);
  return `${backend}: ${ROUNDS} calls that were disturbed, ${WORKERS} workers that were ended`;
}

export const environments: Environment[] = [
  ...LINES.map((line): Environment => ({
    name: `node ${line}, asynchronous calls`,
    run: (context) => runs(context, node(context, line)),
  })),
  { name: "deno, asynchronous calls", run: (context) => runs(context, deno(context), "run", "--no-prompt", "-A") },
  { name: "bun, asynchronous calls", run: (context) => runs(context, bun(context)) },
];
