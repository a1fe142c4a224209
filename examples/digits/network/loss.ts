// Softmax cross-entropy, the mean over the rows of logits.
import { exp, log } from "./exp.js";
import { CLASSES } from "./samples.js";

/** The largest logit of a row, and Σ e^(logit − largest). */
function partition(logits: Float32Array, start: number): { largest: number; sum: number } {
  let largest = -Infinity;
  for (let c = 0; c < CLASSES; c++) largest = Math.max(largest, logits[start + c]!);
  let sum = 0;
  for (let c = 0; c < CLASSES; c++) sum += exp(logits[start + c]! - largest);
  return { largest, sum };
}

export function crossEntropy(logits: Float32Array, labels: Uint8Array): number {
  let total = 0;
  labels.forEach((label, i) => {
    const { largest, sum } = partition(logits, i * CLASSES);
    total += log(sum) + largest - logits[i * CLASSES + label]!;
  });
  return total / labels.length;
}

/**
 * The gradient of the logits: (softmax − one-hot)/total, where `total` is the number of rows, or of those of the whole
 * mini-batch that these are a part of.
 */
export function crossEntropyGradient(
  logits: Float32Array,
  labels: Uint8Array,
  total: number = labels.length,
): Float32Array {
  const gradient = new Float32Array(logits.length);
  labels.forEach((label, i) => {
    const start = i * CLASSES;
    const { largest, sum } = partition(logits, start);
    for (let c = 0; c < CLASSES; c++) {
      const softmax = exp(logits[start + c]! - largest) / sum;
      gradient[start + c] = (softmax - (c === label ? 1 : 0)) / total;
    }
  });
  return gradient;
}
