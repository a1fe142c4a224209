// Three kinds of statistics for inference from one training. During it the layers keep those of the newest batch alone
// (momentum 1), and the averages are taken here, so that all three are of the same network.
import type { BatchNorm } from "batchnorm";
import { first, type Samples } from "../../examples/digits/network/samples.js";
import type { Model } from "./model.js";

const MOMENTUM = 0.1;
/** Training digits that stand for the population. */
export const POPULATION = 10_000;

/** A layer's mean and variance. */
interface Averages {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

function averages({ numFeatures }: BatchNorm): Averages {
  return { mean: new Float64Array(numFeatures), variance: new Float64Array(numFeatures).fill(1) };
}

function move(average: Float64Array, newest: ArrayLike<number>, weight: number): void {
  for (let c = 0; c < average.length; c++) average[c]! += weight * (newest[c]! - average[c]!);
}

function install(norm: BatchNorm, { mean, variance }: Averages): void {
  norm.runningMean?.set(mean);
  norm.runningVar?.set(variance);
}

export class StatisticsFollower {
  readonly #running: Averages[];
  readonly #cumulative: Averages[];
  #steps = 0;

  constructor(readonly model: Model) {
    for (const norm of model.norms) norm.momentum = 1;
    this.#running = model.norms.map(averages);
    this.#cumulative = model.norms.map(averages);
  }

  /** Takes in the statistics of the batch that was just trained on. */
  follow(): void {
    this.#steps++;
    for (const [averagesOf, weight] of [
      [this.#running, MOMENTUM],
      [this.#cumulative, 1 / this.#steps],
    ] as const) {
      this.model.norms.forEach(({ runningMean, runningVar }, i) => {
        if (runningMean) move(averagesOf[i]!.mean, runningMean, weight);
        if (runningVar) move(averagesOf[i]!.variance, runningVar, weight);
      });
    }
  }

  /** From here to the next step, inference uses these statistics. */
  use(kind: "running" | "cumulative"): void {
    const averagesOf = kind === "running" ? this.#running : this.#cumulative;
    this.model.norms.forEach((norm, i) => install(norm, averagesOf[i]!));
  }

  /** The same with the statistics of many training digits at once; each layer's input is normalized with them too. */
  usePopulation(training: Samples): void {
    const { images, count } = first(training, Math.min(POPULATION, training.count));
    this.model.forward(images, count);
  }
}
