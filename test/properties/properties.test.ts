// Merging of moments, and the properties that batch normalization must keep.
import { describe, expect, test } from "vitest";
import { EMPTY, merge, type Moments } from "../../src/kernels/moments.js";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { sizeOf } from "../../src/verify/cases.js";
import { gaussian, gradients, random, values } from "../../src/verify/data.js";
import { pass } from "../support/passes.js";
import {
  expectSame,
  EXTENTS,
  UNIT,
  exactValue,
  fill,
  nameOf,
  positions,
  statistics,
  sum,
} from "../support/textbook.js";

const DTYPES: readonly DType[] = ["float32", "float64"];

describe("merge", () => {
  const a: Moments = { count: 3, mean: 0.1, m2: 0.7 };
  const b: Moments = { count: 5, mean: -4, m2: 11 };

  test("a count of 0 is the identity on either side, to the bit", () => {
    expect(merge(a, EMPTY)).toEqual(a);
    expect(merge({ count: 0, mean: NaN, m2: NaN }, a)).toEqual(a);
    expect(merge(EMPTY, EMPTY)).toEqual(EMPTY);
  });

  test("the operations, in the contract's order", () => {
    const delta = b.mean - a.mean;
    expect(merge(a, b)).toEqual({
      count: 8,
      mean: a.mean + delta * (5 / 8),
      m2: 0.7 + 11 + delta * delta * (3 * (5 / 8)),
    });
  });

  test("parts in any split and order give the moments of the whole", () => {
    const normal = gaussian(random(4));
    const x = Float64Array.from({ length: 1000 }, () => 10 + normal());
    const of = (from: number, to: number): Moments => ({
      count: to - from,
      ...statistics(
        x,
        Array.from({ length: to - from }, (_, i) => from + i),
      ),
    });
    const whole = of(0, 1000);
    for (const [first, second] of [
      [1, 2],
      [1, 999],
      [300, 301],
      [333, 667],
    ] as const) {
      const [p, q, r] = [of(0, first), of(first, second), of(second, 1000)];
      for (const { count, mean, m2 } of [merge(merge(p, q), r), merge(p, merge(q, r)), merge(r, merge(q, p))]) {
        expect(count).toBe(1000);
        // Two merges of a handful of operations each, on a mean of ten deviations.
        expect(Math.abs(mean - whole.mean)).toBeLessThan(16 * UNIT.float64 * whole.mean);
        expect(Math.abs(m2 - whole.m2)).toBeLessThan(16 * 10 * UNIT.float64 * whole.m2);
      }
    }
  });
});

describe.each(DTYPES)("properties, %s", (dtype) => {
  test("BN(a·x) = BN(x) with ε·a²: to the bit for a power of two", () => {
    for (const extent of EXTENTS) {
      const x = values(dtype, "smooth", extent, random(5));
      const dy = gradients(dtype, "smooth", extent, random(6));
      const want = pass(dtype, extent, x, dy, 2 ** -10);
      const got = pass(
        dtype,
        extent,
        x.map((value) => value * 8),
        dy,
        2 ** -4,
      );
      expectSame(got.y, want.y, `y of ${nameOf(extent)}`);
      expectSame(
        got.dx,
        want.dx.map((value) => value / 8),
        `dx of ${nameOf(extent)}`,
      );
    }
  });

  test("Σdx = 0 and Σdx·x̂ = −ε-part only: what normalizing took away has no gradient", () => {
    for (const extent of EXTENTS) {
      const x = values(dtype, "gaussian", extent, random(7));
      const dy = gradients(dtype, "gaussian", extent, random(8));
      const { dx, y } = pass(dtype, extent, x, dy, 0);
      for (let c = 0; c < extent.channels; c++) {
        const at = positions(extent, c);
        // Each dx is rounded some ten times; the sums before it, of up to 240 additions a lane, err by γ₂₄₀ at most.
        const allowed = 256 * UNIT[dtype] * sum(at.length, (i) => Math.abs(dx[at[i]!]!) * (1 + Math.abs(y[at[i]!]!)));
        expect(Math.abs(sum(at.length, (i) => dx[at[i]!]!)), nameOf(extent)).toBeLessThan(allowed);
        expect(Math.abs(sum(at.length, (i) => dx[at[i]!]! * y[at[i]!]!)), nameOf(extent)).toBeLessThan(allowed);
      }
    }
  });

  test("a permutation of the batch permutes y: to the bit where the statistics are exact", () => {
    for (const extent of [
      { outer: 8, channels: 3, inner: 64 },
      { outer: 256, channels: 17, inner: 1 },
      { outer: 4100, channels: 3, inner: 2 },
    ]) {
      const value = exactValue(extent, 7, 5);
      // By an even distance, so that pairs stay in their block.
      const moved = (o: number): number => (o + 2) % extent.outer;
      const dy = new Float32Array(sizeOf(extent));
      const of = (v: typeof value): Data =>
        pass("float32", extent, fill(new Float32Array(sizeOf(extent)), extent, v), dy).y;
      const row = extent.channels * extent.inner;
      const y = of(value);
      const permuted = of((o, c, i) => value(moved(o), c, i));
      expect(permuted.every((v, p) => v === y[moved(Math.floor(p / row)) * row + (p % row)])).toBe(true);
    }
  });

  test("channels of the planes walk do not know of each other", () => {
    const extent = { outer: 5, channels: 3, inner: 49 };
    const x = values(dtype, "gaussian", extent, random(9));
    const all = pass(dtype, extent, x, x);
    for (let c = 0; c < 3; c++) {
      const at = positions(extent, c);
      const alone = at.map((p) => x[p]!);
      const data = allocate(dtype, alone.length);
      data.set(alone);
      expect(Array.from(pass(dtype, { outer: 5, channels: 1, inner: 49 }, data, data).y)).toEqual(
        at.map((p) => all.y[p]),
      );
    }
  });
});
