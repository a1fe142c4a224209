// How long points take: in steps of the usual network with a mini-batch of 60, and those in milliseconds of this machine.
import { batches, type Digits } from "../examples/digits/network/samples.js";
import type { Products } from "../examples/digits/network/matrix.js";
import type { Planned, Settings } from "./experiments/plan.js";
import { denseNetwork } from "./training/model.js";
import { MOST_BATCHES } from "./training/population.js";
import { POPULATION } from "./training/statistics.js";

// Measured once; they need to be right only so far as that the time left is.
/** The share of a step that does not depend on the batch: the weights are read and changed. */
const FIXED_SHARE = 0.38;
const CONVOLUTIONAL = 4.4;
/** An evaluation of 2000 digits, and one of 10 000. */
const EVALUATION = 9;
const END = 45;
/** The passes of `updateStatistics`: one for all layers and one for each of three, in shares of a step. */
const PASSES = 4;
const FORWARD = 0.35;

/** The cost of a point, in steps of the usual network. */
export function costOf({ model, batch, steps, evaluations, digits = POPULATION, follow = [] }: Settings): number {
  const step = FIXED_SHARE + (1 - FIXED_SHARE) * (batch / 60);
  const updates = follow.includes("population")
    ? PASSES * FORWARD * step * Math.min(MOST_BATCHES, Math.floor(Math.min(digits, POPULATION) / batch))
    : 0;
  const ends = follow.includes("statistics") || updates > 0 ? 5 : 1;
  return (
    (model === "convolutional" ? CONVOLUTIONAL : 1) * (steps * step + evaluations * EVALUATION + ends * END + updates)
  );
}

export function totalCost(plan: readonly Planned[]): number {
  return plan.reduce((sum, { settings }) => sum + costOf(settings), 0);
}

const USUAL: Settings = {
  model: "dense",
  activation: "sigmoid",
  norm: {},
  rate: 0.1,
  batch: 60,
  steps: 200,
  evaluations: 0,
};

/** Milliseconds of a step of the usual network, here and now. */
export function measureStep(digits: Digits, products: Products): number {
  const network = denseNetwork(USUAL, 1, products);
  const source = batches(digits.training, USUAL.batch, 1);
  const run = (steps: number): number => {
    const start = performance.now();
    for (let i = 0; i < steps; i++) network.step(source.next().value, USUAL.rate);
    return (performance.now() - start) / steps;
  };
  run(USUAL.steps / 2);
  return run(USUAL.steps);
}

/** For example "2 h 5 min", "12 min" or "40 s". */
export function duration(milliseconds: number): string {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
