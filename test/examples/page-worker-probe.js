// What test/examples/page-worker.test.ts asks of the client class of examples/page-worker, in a page. The folder has this file
// beside its own, and a network.js that takes its time and does what the first value of a tensor says.
import { BatchNorm } from "./batchnorm.js";
import { fingerprint } from "./data.js";
import { Normalizer } from "./normalizer.js";

const CHANNELS = 3;
const descriptions = [{ channels: CHANNELS, options: { eps: 0.5 } }];
/** First values that network.js knows. */
const ORDERS = { throws: -1001, rejects: -1002, closes: -1003, lasts: -1004 };

/** All messages to workers and from them, in their order. */
const messages = [];
globalThis.Worker = class extends Worker {
  constructor(...args) {
    super(...args);
    this.addEventListener("message", ({ data }) => messages.push({ from: data }));
  }
  postMessage(message, transfer) {
    super.postMessage(message, transfer);
    messages.push({ to: message, transfer });
  }
};
const requests = () => messages.flatMap(({ to, transfer }) => (to?.shape ? [{ ...to, transfer }] : []));

const start = (options) => Normalizer.start(descriptions, options);
const say = (error) => ({ name: error.constructor.name, code: error.code, message: error.message });
const outcome = (promise) => promise.then(() => "done", say);

async function tensor(normalizer, first, rows = 4) {
  const x = await normalizer.take(rows * CHANNELS);
  for (let i = 0; i < x.length; i++) x[i] = first + i;
  return x;
}
const shapeOf = (x) => [x.length / CHANNELS, CHANNELS];

/** Who has the memory of x and y, and how often it is used again. */
export async function memory() {
  const normalizer = await start();
  const x = await tensor(normalizer, 1);
  const call = normalizer.normalize(x, shapeOf(x));
  const sent = { length: x.length, transferred: requests()[0].transfer.length };
  const result = await call;
  const isShared = result.x.buffer instanceof SharedMemory && result.y.buffer instanceof SharedMemory;
  const values = { x: [...result.x], y: [...result.y] };
  normalizer.release(result.y);
  let again = result.x;
  for (let i = 0; i < 5; i++) {
    const { x: back, y } = await normalizer.normalize(again, shapeOf(again));
    again = back;
    normalizer.release(y);
    normalizer.release(y); // a second time is as once
  }
  const spares = requests().map(({ y }) => y !== undefined);
  const whole = new Float32Array(24).map((_, i) => i);
  const view = whole.subarray(12);
  const ofView = await normalizer.normalize(view, [4, CHANNELS]);
  const viewStays = view.length === 12 && ofView.x.every((value, i) => value === 12 + i);
  const twice = isShared
    ? "shared"
    : [again, again].map((array) => outcome(normalizer.normalize(array, [4, CHANNELS])));
  return {
    sent,
    isShared,
    same: result.x === x,
    values,
    spares,
    viewStays,
    twice: isShared ? twice : await Promise.all(twice),
  };
}
/** Pages that are not isolated do not have the name. */
const SharedMemory = globalThis.SharedArrayBuffer ?? class {};

/** Errors of the library, and that the arrays of a request that failed are used again. */
export async function errors() {
  const normalizer = await start();
  const refused = [];
  for (const shape of [[3, 5], "wide", [4, -3]]) {
    const x = await tensor(normalizer, 1, 5);
    const end = normalizer.normalize(x, shape);
    refused.push(
      await end.then(
        () => "done",
        (error) => ({ ...say(error), isError: error instanceof Error }),
      ),
    );
  }
  // It is sent when the answer of another comes.
  const tensors = [await tensor(normalizer, 1), await tensor(normalizer, 2), await tensor(normalizer, 3)];
  const calls = tensors.map((x, i) => outcome(normalizer.normalize(x, [i === 2 ? () => 4 : 4, CHANNELS])));
  const unclonable = (await Promise.all(calls)).at(-1);
  const lengths = await outcome(normalizer.take(-1));
  const nothing = await outcome(normalizer.normalize(undefined, [4, CHANNELS]));
  const { y } = await normalizer.normalize(await tensor(normalizer, 1), [4, CHANNELS]);
  return { refused, unclonable, lengths, nothing, pending: normalizer.pending, goesOn: [...y] };
}

/** Five tensors, of which the worker has two at a time. */
export async function backPressure() {
  const normalizer = await start({ maxPending: 2 });
  const tensors = [];
  for (let i = 0; i < 5; i++) tensors.push(await tensor(normalizer, 10 * i));
  const calls = tensors.map((x) => normalizer.normalize(x, [4, CHANNELS]));
  const [pending, sentAtOnce] = [normalizer.pending, requests().length];
  const extra = await tensor(normalizer, 1);
  const busy = await outcome(normalizer.normalize(extra, [4, CHANNELS], { wait: false }));
  const kept = extra.length;
  const results = await Promise.all(calls);
  let [most, inWorker] = [0, 0];
  for (const { to, from } of messages) {
    if (to?.shape) most = Math.max(most, ++inWorker);
    if (from?.x !== undefined) inWorker--;
  }
  const wait = await outcome(normalizer.normalize(extra, [4, CHANNELS], { wait: false }));
  return {
    pending,
    sentAtOnce,
    busy,
    kept,
    most,
    wait,
    order: results.map(({ x }) => x[0]),
    isFull: normalizer.isFull,
  };
}

/** Of five tensors one is aborted while it waits in the worker, and one while it waits in the page. */
export async function aborts() {
  const normalizer = await start({ maxPending: 4 });
  const gone = new AbortController();
  const reason = new Error("the user has left");
  const tensors = [];
  for (let i = 0; i < 5; i++) tensors.push(await tensor(normalizer, 10 * i));
  const calls = tensors.map((x, i) => {
    const isAborted = i === 2 || i === 4;
    return normalizer.normalize(x, [4, CHANNELS], isAborted ? { signal: gone.signal } : {});
  });
  gone.abort(reason);
  const ends = await Promise.allSettled(calls);
  const x = await tensor(normalizer, 1);
  const late = await normalizer.normalize(x, [4, CHANNELS], { signal: gone.signal }).catch((error) => error === reason);
  const { y } = await normalizer.normalize(x, [4, CHANNELS]); // is answered after all others
  return {
    ends: ends.map(({ value, reason: why }) => (value ? value.x[0] : why === reason)),
    late,
    sent: requests().length,
    dropped: messages.filter(({ from }) => from?.isAborted).length,
    pending: normalizer.pending,
    goesOn: y.length,
  };
}

/** One is aborted while it runs. It is tried again where the page was too slow. */
export async function abortsWhileItRuns() {
  const begun = new BroadcastChannel("begun");
  for (let attempt = 1; ; attempt++) {
    messages.length = 0;
    const normalizer = await start();
    const gone = new AbortController();
    begun.onmessage = () => gone.abort();
    const x = await tensor(normalizer, ORDERS.lasts);
    const end = await outcome(normalizer.normalize(x, [4, CHANNELS], { signal: gone.signal }));
    if (end === "done" && attempt < 5) continue;
    const pending = normalizer.pending;
    const next = await tensor(normalizer, 5);
    const { y } = await normalizer.normalize(next, [4, CHANNELS]);
    const dropped = messages.filter(({ from }) => from?.isAborted).length;
    return { end: end.name, pending, dropped, later: normalizer.pending, goesOn: y[0] };
  }
}

/** A worker that ends in one of three ways, with a tensor before that and some behind it. */
export async function death(way) {
  const normalizer = await start({ maxPending: 2 });
  const tensors = [];
  for (const first of [1, ORDERS[way], 2, 3, 4, 5, 6, 7]) tensors.push(await tensor(normalizer, first));
  const ends = await Promise.all(tensors.map((x) => outcome(normalizer.normalize(x, [4, CHANNELS]))));
  const why = say(await normalizer.ended);
  const later = await outcome(normalizer.take(4));
  const other = await start();
  const x = await tensor(other, 1);
  const again = await outcome(other.normalize(x, [4, CHANNELS]));
  return { first: ends[0], last: ends.at(-1), pending: normalizer.pending, why, later, again };
}

export async function closing() {
  const normalizer = await start();
  const x = await tensor(normalizer, 1);
  const call = outcome(normalizer.normalize(x, [4, CHANNELS]));
  normalizer.close();
  normalizer.close();
  return [await call, say(await normalizer.ended), await outcome(normalizer.normalize(x, [4, CHANNELS]))];
}

/** Tensors of 256 KB to 4 MB, one after the other, through an arena. */
export async function sizes(arenaBytes) {
  const normalizer = await start({ arenaBytes });
  const own = new BatchNorm(CHANNELS, descriptions[0].options).eval();
  let shared = 0;
  const rights = [];
  for (let i = 1; i <= 16; i++) {
    const x = await tensor(normalizer, -i, Math.floor((i * 2 ** 16) / CHANNELS));
    const { x: back, y } = await normalizer.normalize(x, shapeOf(x));
    if (y.buffer instanceof SharedMemory) shared++;
    const expected = own.forward(back, shapeOf(back));
    rights.push(y.every((value, j) => value === expected[j]));
    normalizer.release(back);
    normalizer.release(y);
  }
  return { shared, right: rights.every(Boolean), isShared: normalizer.isShared };
}

/** Starts that fail, or that succeed on another backend. */
export async function begin(options = {}) {
  try {
    const { aborted, ...rest } = options;
    const { signal } = aborted ? { signal: AbortSignal.timeout(500) } : {};
    const normalizer = await start({ signal, ...rest });
    const x = await tensor(normalizer, 1);
    const { y } = await normalizer.normalize(x, [4, CHANNELS]);
    return { backend: normalizer.backend, isShared: normalizer.isShared, y: await fingerprint(y) };
  } catch (error) {
    return say(error);
  }
}

export const badDescription = () => outcome(Normalizer.start([{ channels: 3, options: { epsilon: 1 } }]));
