// How long the trainings will take on this machine: a few steps are timed first.
import { evaluate } from "./network/evaluate.js";
import { batches, first, type Digits } from "./network/samples.js";
import type { Task } from "./pool.js";
import { settings } from "./settings.js";
import { build, type Training } from "./training.js";

/** Milliseconds: of a step, whatever its size; of each digit in it; of a look at the network. */
export interface Speed {
  readonly step: number;
  readonly digit: number;
  readonly look: number;
}

/** The shortest of several times, in milliseconds, after as many that are not counted. */
function shortest(times: number, run: () => void): number {
  let best = Infinity;
  for (let i = 0; i < 2 * times; i++) {
    const start = performance.now();
    run();
    if (i >= times) best = Math.min(best, performance.now() - start);
  }
  return best;
}

export function measureSpeed(training: Training, digits: Digits): Speed {
  const network = build(training);
  const stepOf = (batch: number): number => {
    const source = batches(digits.training, batch, training.seed);
    return shortest(15, () => network.step(source.next().value, training.rate));
  };
  const [small, large] = [stepOf(2), stepOf(62)];
  const digit = Math.max(0, (large - small) / 60);
  const look = shortest(2, () => evaluate(network, first(digits.heldOut, settings.heldOut)));
  return { step: Math.max(0, small - 2 * digit), digit, look };
}

/** Milliseconds that a task takes on one core. */
export function costOf({ training: { steps, batch, look } }: Task, speed: Speed): number {
  return steps * (speed.step + batch * speed.digit) + (steps / look + 1) * speed.look;
}
