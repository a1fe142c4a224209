// The worker. It owns the layers, and does one request after the other. These are its messages and its answers:
//
//   { id, start: { descriptions, arenaBytes, lock } }  → { id, backend, threads, isShared }
//   { id, take: length }                               → { id, y }
//   { id, x, shape, y }                                → { id, x, y }
//   { abort: id }                                      → the answer of that request, if it waits: { id, x, y, isAborted }
//   { free: number }                                   → none
//
// Every answer can be { id, error, code, x, y } instead. x and y are arrays, whose buffers go to and fro. Where memory is shared
// they are the numbers of arrays in the arena, and { number, array } when the page sees an array for the first time.
import { BatchNorm, createArena, warmUp } from "./batchnorm.js";
import { forward, makeLayers } from "./network.js";

let layers = [];
let arena = null;
/** The arrays of the arena that the page knows, by their numbers. */
const shared = new Map();
let newest = 0;
/** Tensors that wait, in their order. */
const waiting = new Map();
let isWorking = false;

/** Holds a lock until this worker ends, in whatever way. Nothing else tells a page that a worker has ended. */
const hold = (lock) =>
  new Promise((resolve, reject) => {
    const untilTheEnd = () => new Promise(() => resolve());
    navigator.locks.request(lock, untilTheEnd).catch(reject);
  });

async function start({ descriptions, arenaBytes, lock }) {
  layers = makeLayers(BatchNorm, descriptions);
  const { backend, threads } = await warmUp();
  if (crossOriginIsolated && backend === "wasm") arena = createArena(arenaBytes, { shared: true });
  if (arena?.shared === false) arena = null; // there can be no threads: a message would copy all of the arena
  if (lock) await hold(lock);
  return { backend, threads: arena ? threads : 1, isShared: arena !== null };
}

/** An array in the arena. Where there is none, or no room in it, the array has a buffer of its own. */
function take(length) {
  if (!arena || 4 * length > arena.free) return new Float32Array(length);
  const array = arena.float32(length);
  shared.set(++newest, array);
  return { number: newest, array };
}

function free(number) {
  arena.release(shared.get(number));
  shared.delete(number);
}

const arrayOf = (memory) => (typeof memory === "number" ? shared.get(memory) : (memory.array ?? memory));

/** Answers. Buffers of ordinary arrays are given away, so that nothing is copied. */
function answer(message) {
  const buffers = [message.x, message.y].map((memory) => memory?.buffer);
  postMessage(
    message,
    buffers.filter((buffer) => buffer instanceof ArrayBuffer),
  );
}

/** Answers with an error. A copy of an error has no code, so the code goes beside it. */
const refuse = (message, error) => answer({ ...message, error, code: error?.code });

function normalize({ id, x, shape, y }) {
  const message = { id, x, y };
  try {
    message.y ??= take(arrayOf(x).length);
    forward(layers, arrayOf(x), shape, arrayOf(message.y));
  } catch (error) {
    return refuse(message, error);
  }
  answer(message);
}

/** Lets messages in. Otherwise a request would begin before the worker reads that it is aborted. */
const { port1, port2 } = new MessageChannel();
const turn = () =>
  new Promise((resolve) => {
    port1.onmessage = resolve;
    port2.postMessage(null);
  });

async function work() {
  isWorking = true;
  for (await turn(); waiting.size > 0; await turn()) {
    const [request] = waiting.values();
    waiting.delete(request.id);
    normalize(request);
  }
  isWorking = false;
}

function abort(id) {
  const request = waiting.get(id);
  if (!request) return; // it has been answered
  waiting.delete(id);
  answer({ id, x: request.x, y: request.y, isAborted: true });
}

function takeFor({ id, take: length }) {
  try {
    answer({ id, y: take(length) });
  } catch (error) {
    refuse({ id }, error);
  }
}

addEventListener("message", ({ data }) => {
  const { id } = data;
  if (data.start)
    start(data.start)
      .then((started) => answer({ id, ...started }))
      .catch((error) => refuse({ id }, error));
  else if ("take" in data) takeFor(data);
  else if ("abort" in data) abort(data.abort);
  else if ("free" in data) free(data.free);
  else {
    waiting.set(id, data);
    if (!isWorking) void work();
  }
});

// What belongs to no request is thrown. The page gets it as an error of the worker, and rejects all that waits.
addEventListener("messageerror", () => {
  throw new Error("a message could not be read");
});
addEventListener("unhandledrejection", ({ reason }) => {
  throw reason;
});
