// A seeded generator of random numbers, made of exact arithmetic alone: the same seed gives the same run in every engine.

/** Uniform numbers in [0, 1): mulberry32. `stream` tells uses of one seed apart (split, weights, order). */
export function uniform(seed: number, stream: number): () => number {
  let state = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A number with mean 0 and standard deviation 1, near enough to normally distributed: the sum of twelve uniform numbers,
 * less six. It never leaves [−6, 6], and no logarithm or cosine, which engines round differently, takes part.
 */
export function gaussian(random: () => number): number {
  let sum = -6;
  for (let i = 0; i < 12; i++) sum += random();
  return sum;
}

/** Shuffles in place (Fisher–Yates). */
export function shuffle(values: Uint32Array, random: () => number): Uint32Array {
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}
