// The page: runs the same tensors in the worker and on its own thread, and counts frames.
import { BatchNorm } from "./batchnorm.js";
import { Card, drawDots } from "./card.js";
import { descriptions, draw, fingerprint, SHAPES, sizeOf } from "./data.js";
import { forward, makeLayers } from "./network.js";
import { Normalizer } from "./normalizer.js";

const MAX_PENDING = 2;
const element = (id) => document.getElementById(id);
const cards = { worker: new Card("worker-card", "In the worker"), page: new Card("page-card", "On the page's thread") };
const shapeNow = () => SHAPES[element("size").value];

let normalizer = null;
/** What runs: its card, and what ends it. */
let running = null;

function say(text) {
  const item = document.createElement("li");
  item.textContent = text;
  element("log").append(item);
}
const describe = (error) => `${error.name}${error.code ? `, ${error.code}` : ""}: ${error.message}`;

function showButtons() {
  const isReady = normalizer !== null && !running;
  for (const id of ["in-worker", "wrong", "abort", "compare"]) element(id).disabled = !isReady;
  element("on-page").disabled = running !== null;
  element("stop").disabled = running === null;
  element("kill").disabled = normalizer === null;
  element("restart").disabled = normalizer !== null;
}

async function start() {
  element("state").textContent = "The worker starts.";
  try {
    const started = await Normalizer.start(descriptions, { maxPending: MAX_PENDING });
    started.ended.then(lose);
    normalizer = started;
    const memory = started.isShared ? "memory that is shared" : "buffers that go to and fro";
    const threads = started.threads === 1 ? "one thread" : `${started.threads} threads`;
    element("state").textContent = `The worker runs ${started.backend} on ${threads}, with ${memory}.`;
  } catch (error) {
    element("state").textContent = `There is no worker. ${describe(error)}`;
  }
  showButtons();
}

function lose(error) {
  normalizer = null;
  element("state").textContent = `There is no worker. ${describe(error)}`;
  running?.stop.abort();
  showButtons();
}

/** Arrays with a tensor in each, one more than the worker has at a time: that one waits. */
async function drawTensors(shape) {
  const tensors = [];
  for (let i = 0; i <= MAX_PENDING; i++) {
    const x = await normalizer.take(sizeOf(shape));
    if (i === 0) draw(x);
    else x.set(tensors[0]);
    tensors.push(x);
  }
  return tensors;
}

/** Sends the same tensors again and again. There is one more than the worker may have, so it always finds the next. */
async function waitInTurn(card, signal) {
  const shape = shapeNow();
  const tensors = await drawTensors(shape);
  const again = async (tensor) => {
    for (;;) {
      const { x, y } = await normalizer.normalize(tensor, shape, { signal });
      normalizer.release(y); // a page of yours uses it before
      card.count("tensors");
      tensor = x;
    }
  };
  card.begin();
  await Promise.all(tensors.map(again));
}

/** Has a tensor in each frame, as a camera has, and drops those for which the worker has no time. */
async function dropOthers(card, signal) {
  const shape = shapeNow();
  const idle = await drawTensors(shape);
  const send = async () => {
    const { x, y } = await normalizer.normalize(idle.pop(), shape, { signal, wait: false });
    normalizer.release(y);
    card.count("tensors");
    idle.push(x);
  };
  let failure = null;
  card.begin();
  while (!failure) {
    if (normalizer.isFull) card.count("dropped");
    else send().catch((error) => (failure = error));
    await nextFrame();
    signal.throwIfAborted();
  }
  throw failure;
}

/** The same work on this thread. It lets the page draw after each tensor. */
async function onPage(card, signal) {
  const shape = shapeNow();
  const layers = makeLayers(BatchNorm, descriptions);
  const x = new Float32Array(sizeOf(shape));
  const y = new Float32Array(x.length);
  draw(x);
  forward(layers, x, shape, y); // the first one compiles, as it does in the worker before it is ready
  card.begin();
  while (!signal.aborted) {
    forward(layers, x, shape, y);
    card.count("tensors");
    await new Promise((resolve) => setTimeout(resolve));
  }
}

async function run(card, work) {
  const stop = new AbortController();
  running = { card, stop };
  showButtons();
  // It ends when it is stopped, or when something fails.
  await work(card, stop.signal).catch((error) => {
    if (!stop.signal.aborted) say(describe(error));
  });
  stop.abort();
  while (normalizer?.pending > 0) await nextFrame(); // what was running
  running = null;
  showButtons();
}

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));
async function animate() {
  for (let step = 0; ; step++) {
    const now = await nextFrame();
    drawDots(element("dots"), step);
    running?.card.frame(now, (normalizer?.pending ?? 0) > 0);
  }
}

/** A tensor whose channels are not those of the layers. */
async function askWhatCannotBeDone() {
  const x = await normalizer.take(15);
  await normalizer.normalize(x, [3, 5]);
}

async function abortTwoOfFour() {
  const shape = shapeNow();
  const gone = new AbortController();
  const requests = [false, false, true, true].map(async (isAborted) => {
    const x = await normalizer.take(sizeOf(shape));
    const { x: back, y } = await normalizer.normalize(x, shape, isAborted ? { signal: gone.signal } : {});
    normalizer.release(back);
    normalizer.release(y);
  });
  await nextFrame();
  gone.abort();
  const ends = await Promise.allSettled(requests);
  say(ends.map(({ status, reason }) => (status === "fulfilled" ? "done" : reason.name)).join(", "));
}

async function compare() {
  const shape = shapeNow();
  const x = await normalizer.take(sizeOf(shape));
  draw(x);
  const own = new Float32Array(x.length);
  forward(makeLayers(BatchNorm, descriptions), x, shape, own);
  const { x: back, y } = await normalizer.normalize(x, shape);
  const [there, here] = [await fingerprint(y), await fingerprint(own)];
  normalizer.release(back);
  normalizer.release(y);
  element("bits").textContent = `${element("size").value}: worker ${there}, page ${here}`;
}

/** What a button does. */
const on = (id, work) => (element(id).onclick = () => Promise.resolve(work()).catch((error) => say(describe(error))));
on("in-worker", () => run(cards.worker, element("full").value === "wait" ? waitInTurn : dropOthers));
on("on-page", () => run(cards.page, onPage));
on("stop", () => running.stop.abort());
on("wrong", askWhatCannotBeDone);
on("abort", abortTwoOfFour);
on("kill", () => normalizer.close());
on("restart", start);
on("compare", compare);

void animate();
await start();
