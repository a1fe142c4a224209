// The rows of docs/accuracy.md: PyTorch's errors, and the same data and float64 reference as scripts/torch/accuracy.py.
import { readFileSync } from "node:fs";
import { gaussian, random } from "../../src/verify/data.js";
import { sum } from "../../test/support/textbook.js";

export const NAMES = ["mean", "variance", "y", "dx"] as const;
export type Name = (typeof NAMES)[number];
/** Largest errors over all channels or elements; null: not a finite number. */
export type Errors = Readonly<Record<Name, number | null>>;

export interface Row {
  readonly data: string;
  readonly shape: readonly number[];
  readonly kind: "normal" | "outlier" | "smooth" | "relu";
  readonly mean: number;
  readonly std: number;
  readonly eps: number;
  readonly seed: number;
  /** Sum of the bits of x and dy as unsigned integers, modulo 2³². */
  readonly bits: number;
  readonly torch: Errors;
}

const [first, ...rest] = readFileSync(new URL("../torch/accuracy.jsonl", import.meta.url), "utf8")
  .trimEnd()
  .split("\n");

export const provenance = JSON.parse(first!) as Readonly<Record<string, string | number>>;
export const rows = rest.map((line) => JSON.parse(line) as Row);

export interface Extent {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

export function extentOf({ shape: [outer = 1, channels = 1, inner = 1] }: Row): Extent {
  return { outer, channels, inner };
}

/** Straight lines between a normal number every 32 values: smooth, and exact in float64. */
function smooth(next: () => number): () => number {
  let [from, to] = [next(), next()];
  let i = 0;
  return () => {
    if (i === 32) [from, to, i] = [to, next(), 0];
    return from + (to - from) * (i++ / 32);
  };
}

export function inputsOf(row: Row): { x: Float32Array; dy: Float32Array } {
  const { kind, mean, std, seed } = row;
  const { outer, channels, inner } = extentOf(row);
  const next = kind === "smooth" || kind === "relu" ? smooth(gaussian(random(seed))) : gaussian(random(seed));
  const x = new Float32Array(outer * channels * inner);
  for (let i = 0; i < x.length; i++) {
    const value = mean + std * next();
    x[i] = kind === "relu" ? Math.max(value, 0) : value;
  }
  if (kind === "outlier") for (let c = 0; c < channels; c++) x[c * inner] = 1e4;
  const gradient = gaussian(random(seed + 1));
  const dy = new Float32Array(x.length);
  for (let i = 0; i < dy.length; i++) dy[i] = gradient() + 0.25;
  return { x, dy };
}

export function bitsOf({ x, dy }: { x: Float32Array; dy: Float32Array }): number {
  let total = 0;
  for (const data of [x, dy]) for (const word of new Uint32Array(data.buffer)) total = (total + word) >>> 0;
  return total;
}

/** One channel in float64, every sum compensated. */
export interface Channel {
  readonly mean: number;
  readonly m2: number;
  readonly r: number;
  /** Position in the tensor of the channel's t-th value. */
  at(t: number): number;
  dx(p: number): number;
}

export function channelOf(row: Row, x: Float32Array, dy: Float32Array, c: number): Channel {
  const { outer, channels, inner } = extentOf(row);
  const n = outer * inner;
  const at = (t: number): number => (Math.floor(t / inner) * channels + c) * inner + (t % inner);
  const near = sum(n, (t) => x[at(t)]!) / n;
  const left = sum(n, (t) => x[at(t)]! - near);
  const mean = near + left / n;
  const m2 = sum(n, (t) => (x[at(t)]! - mean) ** 2);
  const r = 1 / Math.sqrt(m2 / n + row.eps);
  const dbias = sum(n, (t) => dy[at(t)]!);
  const dweight = sum(n, (t) => dy[at(t)]! * (x[at(t)]! - mean) * r);
  const dx = (p: number): number => r * (dy[p]! - dbias / n - (x[p]! - mean) * r * (dweight / n));
  return { mean, m2, r, at, dx };
}
