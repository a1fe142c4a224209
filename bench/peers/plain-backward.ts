// The backward of plain.ts.
import type { Extent } from "../../src/kernels/control.js";

interface Gradients {
  readonly gradWeight: Float32Array;
  readonly gradBias: Float32Array;
}

/** Σdy and Σdy·(x − mean) per channel. */
function gradSums(
  x: Float32Array,
  dy: Float32Array,
  { outer, channels, inner }: Extent,
  mean: Float32Array,
  sum: Float64Array,
  products: Float64Array,
): void {
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const m = mean[c]!;
      let s = 0;
      let u = 0;
      for (const end = p + inner; p < end; p++) {
        const g = dy[p]!;
        s += g;
        u += g * (x[p]! - m);
      }
      sum[c]! += s;
      products[c]! += u;
    }
  }
}

function rowGradSums(
  x: Float32Array,
  dy: Float32Array,
  { outer, channels }: Extent,
  mean: Float32Array,
  sum: Float64Array,
  products: Float64Array,
): void {
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++, p++) {
      const g = dy[p]!;
      sum[c]! += g;
      products[c]! += g * (x[p]! - mean[c]!);
    }
  }
}

/** dx = dy·a + x·b + k. */
interface Line {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly k: Float64Array;
}

function gradInput(x: Float32Array, dy: Float32Array, dx: Float32Array, extent: Extent, line: Line): void {
  const { outer, channels, inner } = extent;
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const a = line.a[c]!;
      const b = line.b[c]!;
      const k = line.k[c]!;
      for (const end = p + inner; p < end; p++) dx[p] = dy[p]! * a + x[p]! * b + k;
    }
  }
}

function rowGradInput(x: Float32Array, dy: Float32Array, dx: Float32Array, extent: Extent, { a, b, k }: Line): void {
  const { outer, channels } = extent;
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++, p++) dx[p] = dy[p]! * a[c]! + x[p]! * b[c]! + k[c]!;
  }
}

/** dx = γ·r·(dy − Σdy/n − (x − mean)·r²·Σdy·(x − mean)/n) with r = 1/√(variance + ε), written to `dx`; and dγ, dβ. */
export function backward(
  x: Float32Array,
  dy: Float32Array,
  dx: Float32Array,
  extent: Extent,
  weight: Float32Array,
  mean: Float32Array,
  invStd: Float32Array,
): Gradients {
  const count = extent.outer * extent.inner;
  const sum = new Float64Array(extent.channels);
  const products = new Float64Array(extent.channels);
  const rows = extent.inner === 1;
  (rows ? rowGradSums : gradSums)(x, dy, extent, mean, sum, products);
  const a = Float64Array.from(weight, (value, c) => value * invStd[c]!);
  const b = a.map((value, c) => (-value * invStd[c]! * invStd[c]! * products[c]!) / count);
  const k = a.map((value, c) => (-value * sum[c]!) / count - b[c]! * mean[c]!);
  (rows ? rowGradInput : gradInput)(x, dy, dx, extent, { a, b, k });
  return {
    gradWeight: Float32Array.from(products, (value, c) => value * invStd[c]!),
    gradBias: Float32Array.from(sum),
  };
}
