// Images of 8×8 pixels with a line that lies, stands or slants, in noise; and which of the three it is.
import { SIDE } from "./layers.js";

/** Numbers from 0 to 1, the same in every run (mulberry32). */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LINES = [
  (i, at) => at * SIDE + i, // lies
  (i, at) => i * SIDE + at, // stands
  (i, at) => i * SIDE + ((i + at) % SIDE), // slants
];

/** Bright lines on a dark ground, which the network was trained on before. */
export const bright = (pixel) => pixel;
/** What another camera gives: dark lines on a bright ground, and less contrast. */
export const dark = (pixel) => 2 - 0.6 * pixel;

/** `count` images and their classes. */
export function images(count, seed, camera) {
  const next = random(seed);
  const x = Float32Array.from({ length: count * SIDE * SIDE }, next);
  const labels = Uint8Array.from({ length: count }, () => Math.floor(next() * LINES.length));
  labels.forEach((label, n) => {
    const at = Math.floor(next() * SIDE);
    for (let i = 0; i < SIDE; i++) x[n * SIDE * SIDE + LINES[label](i, at)] += 0.9;
  });
  return { x: x.map(camera), labels };
}
