// Data of the tests, and how results are compared.
import { expect } from "vitest";
import { gaussian, random } from "../../src/verify/data.js";
import type { Tensor, Tf } from "./tensorflow.js";

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function normals(shape: readonly number[], seed: number): Float32Array {
  return Float32Array.from({ length: sizeOf(shape) }, gaussian(random(seed)));
}

/** Normal values, moved by an offset and scaled. */
export function tensorOf(tf: Tf, shape: readonly number[], seed: number, offset = 0, scale = 1): Tensor {
  return tf.tensor(
    normals(shape, seed).map((value) => offset + scale * value),
    shape,
  );
}

/** All values within a tolerance of the largest expected one. */
export function expectNear(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(got.length).toBe(expected.length);
  const largest = Math.max(...Array.from(expected, Math.abs), 1e-3);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(got[i]! - expected[i]!);
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  expect(worst / largest).toBeLessThan(tolerance);
}

export function expectSame(got: readonly Tensor[], expected: readonly Tensor[], tolerance = 1e-5): void {
  expect(got.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  for (const [i, tensor] of got.entries()) expectNear(tensor.dataSync(), expected[i]!.dataSync(), tolerance);
}

/** What `toThrow` takes: an error with this code, whose message has this part. */
export function error(code: string, part: string): Error {
  const message = expect.stringContaining(part) as string;
  return expect.objectContaining({ code, message }) as Error;
}
