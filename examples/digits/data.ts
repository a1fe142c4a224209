// Handwritten digits: the 10 000 MNIST images in the `mnist` package, split with a seed into a training and a held-out set.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { CLASSES, gather, PIXELS, split, type Digits, type Samples } from "./network/samples.js";

const HELD_OUT = 2000;

/** Shared memory, so that every worker reads the same copy. */
function allocate(count: number): Samples {
  const images = new Float32Array(new SharedArrayBuffer(count * PIXELS * Float32Array.BYTES_PER_ELEMENT));
  return { count, images, labels: new Uint8Array(new SharedArrayBuffer(count)) };
}

/** All images in the package's order. Its own `set()` shuffles with Math.random, so its files are read directly. */
export function readAll(): Samples {
  const { resolve } = createRequire(import.meta.url);
  const perDigit = Array.from({ length: CLASSES }, (_, digit) => {
    const text = readFileSync(resolve(`mnist/src/digits/${digit}.json`), "utf8");
    return (JSON.parse(text) as { data: number[] }).data;
  });
  const all = allocate(perDigit.reduce((sum, pixels) => sum + pixels.length, 0) / PIXELS);
  let position = 0;
  perDigit.forEach((pixels, digit) => {
    all.images.set(pixels, position * PIXELS);
    all.labels.fill(digit, position, position + pixels.length / PIXELS);
    position += pixels.length / PIXELS;
  });
  return all;
}

/** The images, split by the seed. */
export function splitDigits(all: Samples, seed: number): Digits {
  const { training, heldOut } = split(all.count, HELD_OUT, seed);
  return {
    training: gather(all, training, allocate(training.length)),
    heldOut: gather(all, heldOut, allocate(heldOut.length)),
  };
}

export function loadDigits(seed: number): Digits {
  return splitDigits(readAll(), seed);
}
