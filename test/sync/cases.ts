// Batches to cut where groups of the contract end: `unit` samples make one, or the fewest that end with a sample.
import type { Activation, BatchNormOptions, DType } from "../../src/index.js";
import type { SyncCase } from "../support/sync/whole-and-parts.js";

export interface CutCase extends SyncCase {
  readonly name: string;
  readonly unit: number;
}

const prelu = (channels: number): Activation => ({
  type: "prelu",
  slope: Float32Array.from({ length: channels }, (_, c) => c / 10 - 0.2),
});

const planes = { unit: 64, shape: [330, 2, 1024] };
const short = { unit: 4096, shape: [18_000, 8, 3] };
const rows = { unit: 4096, shape: [21_000, 16] };

const ofTypes = (options: BatchNormOptions = {}): CutCase[] =>
  (["float64", "float16", "bfloat16"] as DType[]).map((dtype) => ({
    ...planes,
    name: `${dtype} planes`,
    residual: true,
    options: { ...options, dtype, activation: "relu" },
  }));

export const CASES: readonly CutCase[] = [
  { ...planes, name: "planes of several runs in a block" },
  { name: "planes with a run in two blocks", unit: 16, shape: [90, 2, 4096] },
  { name: "planes with a run in three blocks", unit: 32, shape: [80, 1, 4097] },
  { name: "planes with a run in seven blocks", unit: 32, shape: [70, 1, 112, 112] },
  { name: "planes with a run of a whole group", unit: 1, shape: [9, 2, 65_536] },
  { name: "planes with a run of two groups, the last of few values", unit: 1, shape: [6, 1, 63 * 2048 + 5] },
  { ...rows, name: "rows" },
  { ...short, name: "rows of short runs" },
  { name: "few columns", unit: 65_536, shape: [300_000, 3] },
  { name: "few columns of short runs", unit: 65_536, shape: [140_000, 2, 3] },
  { name: "channels last", unit: 4096 / 64, shape: [330, 8, 8, 17], options: { layout: "channels-last" } },
  {
    name: "channel axes that do not touch",
    unit: 64,
    shape: [200, 2, 32, 2, 32],
    channels: 4,
    options: { axis: [1, 3] },
  },
  ...ofTypes(),
  { ...planes, name: "weights of samples", weights: "samples" },
  { ...planes, name: "weights of positions", weights: "positions" },
  { ...planes, name: "a mask, and masked outputs of 0", weights: "mask", maskedOutput: "zero" },
  { ...short, name: "weights of samples in short runs", weights: "samples" },
  { ...short, name: "weights of positions in short runs", weights: "positions" },
  { ...short, name: "weights of positions in short runs, outputs of 0", weights: "positions", maskedOutput: "zero" },
  { name: "weights in runs of two groups", unit: 1, shape: [5, 1, 65_536 * 2], weights: "positions" },
  { name: "weights in runs of three blocks", unit: 32, shape: [70, 1, 4097], weights: "positions", residual: true },
  { ...short, name: "float64 of short runs", options: { dtype: "float64" } },
  { name: "float64 in runs of two groups", unit: 1, shape: [5, 1, 65_536 * 2], options: { dtype: "float64" } },
  { name: "float64 in runs of three blocks", unit: 32, shape: [100, 1, 4097], options: { dtype: "float64" } },
  { ...rows, name: "float64 with weights", weights: "positions", options: { dtype: "float64" } },
  { ...planes, name: "PReLU", options: { activation: prelu(2) } },
  { ...planes, name: "PReLU of one slope", options: { activation: { type: "prelu", slope: Float32Array.of(0.2) } } },
  { name: "PReLU in runs of two groups", unit: 1, shape: [5, 2, 65_536 * 2], options: { activation: prelu(2) } },
  { name: "PReLU in runs of three blocks", unit: 32, shape: [70, 2, 4097], options: { activation: prelu(2) } },
  { ...short, name: "PReLU of short runs, and a residual", residual: true, options: { activation: prelu(8) } },
  { ...rows, name: "hard swish", options: { activation: "hard-swish" } },
  { ...planes, name: "from the output", options: { activation: "leaky-relu" }, forward: { save: "output" } },
  { ...planes, name: "a renormalization", options: { renorm: { rMax: 1.1, dMax: 0.1 } }, steps: 2 },
  { ...rows, name: "Keras", options: { convention: "keras" }, steps: 2 },
  { ...rows, name: "a mean over all batches", options: { momentum: null }, steps: 3 },
  { ...rows, name: "without γ and running statistics", options: { weight: false, trackRunningStats: false } },
  { ...rows, name: "updates that are committed later", forward: { updateRunningStats: "later" }, steps: 2 },
  { ...rows, name: "no updates", forward: { updateRunningStats: false } },
  { ...rows, name: "gradInput alone", backward: { need: { weight: false, bias: false } } },
  { ...rows, name: "the gradients of parameters alone", backward: { need: { input: false } } },
  { ...rows, name: "frozen", prepare: (layer) => (layer.frozen = true) },
  { ...rows, name: "after eval()", prepare: (layer) => layer.eval(), forward: { save: true } },
];
