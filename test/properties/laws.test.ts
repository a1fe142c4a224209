// Affine and permutation laws of batch normalization, on problems that fast-check draws, through the public calls.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchNormBackward, batchNormTraining, type FloatType as DType, type Gradients } from "../../src/index.js";
import type { Floats as Data } from "../../src/base/types.js";
import { batches, bitsOf, dataOf, holds, problemOf } from "../support/arbitraries.js";
import { expectClose, solve, tokenOf, type Problem } from "../support/reference.js";
import { sum, UNIT } from "../support/textbook.js";

interface Pass extends Gradients<DType> {
  readonly y: Data;
}

/** A forward in training and a backward. */
function pass({ x, dy, shape, weight, bias, eps = 1e-3 }: Problem): Pass {
  const { output, saved } = batchNormTraining<Data>(x, shape, { weight, bias, eps });
  return { y: output, ...batchNormBackward(dy, tokenOf(saved)) };
}

const scaled = <T extends Data>(data: T, factor: number): T => data.map((value) => value * factor) as T;

/** The same values; zeros of either sign are one. */
function expectEqual(got: Data, expected: Data): void {
  const at = expected.findIndex((value, p) => value !== got[p]);
  expect(at < 0 ? "equal" : `[${at}] expected ${expected[at]}, got ${got[at]}`).toBe("equal");
}

describe("affine laws", () => {
  const powers = fc.integer({ min: -20, max: 20 });

  test("x·2^k with ε·4^k: y and the parameters' gradients stay, gradInput is divided, bit for bit", () => {
    holds(fc.tuple(batches, powers), ([batch, k]) => {
      const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
      const want = pass(problem);
      const got = pass({ ...problem, x: scaled(problem.x, 2 ** k), eps: 1e-3 * 4 ** k });
      expectEqual(got.y, want.y);
      expectEqual(got.gradInput, scaled(want.gradInput, 2 ** -k));
      expectEqual(got.gradWeight!, want.gradWeight!);
      expectEqual(got.gradBias!, want.gradBias!);
    });
  });

  test("−x with β = 0: −y and the same gradInput of −dy, negated, bit for bit", () => {
    holds(batches, (batch) => {
      const problem = { ...problemOf(batch, dataOf(batch), dataOf(batch, 1)), bias: null };
      const want = pass(problem);
      const got = pass({ ...problem, x: scaled(problem.x, -1) });
      expectEqual(got.y, scaled(want.y, -1));
      expectEqual(got.gradInput, scaled(pass({ ...problem, dy: scaled(problem.dy, -1) }).gradInput, -1));
      expectEqual(got.gradWeight!, scaled(want.gradWeight!, -1));
    });
  });

  test("dy·2^k: every gradient is multiplied, bit for bit", () => {
    holds(fc.tuple(batches, powers), ([batch, k]) => {
      const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
      const want = pass(problem);
      const got = pass({ ...problem, dy: scaled(problem.dy, 2 ** k) });
      for (const name of ["gradInput", "gradWeight", "gradBias"] as const)
        expectEqual(got[name]!, scaled(want[name]!, 2 ** k));
    });
  });

  test("x + b: the textbook's y and gradients of x, as far as the type resolves them around b", () => {
    holds(fc.tuple(batches, fc.integer({ min: -8000, max: 8000 })), ([batch, b]) => {
      const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
      const moved = { ...problem, x: problem.x.map((value) => value + b) };
      const { y, dx } = solve(problem);
      const { scale } = solve(moved);
      const got = pass(moved);
      expectClose("y", batch.dtype, got.y, y, scale.y);
      expectClose("gradInput", batch.dtype, got.gradInput, dx, scale.dx);
    });
  });
});

describe("permutations", () => {
  /** Blocks of `size` elements in another order, in each of `groups` groups. */
  function permuted<T extends Data>(data: T, groups: number, order: readonly number[], size: number): T {
    const result = data.slice() as T;
    for (let g = 0; g < groups; g++) {
      order.forEach((from, to) => {
        const at = g * order.length;
        result.set(data.subarray((at + from) * size, (at + from + 1) * size), (at + to) * size);
      });
    }
    return result;
  }
  const shuffled = (length: number): fc.Arbitrary<number[]> => {
    const all = Array.from({ length }, (_, i) => i);
    return fc.shuffledSubarray(all, { minLength: length, maxLength: length });
  };

  test("of the channels: everything is permuted, bit for bit", () => {
    const arbitrary = batches.chain((batch) => fc.tuple(fc.constant(batch), shuffled(batch.shape[1])));
    holds(arbitrary, ([batch, order]) => {
      const [outer, , inner] = batch.shape;
      const elements = <T extends Data>(data: T): T => permuted(data, outer, order, inner);
      const table = <T extends Data>(data: T): T => permuted(data, 1, order, 1);
      const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
      const { x, dy, weight, bias } = problem;
      const want = pass(problem);
      const got = pass({ ...problem, x: elements(x), dy: elements(dy), weight: table(weight!), bias: table(bias!) });
      expect(bitsOf(got.y)).toEqual(bitsOf(elements(want.y)));
      expect(bitsOf(got.gradInput)).toEqual(bitsOf(elements(want.gradInput)));
      expect(bitsOf(got.gradWeight!)).toEqual(bitsOf(table(want.gradWeight!)));
      expect(bitsOf(got.gradBias!)).toEqual(bitsOf(table(want.gradBias!)));
    });
  });

  test("of the samples: the textbook's results, permuted", () => {
    const arbitrary = batches.chain((batch) => fc.tuple(fc.constant(batch), shuffled(batch.shape[0])));
    holds(arbitrary, ([batch, order]) => {
      const [, channels, inner] = batch.shape;
      const elements = <T extends Data>(data: T): T => permuted(data, 1, order, channels * inner);
      const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
      const { y, dx, dweight, dbias, scale } = solve(problem);
      const got = pass({ ...problem, x: elements(problem.x), dy: elements(problem.dy) });
      expectClose("y", batch.dtype, got.y, elements(y), elements(scale.y));
      expectClose("gradInput", batch.dtype, got.gradInput, elements(dx), elements(scale.dx));
      expectClose("gradWeight", batch.dtype, got.gradWeight!, dweight, scale.dweight);
      expectClose("gradBias", batch.dtype, got.gradBias!, dbias, scale.dbias);
    });
  });

  test("of the axes: channels last and in the middle give the textbook's results of channels first", () => {
    holds(fc.tuple(batches, fc.constantFrom(0, 2)), ([batch, axis]) => {
      const [outer, channels, inner] = batch.shape;
      const shape = axis === 0 ? [channels, outer, inner] : [outer, inner, channels];
      const moved = <T extends Data>(data: T): T =>
        data.map((_, p) => {
          const [a, b, c] = [
            Math.floor(p / (shape[1]! * shape[2]!)),
            Math.floor(p / shape[2]!) % shape[1]!,
            p % shape[2]!,
          ];
          const [o, ch, i] = axis === 0 ? [b, a, c] : [a, c, b];
          return data[(o * channels + ch) * inner + i]!;
        }) as T;
      const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
      const { y, scale } = solve(problem);
      const { weight, bias } = problem;
      const { output } = batchNormTraining<Data>(moved(problem.x), shape, { weight, bias, eps: 1e-3, axis });
      expectClose("y", batch.dtype, output, moved(y), moved(scale.y));
      expect(outer * inner).toBe(output.length / channels);
    });
  });
});

test("Σ gradInput of every channel is 0, as nearly as its elements are right", () => {
  holds(batches, (batch) => {
    const problem = problemOf(batch, dataOf(batch), dataOf(batch, 1));
    const { gradInput } = pass(problem);
    const { scale } = solve(problem);
    const [outer, channels, inner] = batch.shape;
    for (let c = 0; c < channels; c++) {
      const at = (t: number): number => (Math.floor(t / inner) * channels + c) * inner + (t % inner);
      // Each element is within 16 units of its scale, as expectClose asserts; those of exact elements cancel.
      const allowed = 16 * UNIT[batch.dtype] * sum(outer * inner, (t) => scale.dx[at(t)]!);
      expect(Math.abs(sum(outer * inner, (t) => gradInput[at(t)]!))).toBeLessThanOrEqual(allowed);
    }
  });
});
