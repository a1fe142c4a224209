// What the tour's experiments are: fixed on 2026-11-30, before any of them was run, and not changed to make a claim look
// right. A test compares the settings with their hash; whoever changes one sees the hash change.
import type { ActivationName } from "./network/activations.js";

/** One network's training, but for the seed and whether it is normalized. */
export interface Setting {
  readonly activation: ActivationName;
  readonly rate: number;
  /** Digits in a mini-batch. */
  readonly batch: number;
  readonly steps: number;
  /** The standard deviation of all initial weights; null for 1/√inputs of each layer. */
  readonly initialStd: number | null;
  /** How many of the training digits are used. */
  readonly digits: number;
  /** Steps between two evaluations. */
  readonly look: number;
}

/** Ioffe & Szegedy (2015), section 4.1: sigmoid, mini-batches of 60. The paper states no rate; 0.1 is a plain choice. */
const paper: Setting = {
  activation: "sigmoid",
  rate: 0.1,
  batch: 60,
  steps: 1200,
  initialStd: null,
  digits: 8000,
  look: 25,
};

/** A short training with today's usual activation. */
const short: Setting = { ...paper, activation: "relu", steps: 300, look: 30 };

export const settings = {
  seeds: 3,
  /** Held-out digits of an evaluation. */
  heldOut: 1000,
  /** A network that names fewer of ten digits rightly than this share is called "at chance". */
  chance: 0.2,
  miniBatch: { training: short, sizes: [2, 8, 60, 500], draws: 5, reference: 2000 },
  shift: paper,
  algorithm: short,
  speed: { training: paper, target: 0.9 },
  rate: { training: short, rates: [0.1, 1, 3] },
  weights: { training: short, stds: [0.005, 0.05, 0.5, 5] },
  regularization: { ...short, batch: 50, digits: 500, steps: 600, look: 50 },
  /** Each size sees as many digits: one epoch. */
  batchSize: { training: short, sizes: [2, 8, 32, 128, 512, 1024], seen: 8000 },
  trap: short,
} as const;

export const FIXED = {
  date: "2026-11-30",
  sha256: "5bfd144a11be4a2d23cf94a6ee5104a60e686d74bfd4a83fd76ecbfc8ef4f037",
} as const;
