// Images of 8×8 pixels with a line that lies, stands or slants, in noise; and which of the three it is.
import * as tf from "@tensorflow/tfjs";

const SIZE = 8;

/** Numbers from 0 to 1, the same in every run (mulberry32). */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LINES = [
  (i, at) => [at, i], // lies
  (i, at) => [i, at], // stands
  (i, at) => [i, (i + at) % SIZE], // slants
];

/** @returns {{ x: tf.Tensor4D, y: tf.Tensor2D }} `count` images and their classes, one-hot. */
export function images(count, seed) {
  const next = random(seed);
  const x = tf.buffer([count, SIZE, SIZE, 1]);
  const kinds = Array.from({ length: count }, () => Math.floor(next() * LINES.length));
  for (const [n, kind] of kinds.entries()) {
    for (let i = 0; i < SIZE * SIZE; i++) x.set(next(), n, Math.floor(i / SIZE), i % SIZE, 0);
    const at = Math.floor(next() * SIZE);
    for (let i = 0; i < SIZE; i++) x.set(0.9 + next(), n, ...LINES[kind](i, at), 0);
  }
  return { x: x.toTensor(), y: tf.tidy(() => tf.oneHot(tf.tensor1d(kinds, "int32"), LINES.length).toFloat()) };
}
