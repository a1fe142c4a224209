// What is asked of a network that is trained. Each probe works on a copy, because a forward in training changes the
// running statistics.
import { columns, mean, oneAtATime, standardDeviation, type OneAtATime } from "./network/evaluate.js";
import type { Network } from "./network/network.js";
import { batches, first, Stream, type Digits, type Samples } from "./network/samples.js";
import { settings } from "./settings.js";
import { build, type Training } from "./training.js";

export type Probe = "gradients" | "algorithm" | "trap";

/** Algorithm 1 on one mini-batch, in the last hidden layer. */
export interface AlgorithmOne {
  /** The mean over the units of |mean| + |standard deviation − 1|, before γ and β. */
  readonly deviation: number;
  /** The first unit and the first digits: x, its mean and variance over the mini-batch, γ, β, x̂ and y. */
  readonly unit: {
    readonly x: readonly number[];
    readonly mean: number;
    readonly variance: number;
    readonly weight: number;
    readonly bias: number;
    readonly normalized: readonly number[];
    readonly y: readonly number[];
  } | null;
}

export interface Probed {
  /** For each size of a mini-batch: the cosine between its gradient and that of many digits. */
  readonly gradients?: readonly number[];
  readonly algorithm?: AlgorithmOne;
  /** Digits one at a time, with the running statistics and, where there is normalization, with their own. */
  readonly trap?: { readonly running: OneAtATime; readonly own: OneAtATime | null };
}

function copyOf(network: Network, training: Training): Network {
  const copy = build(training, { singleValue: "allow" });
  copy.copyFrom(network);
  return copy;
}

/** All gradients one after another. */
function gradientOf(network: Network, samples: Samples): number[] {
  return network.gradients(samples).flatMap(({ gradient }) => [...gradient]);
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function gradients(network: Network, { training }: Digits, seed: number): number[] {
  const { sizes, draws, reference } = settings.miniBatch;
  const whole = gradientOf(network, first(training, reference));
  return sizes.map((size) => {
    const source = batches(training, size, seed, Stream.probe);
    const cosines = Array.from({ length: draws }, () => {
      const part = gradientOf(network, source.next().value);
      return dot(part, whole) / Math.sqrt(dot(part, part) * dot(whole, whole));
    });
    return mean(cosines);
  });
}

const SHOWN = 6;

function algorithm(network: Network, { training }: Digits, { seed, batch }: Training): AlgorithmOne {
  const { images, count } = batches(training, batch, seed, Stream.probe).next().value;
  network.forward(images, count);
  const { normInput, entering, norm, dense } = network.hidden.at(-1)!;
  const outputs = columns(entering, dense.outputs);
  const normalized = outputs.map((y, c) =>
    y.map((value) => (value - (norm?.bias?.[c] ?? 0)) / (norm?.weight?.[c] ?? 1)),
  );
  const deviation = mean(normalized.map((values) => Math.abs(mean(values)) + Math.abs(standardDeviation(values) - 1)));
  if (!norm?.weight || !norm.bias) return { deviation, unit: null };
  const x = columns(normInput, dense.outputs)[0]!;
  const shown = (values: Float32Array): number[] => [...values.subarray(0, SHOWN)];
  return {
    deviation,
    unit: {
      x: shown(x),
      mean: mean(x),
      variance: standardDeviation(x) ** 2,
      weight: norm.weight[0]!,
      bias: norm.bias[0]!,
      normalized: shown(normalized[0]!),
      y: shown(outputs[0]!),
    },
  };
}

function trap(network: Network, { heldOut }: Digits, { normalized }: Training): NonNullable<Probed["trap"]> {
  const running = network.inEvaluation(() => oneAtATime(network, heldOut));
  return { running, own: normalized ? oneAtATime(network, heldOut) : null };
}

export function probe(probes: readonly Probe[], training: Training, network: Network, digits: Digits): Probed {
  return {
    ...(probes.includes("gradients") && { gradients: gradients(copyOf(network, training), digits, training.seed) }),
    ...(probes.includes("algorithm") && { algorithm: algorithm(copyOf(network, training), digits, training) }),
    ...(probes.includes("trap") && { trap: trap(copyOf(network, training), digits, training) }),
  };
}
