// Stands in for Keras: trains the network on the first kind of images, and writes model.weights.h5.
import { writeFile } from "node:fs/promises";
import { BatchNorm } from "batchnorm";
import { bright, images, random } from "./images.js";
import { Network } from "./network.js";
import { epoch } from "./train.js";

const FILTERS = 8;
const CLASSES = 3;
const next = random(1);
const weights = (count, size) => Float32Array.from({ length: count }, () => size * (2 * next() - 1));

const network = new Network({
  convolution: weights(9 * FILTERS, 0.5),
  norm: new BatchNorm(FILTERS, { convention: "keras", activation: "relu" }),
  kernel: weights(FILTERS * CLASSES, 0.5),
  bias: new Float32Array(CLASSES),
});
const training = images(640, 1, bright);
for (let i = 0; i < 40; i++) epoch(network, training, 0.5);
console.log(`${network.accuracy(images(300, 2, bright)).toFixed(2)} of other images are named rightly`);
await writeFile(new URL("model.weights.h5", import.meta.url), await network.save());
