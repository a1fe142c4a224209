// fast-check's arbitraries of problems, and how a property is run: one seed for all, printed.
import fc from "fast-check";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import { bytesOf, sizeOf, type Problem } from "./reference.js";

const SEED = 20261123;
const RUNS = 250;

console.log(`fast-check: seed ${SEED}`);

/** Runs a property on the seed; a failure names seed, path and the smallest counterexample. */
export function holds<T>(arbitrary: fc.Arbitrary<T>, predicate: (value: T) => void, runs = RUNS): void {
  fc.assert(fc.property(arbitrary, predicate), { seed: SEED, numRuns: runs });
}

export interface Batch {
  readonly dtype: DType;
  /** Channels at axis 1. */
  readonly shape: readonly [outer: number, channels: number, inner: number];
  readonly seed: number;
  /** Exact in float32 with every value, and up to 400 deviations. */
  readonly offset: number;
}

/** Every walk, whole vectors and tails; at least two values per channel. */
export const batches: fc.Arbitrary<Batch> = fc
  .record({
    dtype: fc.constantFrom<DType>("float32", "float64"),
    shape: fc.tuple(
      fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 40 }) }, fc.constantFrom(129, 300)),
      fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 6 }) }, fc.constantFrom(16, 19)),
      fc.constantFrom(1, 2, 5, 7, 15, 16, 17, 33),
    ),
    seed: fc.nat(2 ** 30),
    offset: fc.integer({ min: -1600, max: 1600 }),
  })
  .filter(({ shape }) => shape[0] * shape[2] > 1);

/** Multiples of 1/256 in ±8 and the offset: sums and products with powers of two are exact in either type. */
export function dataOf({ dtype, shape, seed, offset }: Batch, salt = 0): Data {
  const next = random(seed + salt);
  const data = allocate(dtype, sizeOf(shape));
  for (let p = 0; p < data.length; p++) data[p] = offset + Math.floor((next() + next() - 1) * 2048) / 256;
  return data;
}

/** γ and β of both signs, multiples of 1/16. */
export function parametersOf({ dtype, shape, seed }: Batch, salt: number): Data {
  const next = random(seed + salt);
  return allocate(dtype, shape[1]).map(() => Math.floor(next() * 64 - 32) / 16);
}

export function problemOf(batch: Batch, x: Data, dy: Data): Problem {
  const weight = parametersOf(batch, 5);
  return { dtype: batch.dtype, shape: batch.shape, axis: 1, x, dy, weight, bias: parametersOf(batch, 6), eps: 1e-3 };
}

/** As text: vitest compares arrays of thousands of bytes one by one. */
export function bitsOf(data: Data): string {
  return Buffer.from(bytesOf(data)).toString("hex");
}
