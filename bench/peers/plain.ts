// What one writes by hand: loops over float32 arrays in the order of memory, sums in float64, no SIMD. JavaScript
// computes in float64 anyway, where Σx² − (Σx)²/n of float32 data is exact enough, so the statistics take one pass.
import type { Extent } from "../../src/kernels/control.js";

type Values = Float32Array | Float64Array;

/** Σx and Σx² per channel. */
function sums(x: Float32Array, { outer, channels, inner }: Extent, sum: Float64Array, squares: Float64Array): void {
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      let s = 0;
      let q = 0;
      for (const end = p + inner; p < end; p++) {
        const value = x[p]!;
        s += value;
        q += value * value;
      }
      sum[c]! += s;
      squares[c]! += q;
    }
  }
}

function rowSums(x: Float32Array, { outer, channels }: Extent, sum: Float64Array, squares: Float64Array): void {
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++, p++) {
      const value = x[p]!;
      sum[c]! += value;
      squares[c]! += value * value;
    }
  }
}

/** y = x·scale + shift. */
function affine(x: Float32Array, y: Float32Array, extent: Extent, scale: Float64Array, shift: Float64Array): void {
  const { outer, channels, inner } = extent;
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const a = scale[c]!;
      const b = shift[c]!;
      for (const end = p + inner; p < end; p++) y[p] = x[p]! * a + b;
    }
  }
}

function rowAffine(x: Float32Array, y: Float32Array, extent: Extent, scale: Float64Array, shift: Float64Array): void {
  const { outer, channels } = extent;
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++, p++) y[p] = x[p]! * scale[c]! + shift[c]!;
  }
}

/** Normalizes x into y with a mean and a biased variance per channel. */
export function inference(
  x: Float32Array,
  y: Float32Array,
  extent: Extent,
  weight: Float32Array,
  bias: Float32Array,
  mean: Values,
  variance: Values,
  eps: number,
): void {
  const scale = Float64Array.from(weight, (value, c) => value / Math.sqrt(variance[c]! + eps));
  const shift = Float64Array.from(bias, (value, c) => value - mean[c]! * scale[c]!);
  if (extent.inner === 1) rowAffine(x, y, extent, scale, shift);
  else affine(x, y, extent, scale, shift);
}

/** Mean and biased variance of every channel. */
export function statistics(x: Float32Array, extent: Extent): { mean: Float64Array; variance: Float64Array } {
  const sum = new Float64Array(extent.channels);
  const squares = new Float64Array(extent.channels);
  if (extent.inner === 1) rowSums(x, extent, sum, squares);
  else sums(x, extent, sum, squares);
  const count = extent.outer * extent.inner;
  const mean = sum.map((value) => value / count);
  return { mean, variance: squares.map((value, c) => Math.max(0, value / count - mean[c]! * mean[c]!)) };
}

/** Normalizes x into y with its own statistics. */
export function forward(
  x: Float32Array,
  y: Float32Array,
  extent: Extent,
  weight: Float32Array,
  bias: Float32Array,
  eps: number,
): void {
  const { mean, variance } = statistics(x, extent);
  inference(x, y, extent, weight, bias, mean, variance, eps);
}
