// A tiny study: random images, and a plan of short trainings.
import { uniform } from "../../examples/digits/network/random.js";
import type { Digits, Samples } from "../../examples/digits/network/samples.js";
import { planOf, type Planned, type Settings } from "../../study/experiments/plan.js";

const PIXELS = 784;

function samples(count: number, seed: number): Samples {
  const random = uniform(seed, 0);
  const images = new Float32Array(new SharedArrayBuffer(4 * count * PIXELS));
  const labels = new Uint8Array(new SharedArrayBuffer(count));
  for (let i = 0; i < count; i++) {
    labels[i] = i % 10;
    // A bright stripe that tells the digit, and noise.
    for (let p = 0; p < PIXELS; p++) images[i * PIXELS + p] = (p % 10 === labels[i] ? 0.5 : 0) + 0.5 * random();
  }
  return { count, images, labels };
}

export const digits: Digits = { training: samples(100, 1), heldOut: samples(50, 2) };

export const settings: Settings = {
  model: "dense",
  activation: "relu",
  norm: {},
  rate: 0.1,
  batch: 10,
  steps: 12,
  evaluations: 3,
};

export function plan(steps = settings.steps): Planned[] {
  const variants = (["a", "b"] as const).map((label, i) => ({
    label,
    settings: { ...settings, steps, norm: i === 0 ? {} : null },
  }));
  return planOf([{ name: "tiny", variants }], 3);
}
