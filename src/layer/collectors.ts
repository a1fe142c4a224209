// Who gets the moments of a layer's batches in the place of its running statistics, while a population is collected.
import type { WholeMoments } from "../kernels/moments.js";

export type Collector = (moments: WholeMoments) => void;

/** By the running mean of the layer, which a proxy of the layer has too. */
const collectors = new WeakMap<object, Collector>();
let count = 0;

/** Sends a layer's moments to a collector until the returned function is called. */
export function collect(runningMean: object, collector: Collector): () => void {
  collectors.set(runningMean, collector);
  count++;
  return () => {
    collectors.delete(runningMean);
    count--;
  };
}

export function collectorOf(runningMean: object): Collector | undefined {
  return count === 0 ? undefined : collectors.get(runningMean);
}
