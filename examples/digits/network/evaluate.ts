// Evaluation: accuracy, and what enters the last hidden layer's activations, over all samples at once or one at a time.
import type { Network } from "./network.js";
import { CLASSES, type Samples } from "./samples.js";

/** The unit of the last hidden layer whose input is followed: the first, whatever it shows. */
const UNIT = 0;
const PERCENTILES = [0.15, 0.5, 0.85];

export interface Evaluation {
  /** Share of the digits named rightly, 0–1. */
  readonly accuracy: number;
  /** The 15th, 50th and 85th percentiles of one unit's input. */
  readonly percentiles: readonly number[];
  /** The mean and the standard deviation of every unit's input in the last hidden layer. */
  readonly means: readonly number[];
  readonly stds: readonly number[];
}

/** Percentiles by linear interpolation between the two nearest values; NaN where there is no value. */
export function percentiles(values: Iterable<number>, fractions: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  return fractions.map((fraction) => {
    const position = fraction * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? NaN;
    const above = sorted[Math.ceil(position)] ?? NaN;
    return below + (above - below) * (position - Math.floor(position));
  });
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Divided by the number of values, or by one less where they are a sample of all there could be. */
export function standardDeviation(values: ArrayLike<number>, less: 0 | 1 = 0): number {
  const center = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - center) ** 2;
  return Math.sqrt(sum / (values.length - less));
}

/** The columns of rows of `units` values: one array for each unit. */
export function columns(values: Float32Array, units: number): Float32Array[] {
  return Array.from({ length: units }, (_, unit) => {
    const length = values.length / units;
    const result = new Float32Array(length);
    for (let i = 0; i < length; i++) result[i] = values[i * units + unit]!;
    return result;
  });
}

/** The most likely class of every row; −1 where a logit is NaN. */
export function answers(logits: Float32Array): number[] {
  return Array.from({ length: logits.length / CLASSES }, (_, i) => {
    const row = logits.subarray(i * CLASSES, (i + 1) * CLASSES);
    return row.indexOf(Math.max(...row));
  });
}

function share(given: readonly number[], labels: Uint8Array): number {
  return given.filter((answer, i) => answer === labels[i]).length / given.length;
}

/** Runs the samples through the network with its running statistics. */
export function evaluate(network: Network, { images, labels, count }: Samples): Evaluation {
  return network.inEvaluation(() => {
    const logits = network.forward(images, count);
    const inputs = columns(network.lastEntering, network.lastEntering.length / count);
    return {
      accuracy: share(answers(logits), labels),
      percentiles: percentiles(inputs[UNIT]!, PERCENTILES),
      means: inputs.map(mean),
      stds: inputs.map((values) => standardDeviation(values)),
    };
  });
}

export interface OneAtATime {
  readonly accuracy: number;
  /** How many different digits the network named over all the samples. */
  readonly distinctAnswers: number;
  /** How many different outputs, all ten logits compared, it gave. */
  readonly distinctOutputs: number;
}

/** Runs the samples through the network one by one, in whatever mode its normalization is. */
export function oneAtATime(network: Network, { images, labels, count }: Samples): OneAtATime {
  const size = images.length / count;
  const given: number[] = [];
  const outputs = new Set<string>();
  for (let i = 0; i < count; i++) {
    const logits = network.forward(images.subarray(i * size, (i + 1) * size), 1);
    given.push(...answers(logits));
    outputs.add(logits.join());
  }
  return { accuracy: share(given, labels), distinctAnswers: new Set(given).size, distinctOutputs: outputs.size };
}
