// Seeded data of the self-check. Every operation rounds as IEEE 754 says, so that all machines have the same bits.
import type { Extent } from "../../kernels/control.js";
import type { DType } from "../../base/types.js";

/** Whether a first shift is not made of the value of this index, of the n of a block (contract, clause 2). */
function isUnsampled(index: number, n: number): boolean {
  const samples = n < 16 ? 2 ** Math.floor(Math.log2(n)) : 16;
  return Math.floor((Math.ceil((index * samples) / n) * n) / samples) !== index;
}

/** Squares overflow and underflow in float32 (escape); binary16 holds no such values. */
const EXTREME = { huge: 1e20, tiny: 1e-22 };
const HALF_EXTREME = { huge: 4, tiny: 1 / 64 };
const ORDINARY = { huge: 1, tiny: 1 };
/** A prime, so that no two lanes of a block hold the same values. */
const PERIOD = 127;

/** The first channel is huge, the last tiny; the values that `isHigh` are off the others by `high`. */
function sample(
  { outer, channels, inner }: Extent,
  { huge, tiny }: typeof EXTREME,
  seed: number,
  isHigh: readonly boolean[],
  high: number,
): Float64Array {
  const data = new Float64Array(outer * channels * inner);
  const run = inner < 16 ? 1 : inner;
  for (let p = 0, state = seed; p < data.length; p++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const channel = Math.floor(p / inner) % channels;
    const scale = channel === 0 ? huge : channel === channels - 1 ? tiny : 1;
    // Eight bits of exponent: sums of like values come out the same whatever lane they are in.
    const value = (state / 2 ** 31) * 2 ** ((state & 15) - 8);
    const index = Math.floor(p / (channels * inner)) * run + (p % run);
    data[p] = (value + (isHigh[index] ? high : 0)) * scale;
  }
  return data;
}

/** Weights of positions, every fifth 0; those of few columns are so large that float32 does not hold their sum. */
function weightsOf({ outer, channels, inner }: Extent): Float64Array {
  const scale = channels * inner < 16 ? 2 ** 127 : 1;
  return sample({ outer, channels: 3, inner }, EXTREME, 4, [], 0)
    .filter((_, p) => Math.floor(p / inner) % 3 === 1)
    .map((value, at) => (at % 5 === 2 ? 0 : Math.min(scale * Math.abs(value), 2 ** 127)));
}

/** x, dy, the residual and, with weights, w. */
export type Inputs = readonly [x: Float64Array, dy: Float64Array, residual: Float64Array, w: Float64Array | null];

export function inputsOf(dtype: DType, extent: Extent, isWeighted: boolean): Inputs {
  const n = extent.outer * (extent.inner < 16 ? 1 : extent.inner);
  const first = Array.from({ length: n }, (_, index) => index === 0);
  const unsampled = first.map((_, index) => isUnsampled(index, n));
  const extreme = dtype === "float16" ? HALF_EXTREME : EXTREME;
  return [
    // The first sample makes a poor shift: a second pass.
    sample(extent, extreme, 1, unsampled, 300),
    sample(extent, extreme, 2, first, 1e4),
    sample(extent, extreme, 3, first, 1e4),
    isWeighted ? weightsOf(extent) : null,
  ];
}

/** Ordinary values again and again, and weights likewise; the residual is not looked at. */
export function longInputsOf({ outer, channels, inner }: Extent, isWeighted: boolean): Inputs {
  const repeated = (length: number, seed: number, change: (value: number, index: number) => number): Float64Array => {
    const values = sample({ outer: PERIOD, channels: 1, inner: 1 }, ORDINARY, seed, [], 0).map(change);
    const data = new Float64Array(length);
    for (let p = 0; p < length; p += PERIOD) data.set(values.subarray(0, length - p), p);
    return data;
  };
  const size = outer * channels * inner;
  const x = repeated(size, 1, (value) => value);
  const dy = repeated(size, 2, (value) => value);
  const w = isWeighted ? repeated(outer * inner, 3, (value, index) => (index % 5 === 2 ? 0 : Math.abs(value))) : null;
  return [x, dy, x, w];
}
