// Internal covariate shift and what was said against it: how far a step moves the distribution that enters a layer, and
// how well a gradient predicts the gradients along its direction (Santurkar et al. 2018, section 3).
import type { Trained } from "../../examples/digits/network/dense.js";
import { columns, mean, standardDeviation } from "../../examples/digits/network/evaluate.js";
import type { Network } from "../../examples/digits/network/network.js";
import type { Samples } from "../../examples/digits/network/samples.js";

/** Lengths of a step along the gradient, in learning rates. The third is the step of the training itself. */
const LENGTHS = [0.25, 0.5, 1, 2];
/** Below this deviation a unit is constant, and how far it moved cannot be said in deviations. */
const CONSTANT = 1e-6;

interface Distribution {
  readonly mean: number;
  readonly deviation: number;
}

/** Runs `use` on the network as training does, and leaves its running statistics as they were. */
function undisturbed<Result>(network: Network, use: () => Result): Result {
  const momenta = network.norms.map(({ momentum }) => momentum);
  for (const norm of network.norms) norm.momentum = 0;
  try {
    return use();
  } finally {
    network.norms.forEach((norm, i) => (norm.momentum = momenta[i]!));
  }
}

/** For every hidden layer and unit, the distribution of what enters the activation. */
function distributions(network: Network, probe: Samples): Distribution[][] {
  return undisturbed(network, () => {
    network.forward(probe.images, probe.count);
    return network.hidden.map(({ entering, dense }) =>
      columns(entering, dense.outputs).map((values) => ({ mean: mean(values), deviation: standardDeviation(values) })),
    );
  });
}

export interface Drift {
  readonly mean: number[];
  readonly deviation: number[];
}

/** How far `step` moves the distributions of the probe in every hidden layer, averaged over its units. */
export function drift(network: Network, probe: Samples, step: () => void): Drift {
  const before = distributions(network, probe);
  step();
  const after = distributions(network, probe);
  const overUnits = (moved: (from: Distribution, to: Distribution) => number): number[] =>
    before.map((layer, l) =>
      mean(
        layer.flatMap((from, unit) => {
          const to = after[l]![unit]!;
          return Math.min(from.deviation, to.deviation) > CONSTANT ? [moved(from, to)] : [];
        }),
      ),
    );
  return {
    mean: overUnits((from, to) => Math.abs(to.mean - from.mean) / from.deviation),
    deviation: overUnits((from, to) => Math.abs(Math.log(to.deviation / from.deviation))),
  };
}

/** The Euclidean distance between two lists of arrays. */
function distance(a: readonly Float32Array[], b: readonly Float32Array[]): number {
  let sum = 0;
  a.forEach((values, i) => {
    for (let p = 0; p < values.length; p++) sum += (values[p]! - b[i]![p]!) ** 2;
  });
  return Math.sqrt(sum);
}

const gradientsOf = (trained: readonly Trained[]): Float32Array[] => trained.map(({ gradient }) => gradient.slice());

/** Gradients of the same batch along the direction of its gradient. The parameters are the same afterwards. */
export function predictiveness(network: Network, batch: Samples, rate: number): { change: number; smoothness: number } {
  return undisturbed(network, () => {
    const trained = network.gradients(batch);
    const start = trained.map(({ value }) => value.slice());
    const gradients = gradientsOf(trained);
    const length = distance(
      gradients,
      gradients.map(({ length }) => new Float32Array(length)),
    );
    const moved = LENGTHS.map((lengths) => {
      trained.forEach(({ value }, i) => {
        for (let p = 0; p < value.length; p++) value[p] = start[i]![p]! - lengths * rate * gradients[i]![p]!;
      });
      return distance(gradientsOf(network.gradients(batch)), gradients);
    });
    trained.forEach(({ value }, i) => value.set(start[i]!));
    const ratios = moved.map((change, i) => change / (LENGTHS[i]! * rate * length));
    return { change: moved[LENGTHS.indexOf(1)]! / length, smoothness: Math.max(...ratios) };
  });
}
