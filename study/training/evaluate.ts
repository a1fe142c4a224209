// How many digits a model names rightly.
import { answers } from "../../examples/digits/network/evaluate.js";
import { first, gather, type Samples } from "../../examples/digits/network/samples.js";
import type { Model } from "./model.js";

/** Rows of a forward in evaluation, which bound its memory. */
const ROWS = 1000;

/** The samples from `start` on, `count` of them, in the same memory. */
function slice({ images, labels, count: all }: Samples, start: number, count: number): Samples {
  const size = images.length / all;
  return {
    count,
    images: images.subarray(start * size, (start + count) * size),
    labels: labels.subarray(start, start + count),
  };
}

/** How many rows are named rightly. A row of NaNs is taken for a 0, the first of equal logits. */
function right(logits: Float32Array, labels: Uint8Array): number {
  return answers(logits).filter((answer, row) => Math.max(0, answer) === labels[row]).length;
}

/** The share of right answers, with the running statistics. */
export function accuracy(model: Model, samples: Samples): number {
  return model.inEvaluation(() => {
    let sum = 0;
    for (let start = 0; start < samples.count; start += ROWS) {
      const part = slice(samples, start, Math.min(ROWS, samples.count - start));
      sum += right(model.forward(part.images, part.count), part.labels);
    }
    return sum / samples.count;
  });
}

/** The share of right answers in `count` batches, each normalized with its own statistics. */
export function batchAccuracy(model: Model, batches: Iterator<Samples, never>, count: number): number {
  let sum = 0;
  let rows = 0;
  for (let i = 0; i < count; i++) {
    const batch = batches.next().value;
    sum += right(model.forward(batch.images, batch.count), batch.labels);
    rows += batch.count;
  }
  return sum / rows;
}

/** `count` samples at equal distances over all of them, in memory of their own. */
export function spread(samples: Samples, count: number): Samples {
  if (count >= samples.count) return first(samples, samples.count);
  const numbers = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * samples.count) / count));
  const images = new Float32Array(count * (samples.images.length / samples.count));
  return gather(samples, numbers, { count, images, labels: new Uint8Array(count) });
}
