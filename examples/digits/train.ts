// One training: builds the network, runs the steps, follows it with held-out evaluations, and times it.
import type { BatchNormOptions } from "batchnorm";
import { hash } from "./hash.js";
import type { ActivationName } from "./network/activations.js";
import { evaluate, oneAtATime, type Evaluation, type OneAtATime } from "./network/evaluate.js";
import { Network } from "./network/network.js";
import { uniform } from "./network/random.js";
import { batches, Stream, type Digits, type Samples } from "./network/samples.js";

export type BackendName = NonNullable<BatchNormOptions["backend"]>;

/** Held-out evaluations over a long training; a short one has one every 10 steps. */
const EVALUATIONS = 50;

export interface Training {
  readonly steps: number;
  readonly batch: number;
  readonly rate: number;
  readonly seed: number;
  readonly activation: ActivationName;
  /** With batch normalization before each activation. */
  readonly normalized: boolean;
  /** The backend asked for; the library's choice where absent. */
  readonly backend?: BackendName;
}

export interface Point extends Evaluation {
  readonly step: number;
}

export interface Result {
  readonly training: Training;
  readonly points: readonly Point[];
  readonly hash: string;
  /** Time of the training steps, without the evaluations. */
  readonly milliseconds: number;
  /** The normalized network on one digit at a time. */
  readonly trap: { readonly running: OneAtATime; readonly batchOfOne: OneAtATime } | null;
}

function build(training: Training, options: BatchNormOptions<"float32">): Network {
  const { activation, normalized, seed, backend } = training;
  const norm = normalized ? { ...options, ...(backend !== undefined && { backend }) } : null;
  return new Network({ activation, norm }, uniform(seed, Stream.weights));
}

/**
 * The trained network on single digits, with its running statistics and with the statistics of that
 * one digit. A copy does the latter, because it would also change the running statistics.
 */
function springTrap(training: Training, network: Network, heldOut: Samples): Result["trap"] {
  if (!training.normalized) return null;
  const copy = build(training, { reuse: true, singleValue: "allow" });
  copy.copyFrom(network);
  return {
    running: network.inEvaluation(() => oneAtATime(network, heldOut)),
    batchOfOne: oneAtATime(copy, heldOut),
  };
}

/** Trains from the seed to the last step; `onStep` hears of every step done. */
export function train(training: Training, digits: Digits, onStep: (step: number) => void = () => {}): Result {
  const { steps, batch, rate, seed } = training;
  const network = build(training, { reuse: true });
  const source = batches(digits.training, batch, seed);
  const every = Math.max(10, Math.round(steps / EVALUATIONS));
  const points: Point[] = [{ step: 0, ...evaluate(network, digits.heldOut) }];
  let milliseconds = 0;
  for (let step = 1; step <= steps; step++) {
    const samples = source.next().value;
    const start = performance.now();
    network.step(samples, rate);
    milliseconds += performance.now() - start;
    if (step % every === 0 || step === steps) points.push({ step, ...evaluate(network, digits.heldOut) });
    onStep(step);
  }
  return {
    training,
    points,
    hash: hash(network),
    milliseconds,
    trap: springTrap(training, network, digits.heldOut),
  };
}
