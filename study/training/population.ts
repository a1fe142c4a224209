// The statistics of the population by `updateStatistics`, beside the running ones that the layers keep themselves.
import { updateStatistics } from "batchnorm";
import { first, type Digits, type Samples } from "../../examples/digits/network/samples.js";
import { accuracy, batchAccuracy } from "./evaluate.js";
import type { Model } from "./model.js";
import type { ByUpdate } from "./point.js";
import { POPULATION } from "./statistics.js";

/** Passes of more batches would take longer than the trainings. */
export const MOST_BATCHES = 1000;

export interface Source {
  /** The digits that were trained on. */
  readonly training: Samples;
  readonly heldOut: Digits["heldOut"];
  readonly batch: number;
  /** Endless batches of the samples, made up as in the training. */
  readonly batchesOf: (samples: Samples) => Iterator<Samples, never>;
}

/** The first `count` of an endless iterator. */
function* take(batches: Iterator<Samples, never>, count: number): Generator<Samples> {
  for (let i = 0; i < count; i++) yield batches.next().value;
}

/** The accuracies with each kind of statistics. Afterwards the layers have the statistics that they had. */
export async function byUpdate(model: Model, { training, heldOut, batch, batchesOf }: Source): Promise<ByUpdate> {
  const norms = [...model.norms];
  const states = norms.map((norm) => norm.stateDict());
  const restore = (): void => norms.forEach((norm, i) => norm.loadStateDict(states[i]!));
  const digits = first(training, POPULATION);
  const count = Math.min(MOST_BATCHES, Math.floor(digits.count / batch));
  const batches = (): Generator<Samples> => take(batchesOf(digits), count);
  const updated = async (passes: "together" | "in order"): Promise<number> => {
    await updateStatistics(norms, batches, ({ images, count: rows }) => model.forward(images, rows), { passes });
    const right = accuracy(model, heldOut);
    restore();
    return right;
  };
  const running = accuracy(model, heldOut);
  const together = await updated("together");
  const inOrder = await updated("in order");
  const own = batchAccuracy(model, batchesOf(heldOut), Math.floor(heldOut.count / batch));
  restore();
  return { running, together, inOrder, batch: own };
}
