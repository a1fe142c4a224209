// The networks that a point can train.
import type { BatchNorm, BatchNormOptions, RenormSchedule } from "batchnorm";
import type { Products } from "../../examples/digits/network/matrix.js";
import { Network } from "../../examples/digits/network/network.js";
import { uniform } from "../../examples/digits/network/random.js";
import { Stream, type Samples } from "../../examples/digits/network/samples.js";
import type { RenormSettings, Settings } from "../experiments/plan.js";
import { ConvolutionalNetwork } from "./convolutional-network.js";

/** What training and evaluation need of a network. */
export interface Model {
  readonly norms: readonly BatchNorm[];
  forward(images: Float32Array, rows: number): Float32Array;
  step(samples: Samples, rate: number, options?: { weightDecay?: number }): void;
  inEvaluation<Result>(use: () => Result): Result;
  parameters(): Float32Array[];
}

/** The limits for each batch. */
export function scheduleOf({ from, rMax, rUntil, dMax, dUntil }: RenormSettings): RenormSchedule {
  const share = (batch: number, until: number): number => Math.min(1, Math.max(0, (batch - from) / (until - from)));
  return (batch) => ({ rMax: 1 + (rMax - 1) * share(batch, rUntil), dMax: dMax * share(batch, dUntil) });
}

/** Workers use one core each, so the normalizing layers use one thread. */
function normOptions({ norm }: Settings): BatchNormOptions<"float32"> | null {
  if (norm === null) return null;
  const { renorm, ...rest } = norm;
  return { reuse: true, threads: 1, ...rest, ...(renorm && { renorm: scheduleOf(renorm) }) };
}

export function denseNetwork(settings: Settings, seed: number, products: Products): Network {
  const { activation, placement = "before", initialStd = null, dropout = 0, noise = null } = settings;
  const options = { activation, norm: normOptions(settings), placement, initialStd, dropout, noise, products };
  return new Network(options, uniform(seed, Stream.weights));
}

export function convolutionalNetwork(settings: Settings, seed: number): ConvolutionalNetwork {
  return new ConvolutionalNetwork(normOptions(settings), uniform(seed, Stream.weights));
}
