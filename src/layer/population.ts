// Population statistics: those of a whole data set, merged batch by batch, in the place of running statistics.
import { copyInto } from "../base/arrays.js";
import { checkOneOf, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import type { DType } from "../base/types.js";
import { mergeMoments, variance, type ChannelMoments } from "../kernels/moments.js";
import { BatchNorm } from "./batch-norm.js";
import { collect, type Collector } from "./collectors.js";

/** Batches, or a function that begins them anew: several passes need an array or a function. */
export type Batches<B> = Iterable<B> | AsyncIterable<B> | (() => Iterable<B> | AsyncIterable<B>);

/** How far `updateStatistics` is. */
export interface StatisticsProgress {
  /** Batches of this pass that have been run. */
  readonly batches: number;
  /** Passes that have ended, and all there will be. */
  readonly passes: readonly [done: number, all: number];
}

/** The options of `updateStatistics`. */
export interface UpdateStatisticsOptions {
  /**
   * - `"together"`: one pass for all layers, in which each normalizes with the statistics of its batch. The default.
   * - `"in order"`: a pass for each layer, in the order of the list. The layers before it normalize with their new
   *   statistics already, as in inference, so that each sees what it will see then. The batches must be an array or a
   *   function.
   */
  passes?: "together" | "in order" | undefined;
  /**
   * Is called after each batch.
   *
   * @param progress How far it is.
   */
  onProgress?: ((progress: StatisticsProgress) => void) | undefined;
}

type Layer = BatchNorm<DType>;

function checkLayers(value: unknown): Layer[] {
  const layers: unknown[] = Array.isArray(value) ? [...(value as unknown[])] : [value];
  layers.forEach((layer, i) => {
    const name = Array.isArray(value) ? `layers[${i}]` : "layers";
    if (!(layer instanceof BatchNorm))
      throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected a BatchNorm, got ${describe(layer)}`);
    if (!layer.runningMean)
      throw rangeError("ERR_BATCHNORM_VALUE", `"${name}" needs running statistics, got trackRunningStats: false`);
  });
  return [...new Set(layers as Layer[])];
}

function begin<B>(batches: Batches<B>): Iterable<B> | AsyncIterable<B> {
  const begun: unknown = typeof batches === "function" ? batches() : batches;
  const isObject = typeof begun === "object" && begun !== null;
  if (isObject && (Symbol.iterator in begun || Symbol.asyncIterator in begun)) return begun as Iterable<B>;
  throw typeError("ERR_BATCHNORM_TYPE", `"batches" expected an iterable or a function, got ${describe(begun)}`);
}

function readFollowing(given: unknown): { inOrder: boolean; onProgress: UpdateStatisticsOptions["onProgress"] } {
  const { passes = "together", onProgress } = readOptions(given, ["passes", "onProgress"]);
  if (onProgress !== undefined && typeof onProgress !== "function")
    throw typeError("ERR_BATCHNORM_TYPE", `"onProgress" expected a function, got ${describe(onProgress)}`);
  const inOrder = checkOneOf("passes", passes, ["together", "in order"] as const) === "in order";
  return { inOrder, onProgress: onProgress as UpdateStatisticsOptions["onProgress"] };
}

/** The moments of all batches that a layer has seen. */
class Seen {
  moments: ChannelMoments | null = null;
  batches = 0;

  readonly add: Collector = (moments) => {
    this.moments = this.moments ? mergeMoments(this.moments, moments) : moments;
    this.batches++;
  };
}

function setStatistics(layer: Layer, { moments, batches }: Seen): void {
  copyInto(layer.runningMean!, moments!.mean);
  copyInto(layer.runningVar!, variance(moments!, layer.correction));
  layer.numBatchesTracked = batches;
}

/**
 * Sets the running statistics of layers to the mean and the variance of a whole data set, which is what inference is
 * meant to normalize with (Ioffe & Szegedy 2015, Algorithm 2; "precise" statistics of Wu & Johnson 2021). Moments of the
 * batches are merged by their counts, so the result is that of all values together, up to rounding, whatever the sizes
 * of the batches. torch.optim.swa_utils.update_bn averages the averages of the batches instead.
 *
 * While it runs, the layers are in training mode, and normalize with the statistics of the batch. Afterwards they have
 * the modes they had. If it throws, their statistics are unchanged.
 *
 * @param layers The layers, or one.
 * @param batches The batches, in whatever form `run` takes them.
 * @param run Runs the network on a batch, so that every layer makes a forward. It may be async.
 * @param options The number of passes, and a function to follow them with.
 * @throws TypeError if an argument has the wrong kind (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if a layer keeps no running statistics, or has seen no values (`ERR_BATCHNORM_VALUE`).
 */
export async function updateStatistics<B>(
  layers: BatchNorm<DType> | readonly BatchNorm<DType>[],
  batches: Batches<B>,
  run: (batch: B) => unknown,
  options?: UpdateStatisticsOptions,
): Promise<void> {
  const list = checkLayers(layers);
  if (typeof run !== "function")
    throw typeError("ERR_BATCHNORM_TYPE", `"run" expected a function, got ${describe(run)}`);
  const { inOrder, onProgress } = readFollowing(options);
  const rounds = inOrder ? list.map((layer) => [layer]) : [list];
  const modes = list.map(({ training, frozen }) => ({ training, frozen }));
  const states = list.map((layer) => layer.stateDict());
  try {
    for (const [done, round] of rounds.entries()) {
      const follow = (count: number): void => onProgress?.({ batches: count, passes: [done, rounds.length] });
      await pass(round, list, begin(batches), run, follow);
    }
  } catch (error) {
    list.forEach((layer, i) => layer.loadStateDict(states[i]!));
    throw error;
  } finally {
    list.forEach((layer, i) => Object.assign(layer, modes[i]));
  }
}

/** One pass over the batches, in which some of the layers collect. */
async function pass<B>(
  collecting: readonly Layer[],
  all: readonly Layer[],
  batches: Iterable<B> | AsyncIterable<B>,
  run: (batch: B) => unknown,
  follow: (count: number) => void,
): Promise<void> {
  const seen = new Map(collecting.map((layer) => [layer, new Seen()]));
  for (const layer of all) Object.assign(layer, { training: collecting.includes(layer), frozen: false });
  const ends = collecting.map((layer) => collect(layer.runningMean!, seen.get(layer)!.add));
  try {
    let count = 0;
    for await (const batch of batches) {
      await run(batch);
      follow(++count);
    }
  } finally {
    for (const end of ends) end();
  }
  for (const [layer, of] of seen) {
    if (!layer.training || layer.frozen)
      throw rangeError(
        "ERR_BATCHNORM_VALUE",
        `layer ${all.indexOf(layer)} of "layers" was given another mode while "updateStatistics" ran: await it`,
      );
    if (!of.moments?.count)
      throw rangeError(
        "ERR_BATCHNORM_VALUE",
        `layer ${all.indexOf(layer)} of "layers" has seen no values: did "run" use it?`,
      );
  }
  for (const [layer, of] of seen) setStatistics(layer, of);
}
