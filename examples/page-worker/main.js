// The page: runs the same tensors in the worker and on its own thread, and counts frames.
import { BatchNorm } from "./batchnorm.js";
import { Card, drawDots } from "./card.js";
import { descriptions, draw, fingerprint, SHAPES, sizeOf } from "./data.js";
import { forward, makeLayers } from "./network.js";
import { Normalizer } from "./normalizer.js";
import { dropOthers, MAX_PENDING, nextFrame, onPage, waitInTurn } from "./runs.js";

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

async function run(card, work) {
  const stop = new AbortController();
  running = { card, stop };
  showButtons();
  // It ends when it is stopped, or when something fails.
  await work({ normalizer, shape: shapeNow(), card, signal: stop.signal }).catch((error) => {
    if (!stop.signal.aborted) say(describe(error));
  });
  stop.abort();
  while (normalizer?.pending > 0) await nextFrame(); // what was running
  running = null;
  showButtons();
}

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
  const tensors = [];
  for (let i = 0; i < 4; i++) tensors.push(await normalizer.take(sizeOf(shape)));
  const requests = tensors.map((x, i) => normalizer.normalize(x, shape, i < 2 ? {} : { signal: gone.signal }));
  gone.abort();
  const ends = await Promise.allSettled(requests);
  for (const { value } of ends) for (const array of Object.values(value ?? {})) normalizer.release(array);
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
