// Run in a process of its own: async-ends MODE ROUNDS BACKEND. Ends asynchronous calls in every way, and prints a tally. What each mode
// does is at its function.
import { once } from "node:events";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { BatchNorm, batchNormTrainingAsync, type BackendRequest } from "../../src/index.js";
import { random } from "../../src/verify/data.js";

const SHAPE = [16, 32, 32, 32];
const SIZE = SHAPE.reduce((a, b) => a * b, 1);
const next = random(Number(process.argv[3] ?? 1));
/** In a worker, what the thread that made it says. */
const { backend, isWorking } = (workerData ?? { backend: process.argv[4] ?? "native", isWorking: false }) as {
  readonly backend: BackendRequest;
  readonly isWorking: boolean;
};
const layer = (): BatchNorm => new BatchNorm(32, { backend });

function tensor(isShared: boolean): Float32Array {
  const bytes = 4 * SIZE;
  const data = new Float32Array(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  for (let i = 0; i < SIZE; i++) data[i] = ((i * 7919) % 1009) / 500;
  return data;
}

const wait = (turns: number): Promise<void> =>
  turns === 0 ? Promise.resolve() : new Promise((resolve) => setImmediate(() => resolve(wait(turns - 1))));

function start(bn: BatchNorm, x: Float32Array, signal?: AbortSignal): Promise<unknown>[] {
  return [
    bn.forwardAsync(x, SHAPE, { signal }),
    bn.backwardAsync(x, { signal }),
    batchNormTrainingAsync(x, SHAPE, { backend, signal }),
  ];
}

/** Aborts calls at any moment. Those that are left give the bits of a call that nothing disturbed. */
async function abort(rounds: number): Promise<Record<string, number>> {
  const tally = { fulfilled: 0, aborted: 0, other: 0, same: 0 };
  const [ordinary, shared] = [tensor(false), tensor(true)];
  const expected = Buffer.from(layer().forward(ordinary, SHAPE).buffer);
  for (let i = 0; i < rounds; i++) {
    const bn = layer();
    const controller = new AbortController();
    const calls = start(bn, i % 2 ? shared : ordinary, controller.signal);
    await wait(Math.floor(next() * 12));
    controller.abort("enough");
    for (const outcome of await Promise.allSettled(calls)) {
      if (outcome.status === "fulfilled") tally.fulfilled++;
      else if (outcome.reason === "enough" || (outcome.reason as { code: string }).code === "ERR_BATCHNORM_SAVED")
        tally.aborted++;
      else tally.other++;
    }
    if (bn.pending !== 0) tally.other++;
    if (i % 20 === 0) {
      const y = (await bn.forwardAsync(ordinary, SHAPE)) as Float32Array<ArrayBuffer>;
      if (Buffer.from(y.buffer).equals(expected)) tally.same++;
    }
  }
  return tally;
}

/** Ends worker threads while their calls run. */
async function workers(rounds: number): Promise<Record<string, number>> {
  let ended = 0;
  for (let i = 0; i < rounds; i++) {
    const worker = new Worker(new URL("async-ends.mjs", import.meta.url), {
      workerData: { backend, isWorking: true },
      execArgv: [],
    });
    await once(worker, "message");
    await wait(Math.floor(next() * 6));
    await worker.terminate();
    ended++;
  }
  const bn = layer();
  await bn.forwardAsync(tensor(false), SHAPE);
  return { ended, tracked: bn.numBatchesTracked };
}

/** Leaves calls to a process that ends by itself: it waits for them. */
async function left(): Promise<Record<string, number>> {
  const bn = layer();
  void Promise.all(start(bn, tensor(false)));
  return Promise.resolve({ pending: bn.pending });
}

/** Exits while calls run. */
async function exit(turns: number): Promise<never> {
  for (const isShared of [false, true]) void start(layer(), tensor(isShared));
  await wait(turns);
  console.log(JSON.stringify({ turns }));
  process.exit(0);
}

/** Bytes by which memory has grown over many calls, some of which fail. */
async function memory(rounds: number): Promise<Record<string, number>> {
  const measure = async (): Promise<NodeJS.MemoryUsage> => {
    for (let i = 0; i < 3; i++) {
      globalThis.gc!();
      await wait(2);
    }
    return process.memoryUsage();
  };
  await abort(rounds);
  const before = await measure();
  await abort(2 * rounds);
  const after = await measure();
  return {
    heap: after.heapUsed - before.heapUsed,
    buffers: after.arrayBuffers - before.arrayBuffers,
    external: after.external - before.external,
    rss: after.rss - before.rss,
  };
}

if (isWorking) {
  const layers = [0, 1].map(layer);
  const tensors = [tensor(false), tensor(true)];
  for (const [i, bn] of layers.entries()) await Promise.all(start(bn, tensors[i]!));
  parentPort!.postMessage("working");
  for (;;) await Promise.all(layers.flatMap((bn, i) => start(bn, tensors[i]!)));
}
if (isMainThread) {
  const [mode, count] = process.argv.slice(2);
  const modes = { abort, workers, left, exit, memory };
  console.log(JSON.stringify(await modes[mode as keyof typeof modes](Number(count))));
}
