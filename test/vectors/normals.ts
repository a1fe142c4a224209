// Seeded data with the same bits in Python (scripts/torch/generator.py).
import { random } from "../data.js";

/** Sums of 12 uniforms less 6: standard deviation 1, and exact, so that no library's rounding is in it. */
export function normals(seed: number): () => number {
  const next = random(seed);
  return () => {
    let total = 0;
    for (let i = 0; i < 12; i++) total += next();
    return total - 6;
  };
}
