// Fine-tuning: the network of a file goes on learning on new images. Node and browsers run the same code.
import { dark, images } from "./images.js";
import { SIDE } from "./layers.js";
import { Network } from "./network.js";

const BATCH = 32;
const EPOCHS = 20;
const RATE = 0.5;

/** Goes through the images once, in batches. Returns the mean loss. */
export function epoch(network, { x, labels }, rate) {
  let sum = 0;
  let batches = 0;
  for (let n = 0; n + BATCH <= labels.length; n += BATCH, batches++) {
    const batch = { x: x.subarray(n * SIDE * SIDE, (n + BATCH) * SIDE * SIDE), labels: labels.subarray(n, n + BATCH) };
    sum += network.step(batch, rate);
  }
  return sum / batches;
}

/** `say` hears of the progress, and is waited for. Returns the bytes of the new file. */
export async function finetune(bytes, say) {
  const network = await Network.open(bytes);
  const [training, heldOut] = [images(640, 3, dark), images(300, 4, dark)];
  await say(`normalization runs on: ${network.norm.backend}`);
  await say(`before: ${network.accuracy(heldOut).toFixed(2)} of the new images are named rightly`);
  for (let i = 1; i <= EPOCHS; i++) await say(`epoch ${i}: loss ${epoch(network, training, RATE).toFixed(4)}`);
  await say(`after: ${network.accuracy(heldOut).toFixed(2)} of the new images are named rightly`);
  return network.save();
}
