// Batch normalization of any shape and axis in float64, element by element from the textbook's formulas.
import { expect } from "vitest";
import { backends, type FloatType as DType, type Saved } from "../../src/index.js";
import { allocate, type ArrayOf, type Floats as Data } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import { gradientsOf, statistics, UNIT } from "./textbook.js";

/** Names of the backends that work here. */
export const usableBackends = backends()
  .filter(({ status }) => status === "in use" || status === "available")
  .map(({ name }) => name);

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Positions of every channel's values: those whose coordinate on the axis is the channel. */
export function channelPositions(shape: readonly number[], axis: number): number[][] {
  const at = axis < 0 ? axis + shape.length : axis;
  const step = sizeOf(shape.slice(at + 1));
  const result: number[][] = Array.from({ length: shape[at]! }, () => []);
  for (let p = 0; p < sizeOf(shape); p++) result[Math.floor(p / step) % shape[at]!]!.push(p);
  return result;
}

/** Normal values with a mean and a deviation of their own in every fifth position. */
export function normals<D extends DType>(dtype: D, length: number, seed: number): ArrayOf<D>;
export function normals(dtype: DType, length: number, seed: number): Data {
  const next = gaussian(random(seed));
  const data = allocate(dtype, length);
  for (let p = 0; p < length; p++) data[p] = next() * (1 + (p % 5)) + (p % 3);
  return data;
}

/** `length` values of one parameter: no two alike, some negative. */
export function parameters<D extends DType>(dtype: D, length: number, first: number): ArrayOf<D>;
export function parameters(dtype: DType, length: number, first: number): Data {
  return allocate(dtype, length).map((_, c) => (first + c / 4) * (c % 3 === 1 ? -1 : 1));
}

export interface Problem {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly axis: number;
  readonly x: Data;
  readonly dy: Data;
  readonly residual?: Data | null;
  readonly weight: Data | null;
  readonly bias: Data | null;
  readonly eps?: number;
  /** Statistics that do not depend on x; without them the batch's own. */
  readonly fixed?: { readonly mean: Data; readonly variance: Data };
  readonly relu?: boolean;
}

export interface Solution {
  readonly y: Float64Array;
  readonly dx: Float64Array;
  /** g, the gradient behind the activation. */
  readonly dresidual: Float64Array;
  readonly dweight: Float64Array;
  readonly dbias: Float64Array;
  readonly mean: Float64Array;
  readonly unbiased: Float64Array;
  /** What the error of each result is measured by: the sum of the magnitudes it is made of. */
  readonly scale: Readonly<Record<"y" | "dx" | "dresidual" | "dweight" | "dbias", Float64Array>>;
}

export function solve(problem: Problem): Solution {
  const channels = channelPositions(problem.shape, problem.axis);
  const elements = (): Float64Array => new Float64Array(problem.x.length);
  const table = (): Float64Array => new Float64Array(channels.length);
  const result: Solution = {
    y: elements(),
    dx: elements(),
    dresidual: elements(),
    dweight: table(),
    dbias: table(),
    mean: table(),
    unbiased: table(),
    scale: { y: elements(), dx: elements(), dresidual: elements(), dweight: table(), dbias: table() },
  };
  channels.forEach((at, c) => {
    solveChannel(problem, at, c, result);
  });
  return result;
}

function solveChannel(problem: Problem, at: readonly number[], c: number, out: Solution): void {
  const { x, dy, weight, bias, residual, fixed, eps = 1e-5, relu = false } = problem;
  const m = at.length;
  const own = statistics(x, at);
  const mean = fixed ? fixed.mean[c]! : own.mean;
  const gamma = weight ? weight[c]! : 1;
  const beta = bias ? bias[c]! : 0;
  const r = 1 / Math.sqrt((fixed ? fixed.variance[c]! : own.m2 / m) + eps);
  // The mean is known to some units of the deviation (lanes) and of itself (float64): so is every x − mean.
  const blur = Math.sqrt(own.m2 / m) + (Math.abs(mean) * UNIT.float64) / UNIT[problem.dtype];
  const reach = (p: number): number => (Math.abs(x[p]! - mean) + blur) * r;
  out.mean[c] = own.mean;
  out.unbiased[c] = own.m2 / (m - 1);
  for (const p of at) {
    const scaled = gamma * (x[p]! - mean) * r;
    const z = scaled + beta + (residual ? residual[p]! : 0);
    out.y[p] = relu && z < 0 ? 0 : z;
    out.dresidual[p] = relu && z <= 0 ? 0 : dy[p]!;
    out.scale.y[p] = Math.abs(gamma) * reach(p) + Math.abs(beta) + Math.abs(residual ? residual[p]! : 0);
  }
  const { dbias, dweight, dx } = gradientsOf(x, out.dresidual, at, mean, r, gamma, fixed !== undefined);
  out.dbias[c] = dbias;
  out.dweight[c] = dweight;
  out.scale.dbias[c] = at.reduce((sum, p) => sum + Math.abs(out.dresidual[p]!), 0);
  out.scale.dweight[c] = at.reduce((sum, p) => sum + Math.abs(out.dresidual[p]!) * reach(p), 0);
  at.forEach((p, i) => {
    out.dx[p] = dx[i]!;
    const batch = fixed ? 0 : (out.scale.dbias[c]! + reach(p) * out.scale.dweight[c]!) / m;
    out.scale.dx[p] = Math.abs(gamma) * r * (Math.abs(out.dresidual[p]!) + batch);
  });
}

/**
 * A block's variance is within 16 units (the contract's 8.6e-7 for float32), which is 8 of r and of every result;
 * the rest is for the 4 roundings of an element and those in the lanes of the gradients' sums. Measured: below 8 in all.
 */
const UNITS = 16;

/** Every element within `UNITS` roundings of the magnitudes that it is the sum of. */
export function expectClose(name: string, dtype: DType, got: Data, expected: Data, scale: Data): void {
  expect(got.length).toBe(expected.length);
  for (let p = 0; p < expected.length; p++) {
    const error = Math.abs(got[p]! - expected[p]!);
    const allowed = UNITS * UNIT[dtype] * scale[p]!;
    if (!(error <= allowed)) expect.fail(`${name}[${p}] expected ${expected[p]} ± ${allowed}, got ${got[p]}`);
  }
}

/** Same kind, length and bits. */
export function expectSameBits(got: Data | null | undefined, expected: Data | null | undefined): void {
  expect(Object.prototype.toString.call(got)).toBe(Object.prototype.toString.call(expected));
  if (got && expected) expect(bytesOf(got)).toEqual(bytesOf(expected));
}

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
}

/** A token that must be there. */
export function tokenOf<D extends DType>(saved: Saved<D> | null): Saved<D> {
  if (!saved) throw new Error("the forward saved nothing");
  return saved;
}
