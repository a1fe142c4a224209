// Handwritten digits: the 10 000 MNIST images in the `mnist` package, split with a seed into a training
// and a held-out set, and mini-batches drawn from the training set.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { shuffle, uniform } from "./random.js";

export const PIXELS = 784;
export const CLASSES = 10;
const HELD_OUT = 2000;
/** Numbers the seed's streams, so that no use of the seed shifts another's numbers. */
export const Stream = { split: 0, weights: 1, order: 2 } as const;

/** `count` images of 784 pixels in [0, 1], one after another, and the digit each one shows. */
export interface Samples {
  readonly count: number;
  readonly images: Float32Array;
  readonly labels: Uint8Array;
}

export interface Digits {
  readonly training: Samples;
  readonly heldOut: Samples;
}

/** Shared memory, so that every worker reads the same copy. */
function allocate(count: number): Samples {
  const images = new Float32Array(new SharedArrayBuffer(count * PIXELS * Float32Array.BYTES_PER_ELEMENT));
  return { count, images, labels: new Uint8Array(new SharedArrayBuffer(count)) };
}

/** All images in the package's order. Its own `set()` shuffles with Math.random, so its files are read directly. */
function readAll(): Samples {
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

/** Copies the samples with the given numbers into `target`. */
function gather(source: Samples, numbers: Uint32Array, target: Samples): Samples {
  numbers.forEach((number, i) => {
    target.images.set(source.images.subarray(number * PIXELS, (number + 1) * PIXELS), i * PIXELS);
    target.labels[i] = source.labels[number]!;
  });
  return target;
}

/** Numbers of the samples of each set: a seeded shuffle of all, the last 2000 held out. */
export function split(count: number, seed: number): { training: Uint32Array; heldOut: Uint32Array } {
  const order = shuffle(
    Uint32Array.from({ length: count }, (_, i) => i),
    uniform(seed, Stream.split),
  );
  return { training: order.subarray(0, count - HELD_OUT), heldOut: order.subarray(count - HELD_OUT) };
}

export function loadDigits(seed: number): Digits {
  const all = readAll();
  const { training, heldOut } = split(all.count, seed);
  return {
    training: gather(all, training, allocate(training.length)),
    heldOut: gather(all, heldOut, allocate(heldOut.length)),
  };
}

/** Endless mini-batches of `size`, all in the same memory; every epoch in a new order, its incomplete last batch left out. */
export function* batches(samples: Samples, size: number, seed: number): Generator<Samples, never> {
  const random = uniform(seed, Stream.order);
  const order = Uint32Array.from({ length: samples.count }, (_, i) => i);
  const batch = allocate(size);
  for (;;) {
    shuffle(order, random);
    for (let i = 0; i + size <= samples.count; i += size) yield gather(samples, order.subarray(i, i + size), batch);
  }
}
