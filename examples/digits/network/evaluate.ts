// Held-out evaluation: accuracy, the spread of one unit's input, and the trap of batch statistics of one.
import { CLASSES, PIXELS, type Samples } from "./samples.js";
import type { Network } from "./network.js";

/** The unit of the last hidden layer whose input is followed: the first, whatever it shows. */
const UNIT = 0;
const PERCENTILES = [0.15, 0.5, 0.85];

export interface Evaluation {
  /** Share of the held-out digits named rightly, 0–1. */
  readonly accuracy: number;
  /** The 15th, 50th and 85th percentiles of the unit's input. */
  readonly percentiles: readonly number[];
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

/** The most likely class of every row. */
function answers(logits: Float32Array): number[] {
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
    const width = network.lastEntering.length / count;
    const inputs = network.lastEntering.filter((_, p) => p % width === UNIT);
    return { accuracy: share(answers(logits), labels), percentiles: percentiles(inputs, PERCENTILES) };
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
  const given: number[] = [];
  const outputs = new Set<string>();
  for (let i = 0; i < count; i++) {
    const logits = network.forward(images.subarray(i * PIXELS, (i + 1) * PIXELS), 1);
    given.push(...answers(logits));
    outputs.add(logits.join());
  }
  return { accuracy: share(given, labels), distinctAnswers: new Set(given).size, distinctOutputs: outputs.size };
}
