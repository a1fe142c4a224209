// PyTorch's cases as scripts/torch/vectors.py wrote them: the index, the inputs it drew, and its results.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Layout } from "../../src/index.js";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";

export interface TorchCase {
  /** In memory order: channels-last puts the channels last. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly dtype: DType;
  readonly kind: "normal" | "relu" | "constant" | "outlier" | "centred" | "grid";
  readonly mean: number;
  readonly std: number;
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: boolean;
  readonly bias: boolean;
  readonly track: boolean;
  /** Training steps before the inference. */
  readonly steps: number;
  readonly seed: number;
}

interface Index {
  readonly provenance: Readonly<Record<string, string | number>>;
  readonly cases: readonly TorchCase[];
}

const here = (name: string): URL => new URL(name, import.meta.url);
const bytes = readFileSync(here("torch.bin"));

const [provenance, ...cases] = readFileSync(here("torch.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as unknown);
export const index = { provenance, cases } as Index;
export const sha256 = createHash("sha256").update(bytes).digest("hex");

export interface Sizes {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

export function sizesOf({ shape, layout }: TorchCase): Sizes {
  const axis = layout === "channels-last" ? shape.length - 1 : 1;
  const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  return { outer: product(shape.slice(0, axis)), channels: shape[axis]!, inner: product(shape.slice(axis + 1)) };
}

/** What stands after a step, and is compared. */
export type Results = Partial<Record<"y" | "dx" | "dweight" | "dbias" | "runningMean" | "runningVar", Data>>;

/** Results of each training step, then of the inference, in the order of the binary. */
function reader(): (test: TorchCase) => Results[] {
  let offset = 0;
  const read = (dtype: DType, length: number): Data => {
    const start = bytes.byteOffset + offset;
    const data = allocate(dtype, length);
    offset += data.byteLength;
    const copy = bytes.buffer.slice(start, start + data.byteLength);
    return dtype === "float32" ? new Float32Array(copy) : new Float64Array(copy);
  };
  return ({ dtype, weight, bias, track, steps, ...rest }) => {
    const { outer, channels, inner } = sizesOf({ dtype, weight, bias, track, steps, ...rest });
    const size = outer * channels * inner;
    return Array.from({ length: steps + 1 }, (_, step) => ({
      y: read(dtype, size),
      dx: read(dtype, size),
      ...(weight && { dweight: read(dtype, channels) }),
      ...(bias && { dbias: read(dtype, channels) }),
      ...(track && step < steps && { runningMean: read(dtype, channels), runningVar: read(dtype, channels) }),
    }));
  };
}

const read = reader();
/** In the order of the index. */
export const expected: readonly Results[][] = index.cases.map(read);

export function inputsOf(test: TorchCase, step: number): { x: Data; dy: Data } {
  const { mean, std, kind, dtype, seed } = test;
  const { outer, channels, inner } = sizesOf(test);
  const x = allocate(dtype, outer * channels * inner);
  const next = gaussian(random(seed + 10 * (step + 1)));
  for (let i = 0; i < x.length; i++) {
    const c = Math.floor(i / inner) % channels;
    const value = mean + std * (next() * 2 ** (c % 3));
    if (kind === "relu") x[i] = Math.max(value, 0);
    else if (kind === "constant") x[i] = mean;
    else if (kind === "outlier" && i < channels * inner && i % inner === 0) x[i] = value + 1e4 * std;
    else x[i] = kind === "grid" ? Math.fround(value) : value;
  }
  const gradient = gaussian(random(seed + 10 * (step + 1) + 1));
  return { x, dy: x.map(() => gradient() + 0.25) };
}

export interface State {
  readonly weight: Data;
  readonly bias: Data;
  readonly runningMean: Data;
  readonly runningVar: Data;
}

/** Parameters, and the running statistics of the cases that only infer. */
export function stateOf(test: TorchCase): State {
  const { channels } = sizesOf(test);
  const table = (seed: number, value: (u: number, c: number) => number): Data => {
    const next = random(seed);
    return allocate(test.dtype, channels).map((_, c) => value(next(), c));
  };
  return {
    weight: table(test.seed, (u, c) => (c % 3 === 1 ? -1 : 1) * (0.25 + u)),
    bias: table(test.seed + 1, (u) => u - 0.5),
    runningMean: table(test.seed + 2, (u) => (test.steps === 0 ? u - 0.5 : 0)),
    runningVar: table(test.seed + 3, (u) => (test.steps === 0 ? 0.25 + u : 1)),
  };
}

export function nameOf(test: TorchCase): string {
  const { shape, layout, dtype, kind, mean, std, eps, momentum, seed } = test;
  return `${shape.join("×")} ${layout} ${dtype} ${kind} ${mean}±${std} eps ${eps} momentum ${momentum} seed ${seed}`;
}
