// The page and the workers of a synchronized layer, in one file: a bundle of it is both. The page says, as JSON, how it went.
import { BatchNorm } from "batchnorm";
import { SyncBatchNorm, endRank, sharedGroup, watchWorker, workerGroup } from "batchnorm/sync";

const { addEventListener, crossOriginIsolated, performance, postMessage } = globalThis;

const CHANNELS = 16;
/** A group of the contract, so that the parts give the bits of the whole batch. */
const SAMPLES = 4096;
const SIZE = SAMPLES * CHANNELS;
/** A gather's limits in milliseconds: of ranks that come, and where one of them never does. */
const LONG = 30_000;
const TIMEOUT = 4000;

const OPTIONS = { backend: "wasm", activation: "relu" };

/** Values of the whole batch, from those of a rank's part on. */
const tensor = (factor, rank, length) =>
  Float32Array.from({ length }, (_, i) => (((rank * SIZE + i) * factor) % 1009) / 64 - 5);

const outcome = ({ backend, runningMean, runningVar }, y, grads) => ({
  backend,
  shared: [runningMean, runningVar, grads.gradWeight, grads.gradBias],
  parts: [y, grads.gradInput],
});

const layerOf = (group) => new SyncBatchNorm(CHANNELS, { ...OPTIONS, group, parameterGrads: "global", name: "bn" });

/** A worker's rank: it blocks. */
function train(group) {
  const bn = layerOf(group);
  const y = bn.forward(tensor(7919, group.rank, SIZE), [SAMPLES, CHANNELS]);
  return outcome(bn, y, bn.backward(tensor(6007, group.rank, SIZE)));
}

/** The page's rank: it must not block. */
async function trainAsync(group) {
  const bn = layerOf(group);
  const y = await bn.forwardAsync(tensor(7919, group.rank, SIZE), [SAMPLES, CHANNELS]);
  return outcome(bn, y, await bn.backwardAsync(tensor(6007, group.rank, SIZE)));
}

function whole(ranks) {
  const bn = new BatchNorm(CHANNELS, OPTIONS);
  const y = bn.forward(tensor(7919, 0, ranks * SIZE), [ranks * SAMPLES, CHANNELS]);
  return outcome(bn, y, bn.backward(tensor(6007, 0, ranks * SIZE)));
}

const isSame = (a, b) => a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/** Whether a rank has the bits of its part of the whole batch. */
const isPart = ({ shared, parts }, rank, expected) =>
  shared.every((array, i) => isSame(array, expected.shared[i])) &&
  parts.every((array, i) => isSame(array, expected.parts[i].subarray(rank * SIZE, (rank + 1) * SIZE)));

const textOf = ({ code, ranks, message }) => ({ code, ranks, message });

/** What a worker does: it trains, or fails before. */
function work({ shared, rank, task, timeout }) {
  const group = workerGroup(shared, rank, { timeout });
  if (task === "throw") throw new Error("the worker is broken");
  if (task === "hang") return postMessage({ hangs: true });
  if (task === "abort") {
    // As docs/sync.md has it: a page does not see a promise that is rejected.
    Promise.reject(new Error("no data")).catch(({ message }) => group.abort(message));
    return postMessage({ aborts: true });
  }
  try {
    postMessage({ trained: train(group) });
  } catch (error) {
    postMessage({ error: textOf(error) });
  }
}

/** A worker with a rank, and the promise of its first message. */
function start(shared, rank, { task = "train", timeout = LONG, watches = true } = {}) {
  const worker = new Worker(import.meta.url, { type: "module" });
  if (watches) watchWorker(shared, rank, worker);
  const said = new Promise((resolve) => {
    worker.addEventListener("message", ({ data }) => resolve(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      resolve({ crashed: event.message });
    });
  });
  worker.postMessage({ shared, rank, task, timeout });
  return { worker, said };
}

async function threeWorkers() {
  const shared = sharedGroup(3);
  const workers = [0, 1, 2].map((rank) => start(shared, rank));
  const said = await Promise.all(workers.map((one) => one.said));
  workers.forEach(({ worker }) => worker.terminate());
  const expected = whole(3);
  return said.map(({ trained, error }, rank) => (trained ? isPart(trained, rank, expected) : error));
}

/** Parts of an array that are longer than what is posted at once, too. */
async function pageAndWorkers(capacity) {
  const shared = sharedGroup(3, { capacity });
  const workers = [1, 2].map((rank) => start(shared, rank));
  const group = workerGroup(shared, 0, { timeout: LONG });
  const own = await trainAsync(group);
  const said = await Promise.all(workers.map((one) => one.said));
  workers.forEach(({ worker }) => worker.terminate());
  const expected = whole(3);
  const others = said.map(({ trained, error }, i) => (trained ? isPart(trained, i + 1, expected) : error));
  return [isPart(own, 0, expected), ...others];
}

/** A page that calls what blocks. */
function blockingPage() {
  const group = workerGroup(sharedGroup(2), 0);
  try {
    return train(group);
  } catch (error) {
    return textOf(error);
  }
}

/** What the page and a worker get when rank 2 fails, and after how many milliseconds. */
async function failing(task, watches, end = () => undefined) {
  const shared = sharedGroup(3);
  const other = start(shared, 1, { timeout: TIMEOUT });
  const lost = start(shared, 2, { task, watches });
  const own = workerGroup(shared, 0, { timeout: TIMEOUT });
  await lost.said;
  const begin = performance.now();
  const call = trainAsync(own).then(() => ({}), textOf);
  end(lost.worker, shared);
  const [page, { error: worker }] = [await call, await other.said];
  const milliseconds = performance.now() - begin;
  other.worker.terminate();
  lost.worker.terminate();
  return { page, worker, milliseconds };
}

function unshared() {
  try {
    return sharedGroup(2);
  } catch (error) {
    return textOf(error);
  }
}

async function report() {
  if (!crossOriginIsolated) return { unshared: unshared() };
  return {
    isolated: crossOriginIsolated,
    waitAsync: typeof Atomics.waitAsync === "function",
    backend: whole(1).backend,
    workers: await threeWorkers(),
    page: await pageAndWorkers(32_768),
    pageInParts: await pageAndWorkers(7),
    blocking: blockingPage(),
    thrown: await failing("throw", true),
    aborted: await failing("abort", true),
    ended: await failing("hang", true, (worker, shared) => {
      worker.terminate();
      endRank(shared, 2, "it was terminated");
    }),
    silent: await failing("hang", false, (worker) => worker.terminate()),
  };
}

if (typeof document === "undefined") addEventListener("message", ({ data }) => work(data));
else
  report().then(
    (said) => (globalThis.said = JSON.stringify(said)),
    (error) => (globalThis.said = String(error.stack)),
  );
