// Handwritten digits as numbers, and mini-batches of them. Where they come from is the caller's: a package, a file, a page.
import { shuffle, uniform } from "./random.js";

export const PIXELS = 784;
export const CLASSES = 10;
/** Numbers the seed's streams, so that no use of the seed shifts another's numbers. */
export const Stream = { split: 0, weights: 1, order: 2, probe: 3 } as const;

/** `count` images of values in [0, 1], one after another, and the digit each one shows. */
export interface Samples {
  readonly count: number;
  readonly images: Float32Array;
  readonly labels: Uint8Array;
}

export interface Digits {
  readonly training: Samples;
  readonly heldOut: Samples;
}

/** The first `most` samples, or all where there are fewer, in the same memory. */
export function first({ images, labels, count: all }: Samples, most: number): Samples {
  const count = Math.min(most, all);
  return { count, images: images.subarray(0, count * (images.length / all)), labels: labels.subarray(0, count) };
}

/** Copies the samples with the given numbers into `target`. */
export function gather(source: Samples, numbers: Uint32Array, target: Samples): Samples {
  const size = source.images.length / source.count;
  numbers.forEach((number, i) => {
    target.images.set(source.images.subarray(number * size, (number + 1) * size), i * size);
    target.labels[i] = source.labels[number]!;
  });
  return target;
}

/** Numbers of the samples of each set: a seeded shuffle of all, the last `heldOut` of them held out. */
export function split(count: number, heldOut: number, seed: number): { training: Uint32Array; heldOut: Uint32Array } {
  const order = shuffle(
    Uint32Array.from({ length: count }, (_, i) => i),
    uniform(seed, Stream.split),
  );
  return { training: order.subarray(0, count - heldOut), heldOut: order.subarray(count - heldOut) };
}

/** Endless mini-batches of `size`, all in the same memory; every epoch in a new order, its incomplete last batch left out. */
export function* batches(
  samples: Samples,
  size: number,
  seed: number,
  stream: number = Stream.order,
): Generator<Samples, never> {
  if (!(size >= 1 && size <= samples.count)) {
    throw new RangeError(`a mini-batch has 1 to ${samples.count} of the samples, got ${size}`);
  }
  const random = uniform(seed, stream);
  const order = Uint32Array.from({ length: samples.count }, (_, i) => i);
  const images = new Float32Array(size * (samples.images.length / samples.count));
  const batch = { count: size, images, labels: new Uint8Array(size) };
  for (;;) {
    shuffle(order, random);
    for (let i = 0; i + size <= samples.count; i += size) yield gather(samples, order.subarray(i, i + size), batch);
  }
}
