// The tensors that are timed, whose bits are checked too: quick to make at 51 million values, the same every time.
import type { Layout } from "../src/base/axes.js";
import { gaussian, random } from "../src/verify/data.js";
import type { Floats as Data } from "../src/base/types.js";
import type { NetworkShape } from "./shapes.js";

/** Gaussian; smooth in space, as images and their features are; and ReLU of the latter, half of it zeros. */
export const DATA = ["gaussian", "smooth", "relu"] as const;
export type DataKind = (typeof DATA)[number];

// Primes: repetitions of the table fall on other lanes, rows and channels each time.
const VALUES = 1_000_003;
const GRADIENT_START = 500_009;

let table: Float32Array | undefined;
function normalTable(): Float32Array {
  const next = gaussian(random(4));
  return (table ??= Float32Array.from({ length: VALUES }, next));
}

function fillGaussian(target: Data, start: number): void {
  const values = normalTable();
  for (let to = 0, from = start; to < target.length; from = 0) {
    const part = values.subarray(from, from + target.length - to);
    target.set(part, to);
    to += part.length;
  }
}

/** Waves down and across that each sample and channel has its own phase of, and one part in a hundred of noise. */
function fillSmooth(target: Data, { shape: [n, channels, ...rest] }: NetworkShape, layout: Layout): void {
  const noise = normalTable();
  const width = rest.at(-1) ?? 1;
  const height = rest.reduce((a, b) => a * b, 1) / width;
  const first = layout === "channels-first";
  const [channelStride, positionStride] = first ? [height * width, 1] : [1, channels];
  const down = new Float64Array(channels * height);
  const across = new Float64Array(channels * width);
  const put = (start: number, c: number, p: number): void => {
    const to = start + c * channelStride + p * positionStride;
    const wave = down[c * height + Math.floor(p / width)]! + across[c * width + (p % width)]!;
    target[to] = wave + 0.01 * noise[to % VALUES]!;
  };
  for (let sample = 0; sample < n; sample++) {
    const start = sample * channels * height * width;
    for (let i = 0; i < down.length; i++)
      down[i] = Math.sin(0.07 * (i % height) + 0.3 * sample + Math.floor(i / height));
    for (let i = 0; i < across.length; i++) across[i] = 0.6 * Math.cos(0.05 * (i % width) + 2 * Math.floor(i / width));
    // In the order of memory.
    for (let a = 0; a < (first ? channels : height * width); a++)
      for (let b = 0; b < (first ? height * width : channels); b++) put(start, first ? a : b, first ? b : a);
  }
}

/** x of a shape, in all of `target`. */
export function fillInput(target: Data, kind: DataKind, shape: NetworkShape, layout: Layout): void {
  if (kind === "gaussian") {
    fillGaussian(target, 0);
    return;
  }
  fillSmooth(target, shape, layout);
  if (kind === "relu") for (let i = 0; i < target.length; i++) target[i] = Math.max(0, target[i]!);
}

/** dy to go with any of them. */
export function fillGradient(target: Data): void {
  fillGaussian(target, GRADIENT_START);
}
