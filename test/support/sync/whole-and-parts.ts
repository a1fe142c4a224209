// A batch as one process has it, and cut over ranks: what both compute, to be compared.
import {
  BatchNorm,
  toBfloat16Bits,
  toFloat16Bits,
  type BatchNormOptions,
  type Data,
  type DType,
  type Gradients,
  type LayerForwardOptions,
} from "../../../src/index.js";
import { convertSyncBatchNorm } from "../../../src/sync.js";
import type { Group } from "../../../src/sync/group.js";
import type { SyncOptions } from "../../../src/sync/options.js";
import { random } from "../../../src/verify/data.js";

export interface SyncCase {
  /** Its first axis is that of the samples. */
  readonly shape: readonly number[];
  readonly options?: BatchNormOptions;
  /** Where they are not at axis 1, or the last. */
  readonly channels?: number;
  /** Of samples, or of positions; `"mask"`: of positions, 0 or 1. */
  readonly weights?: "samples" | "positions" | "mask";
  readonly maskedOutput?: "zero";
  readonly residual?: boolean;
  readonly forward?: object;
  readonly backward?: object;
  /** Runs on the layer before the forward. */
  readonly prepare?: (layer: BatchNorm<DType>) => void;
  /** How often; statistics move from one to the next. */
  readonly steps?: number;
}

/** Numbers of a case, of any type. */
function dataOf(dtype: DType, length: number, next: () => number): Data {
  const values = new Float32Array(length);
  // Float32Array.from calls an iterator for each number: it takes several times as long.
  for (let i = 0; i < length; i++) values[i] = 4 * next() - 1;
  if (dtype === "float16") return toFloat16Bits(values);
  if (dtype === "bfloat16") return toBfloat16Bits(values);
  return dtype === "float64" ? Float64Array.from(values) : values;
}

const weightsOf = (dtype: DType, weights: readonly number[]): Float32Array | Float64Array =>
  dtype === "float64" ? Float64Array.from(weights) : Float32Array.from(weights);

interface Batch {
  readonly x: Data;
  readonly dy: Data;
  readonly residual: Data;
  readonly weights: Float32Array | Float64Array | null;
}

function channelsOf({ shape, channels, options = {} }: SyncCase): number {
  if (channels !== undefined) return channels;
  return options.layout === "channels-last" ? shape.at(-1)! : shape[1]!;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The newest, and what they depend on: made once for all ranks, and for all backends that compute the same case in turn. */
let made: { readonly key: string; readonly batches: readonly Batch[] } | null = null;

function batchesOf(one: SyncCase, seed: number): readonly Batch[] {
  const { shape, options, weights, steps } = one;
  const key = JSON.stringify([seed, shape, channelsOf(one), options?.dtype, weights, steps]);
  if (made?.key !== key) made = { key, batches: makeBatches(one, seed) };
  return made.batches;
}

function makeBatches(one: SyncCase, seed: number): Batch[] {
  const next = random(seed);
  const { shape, options = {}, weights, steps = 1 } = one;
  const dtype = options.dtype ?? "float32";
  const size = sizeOf(shape);
  const count = weights === "samples" ? shape[0]! : size / channelsOf(one);
  const weightOf = (i: number): number => (i % 5 === 0 ? 0 : weights === "mask" ? 1 : next());
  return Array.from({ length: steps }, () => ({
    x: dataOf(dtype, size, next),
    dy: dataOf(dtype, size, next),
    residual: dataOf(dtype, size, next),
    weights: weights
      ? weightsOf(
          dtype,
          Array.from({ length: count }, (_, i) => weightOf(i)),
        )
      : null,
  }));
}

function layerOf(one: SyncCase): BatchNorm<DType> {
  const layer = new BatchNorm<DType>(channelsOf(one), one.options);
  layer.weight?.forEach((_, c, weight) => (weight[c] = 0.5 + (c % 3)));
  layer.bias?.forEach((_, c, bias) => (bias[c] = (c % 4) - 1));
  layer.runningMean?.fill(0.25);
  one.prepare?.(layer);
  return layer;
}

/** Samples begin to end of an array of all. */
function partOf<T extends Data | Float32Array | Float64Array>(data: T, samples: number, [begin, end]: Range): T {
  const each = data.length / samples;
  return data.subarray(begin * each, end * each) as T;
}

type Range = readonly [begin: number, end: number];

function forwardOptions(one: SyncCase, { residual, weights }: Batch, range: Range): LayerForwardOptions<DType> {
  const samples = one.shape[0]!;
  return {
    ...one.forward,
    ...(one.residual && { residual: partOf(residual, samples, range) }),
    ...(weights && { [one.weights === "mask" ? "mask" : "sampleWeights"]: partOf(weights, samples, range) }),
    ...(one.maskedOutput && { maskedOutput: one.maskedOutput }),
  };
}

/** What a rank has after all steps. */
export interface Results {
  readonly outputs: Data[];
  readonly gradients: Gradients<DType>[];
  readonly state: readonly unknown[];
}

const stateOf = (layer: BatchNorm<DType>): readonly unknown[] => [
  layer.runningMean,
  layer.runningVar,
  layer.numBatchesTracked,
  layer.lastRenorm,
];

/** One process with the whole batch. */
export function wholeOf(one: SyncCase, seed: number): Results {
  const layer = layerOf(one);
  const outputs: Data[] = [];
  const gradients: Gradients<DType>[] = [];
  for (const batch of batchesOf(one, seed)) {
    outputs.push(layer.forward(batch.x, one.shape, forwardOptions(one, batch, [0, one.shape[0]!])) as Data);
    if (one.forward && "updateRunningStats" in one.forward && one.forward.updateRunningStats === "later")
      layer.commit(layer.saved!);
    gradients.push(layer.backward(batch.dy, one.backward));
  }
  return { outputs, gradients, state: stateOf(layer) };
}

export type HowSynchronized = Omit<SyncOptions, "group"> & { readonly blocks?: boolean };

/** One rank with its samples. */
export async function partResults(
  one: SyncCase,
  seed: number,
  group: Group,
  range: Range,
  { blocks = false, ...how }: HowSynchronized = {},
): Promise<Results> {
  const layer = convertSyncBatchNorm(layerOf(one), group, { parameterGrads: "global", ...how });
  const outputs: Data[] = [];
  const gradients: Gradients<DType>[] = [];
  const samples = one.shape[0]!;
  const shape = [range[1] - range[0], ...one.shape.slice(1)];
  for (const batch of batchesOf(one, seed)) {
    const [x, dy] = [partOf(batch.x, samples, range), partOf(batch.dy, samples, range)];
    const options = forwardOptions(one, batch, range);
    outputs.push((blocks ? layer.forward(x, shape, options) : await layer.forwardAsync(x, shape, options)) as Data);
    if (one.forward && "updateRunningStats" in one.forward && one.forward.updateRunningStats === "later")
      layer.commit(layer.saved!);
    gradients.push(blocks ? layer.backward(dy, one.backward) : await layer.backwardAsync(dy, one.backward));
  }
  return { outputs, gradients, state: stateOf(layer) };
}

/** The ranges of ranks whose parts end at these samples. */
export function rangesOf(ends: readonly number[]): Range[] {
  return ends.map((end, i) => [i === 0 ? 0 : ends[i - 1]!, end]);
}

export const bits = (data: unknown): unknown =>
  ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1") : data;

const joined = (parts: readonly (ArrayBufferView | null | undefined)[]): string =>
  parts.map((part) => (part ? (bits(part) as string) : "")).join("");

/** All results of the ranks as one text for each of them: what they have of the batch joined, and what each has of its own. */
export function textsOf(ranks: readonly Results[]): Record<string, string> {
  const steps = ranks[0]!.outputs.length;
  const texts: Record<string, string> = {};
  for (let step = 0; step < steps; step++) {
    const gradients = ranks.map((rank) => rank.gradients[step]!);
    texts[`y ${step}`] = joined(ranks.map(({ outputs }) => outputs[step]));
    texts[`dx ${step}`] = joined(gradients.map(({ gradInput }) => gradInput));
    texts[`dresidual ${step}`] = joined(gradients.map(({ gradResidual }) => gradResidual));
    for (const name of ["gradWeight", "gradBias", "gradSlope"] as const) {
      const own = new Set(gradients.map((one) => (one[name] ? (bits(one[name]) as string) : "none")));
      texts[`${name} ${step}`] = own.size === 1 ? [...own][0]! : `differs between ranks: ${own.size}`;
    }
  }
  const states = new Set(ranks.map(({ state }) => JSON.stringify(state.map(bits))));
  texts["state"] = states.size === 1 ? [...states][0]! : `differs between ranks: ${states.size}`;
  return texts;
}
