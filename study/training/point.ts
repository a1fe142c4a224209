// What is kept of a training.
import type { Settings } from "../experiments/plan.js";

/** Values at the steps of the evaluations, all of one length; those that were not asked for are absent. */
export interface Curve {
  readonly steps: number[];
  /** Share of the followed held-out digits named rightly, 0–1. */
  readonly accuracy: number[];
  /** The same of training digits. */
  training?: number[];
  /** For each evaluation and each followed unit, the 15th, 50th and 85th percentiles of what enters it. */
  percentiles?: number[][][];
  /** For each evaluation and hidden layer: how far the last step moved the mean, in standard deviations. */
  meanDrift?: number[][];
  /** The same for the standard deviation, as the size of the logarithm of the ratio. */
  deviationDrift?: number[][];
  /** ‖g′ − g‖/‖g‖ after one step of the rate along the gradient g. */
  gradientChange?: number[];
  /** The largest ‖g′ − g‖ over the distance moved, for steps of a quarter of the rate to twice the rate. */
  smoothness?: number[];
}

/** Accuracies on all held-out digits, by the statistics that the normalizing layers use. */
export interface ByStatistics {
  /** The exponential mean over the training batches, with momentum 0.1. */
  readonly running: number;
  /** The mean over all training batches. */
  readonly cumulative: number;
  /** Those of 10 000 training digits, taken in one batch after training. */
  readonly population: number;
  /** Those of the held-out batch itself, which is made up as the training batches were. */
  readonly batch: number;
}

/** Accuracies on all held-out digits, where the layers keep their running statistics themselves. */
export interface ByUpdate {
  /** The running statistics, with the layer's momentum. */
  readonly running: number;
  /** Those of `updateStatistics`, over training digits in batches that are made up as the training's were. */
  readonly together: number;
  /** The same with a pass for each layer, in which the layers before it normalize as in inference. */
  readonly inOrder: number;
  /** Those of the held-out batch itself, which is made up as the training batches were. */
  readonly batch: number;
}

export interface Point {
  readonly id: string;
  readonly key: string;
  readonly settings: Settings;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly backend: string;
  readonly date: string;
  /** Steps done: fewer than asked for where the training diverged. */
  readonly steps: number;
  /** Whether a parameter became infinite or NaN. */
  readonly diverged: boolean;
  /** On all held-out digits. */
  readonly accuracy: number;
  readonly byStatistics?: ByStatistics;
  readonly byUpdate?: ByUpdate;
  readonly curve: Curve;
  /** SHA-256 of the trained parameters. */
  readonly hash: string;
  /** Time of the steps, without evaluations, while other trainings ran beside this one. */
  readonly seconds: number;
  /** Milliseconds of the shortest step, which other work on the machine disturbs least. */
  readonly shortestStep: number;
}
