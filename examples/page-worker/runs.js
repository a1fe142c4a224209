// What the page runs without end: tensors in the worker, in two ways, or on the page's thread.
import { BatchNorm } from "./batchnorm.js";
import { descriptions, draw, sizeOf } from "./data.js";
import { forward, makeLayers } from "./network.js";

/** How many tensors the worker has at a time. */
export const MAX_PENDING = 2;

export const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Arrays with a tensor in each, one more than the worker has at a time: that one waits. */
async function drawTensors(normalizer, shape) {
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
export async function waitInTurn({ normalizer, shape, card, signal }) {
  const tensors = await drawTensors(normalizer, shape);
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
export async function dropOthers({ normalizer, shape, card, signal }) {
  const idle = await drawTensors(normalizer, shape);
  const send = async () => {
    const { x, y } = await normalizer.normalize(idle.pop(), shape, { signal, wait: false });
    normalizer.release(y);
    card.count("tensors");
    idle.push(x);
  };
  let failure = null;
  card.begin();
  while (!failure && !signal.aborted) {
    if (normalizer.isFull) card.count("dropped");
    else send().catch((error) => (failure = error));
    await nextFrame();
  }
  for (const x of idle) normalizer.release(x);
  if (failure) throw failure;
}

/** The same work on this thread. It lets the page draw after each tensor. */
export async function onPage({ shape, card, signal }) {
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
