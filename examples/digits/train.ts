// One training: builds the network, runs the steps, looks at it now and then, and probes it at the end.
import { hash } from "./hash.js";
import { evaluate, type Evaluation } from "./network/evaluate.js";
import type { Network } from "./network/network.js";
import { batches, first, type Digits } from "./network/samples.js";
import { probe, type Probe, type Probed } from "./probes.js";
import { settings } from "./settings.js";
import { build, type Training } from "./training.js";

export interface Point extends Evaluation {
  readonly step: number;
  /** Share of the training digits named rightly; null where they are too many to evaluate at every look. */
  readonly trainingAccuracy: number | null;
}

export interface Result {
  readonly training: Training;
  readonly points: readonly Point[];
  /** The step at which a parameter that is not finite was seen; the training ends there. Null if there was none. */
  readonly diverged: number | null;
  readonly hash: string;
  readonly probed: Probed;
}

function isFinite(network: Network): boolean {
  return network.parameters().every((values) => values.every(Number.isFinite));
}

/** Trains from the seed to the last step; `onStep` hears of every step done. */
export function train(
  training: Training,
  digits: Digits,
  probes: readonly Probe[] = [],
  onStep: (step: number) => void = () => {},
): Result {
  const { steps, batch, rate, seed, look } = training;
  const network = build(training);
  const used = { training: first(digits.training, training.digits), heldOut: first(digits.heldOut, settings.heldOut) };
  const see = (step: number): Point => ({
    step,
    ...evaluate(network, used.heldOut),
    trainingAccuracy: used.training.count <= settings.heldOut ? evaluate(network, used.training).accuracy : null,
  });
  const source = batches(used.training, batch, seed);
  const points = [see(0)];
  let diverged: number | null = null;
  for (let step = 1; step <= steps && diverged === null; step++) {
    network.step(source.next().value, rate);
    if (step % look === 0 || step === steps) {
      if (isFinite(network)) points.push(see(step));
      else diverged = step;
    }
    onStep(step);
  }
  const probed = diverged === null ? probe(probes, training, network, used) : {};
  return { training, points, diverged, hash: hash(network), probed };
}
