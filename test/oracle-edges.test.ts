// The oracle where batch normalization degenerates, and the properties it must keep.
import { describe, expect, test } from "vitest";
import { type Extent } from "../src/control.js";
import { EMPTY, merge, type Moments } from "../src/moments.js";
import { oracle } from "../src/oracle.js";
import { allocate, type Data, type DType } from "../src/types.js";
import { sizeOf } from "./cases.js";
import { gaussian, gradients, random, values } from "./data.js";
import { EXTENTS, UNIT, exactValue, fill, nameOf, positions, prepared, statistics, sum } from "./textbook.js";

const DTYPES: readonly DType[] = ["float32", "float64"];

/** A forward and a backward pass with γ = 1, β = 0. */
function pass(dtype: DType, extent: Extent, x: Data, dy: Data, eps = 1e-5) {
  const control = prepared(dtype, extent, eps);
  const y = allocate(dtype, x.length);
  const dx = allocate(dtype, x.length);
  oracle.forward(control, x, y, null);
  oracle.backward(control, x, dy, dx, null, null);
  return { ...control.fields, y, dx };
}

describe.each(DTYPES)("edges, %s", (dtype) => {
  const from = (extent: Extent, value: (o: number, c: number, i: number) => number): Data =>
    fill<Data>(allocate(dtype, sizeOf(extent)), extent, value);

  test("one value per channel: its own mean, no variance, y = β, dx = 0", () => {
    for (const channels of [1, 17]) {
      const x = from({ outer: 1, channels, inner: 1 }, (_, c) => 0.1 * c + 3);
      const { mean, m2, y, dx } = pass(
        dtype,
        { outer: 1, channels, inner: 1 },
        x,
        from({ outer: 1, channels, inner: 1 }, (_, c) => c - 2),
      );
      expect(Array.from(mean)).toEqual(Array.from(x));
      expect(m2.every((value) => value === 0)).toBe(true);
      expect([...y, ...dx].every((value) => value === 0)).toBe(true);
    }
  });

  test("constant channels: m2 is 0, the mean is the constant, y = β", () => {
    for (const extent of EXTENTS) {
      const x = from(extent, (_, c) => 0.1 * (c + 1));
      const { mean, m2, y } = pass(dtype, extent, x, x);
      for (let c = 0; c < extent.channels; c++) expect(mean[c], nameOf(extent)).toBe(x[c * extent.inner]);
      expect(
        m2.every((value) => value === 0),
        nameOf(extent),
      ).toBe(true);
      expect(
        y.every((value) => value === 0),
        nameOf(extent),
      ).toBe(true);
    }
  });

  test.each([NaN, Infinity, -Infinity])("%s spoils its channel and no other, wherever it stands", (special) => {
    for (const extent of EXTENTS.filter(({ channels }) => channels > 1)) {
      const clean = values(dtype, "gaussian", extent, random(1)) as Data;
      const dy = gradients(dtype, "gaussian", extent, random(2)) as Data;
      const want = pass(dtype, extent, clean, dy);
      const at = positions(extent, 1);
      for (const t of [0, 5, at.length - 1]) {
        const x = clean.slice();
        x[at[t]!] = special;
        const got = pass(dtype, extent, x, dy);
        for (const name of ["mean", "m2", "invStd", "sumGX"] as const) {
          expect(
            got[name].map((value, c) => (c === 1 ? 0 : value)),
            name,
          ).toEqual(want[name].map((value, c) => (c === 1 ? 0 : value)));
        }
        expect(got.m2[1]).toBeNaN();
        expect(Number.isFinite(got.mean[1]!)).toBe(false);
        const spoilt = (p: number) => Math.floor(p / extent.inner) % extent.channels === 1;
        expect(got.y.every((value, p) => (spoilt(p) ? Number.isNaN(value) : value === want.y[p]))).toBe(true);
        expect(got.dx.every((value, p) => (spoilt(p) ? Number.isNaN(value) : value === want.dx[p]))).toBe(true);
      }
    }
  });

  test("ReLU keeps NaN, makes every other y < 0 a zero, and passes dy where y is NaN", () => {
    const extent = { outer: 1, channels: 1, inner: 6 };
    const x = from(extent, (_, __, i) => [NaN, -1, -0, 0, 1, -Infinity][i]!);
    const control = prepared(dtype, extent, 0, 1);
    control.fields.center.fill(0);
    control.fields.scale.fill(1);
    // −0 keeps the sign of a zero: x + 0 would not.
    control.fields.shift.fill(-0);
    const [y, dx, g] = [0, 1, 2].map(() => allocate(dtype, 6)) as [Data, Data, Data];
    oracle.normalize(control, x, y, null);
    expect(Array.from(y)).toEqual([NaN, 0, -0, 0, 1, 0]);
    oracle.gradInput(
      control,
      x,
      from(extent, () => 3),
      dx,
      null,
      g,
    );
    expect(Array.from(g)).toEqual([3, 0, 0, 0, 3, 0]);
  });
});

test("float32 values near 1e30 and 1e-30: statistics finite and right, y as of values near 1", () => {
  for (const extent of EXTENTS) {
    const normal = gaussian(random(3));
    const ordinary = new Float32Array(sizeOf(extent)).map(() => normal());
    const want = pass("float32", extent, ordinary, ordinary, 0).y;
    for (const scale of [2 ** 100, 2 ** -100]) {
      const x = ordinary.map((value) => value * scale);
      const { m2, y } = pass("float32", extent, x, ordinary, 0);
      for (let c = 0; c < extent.channels; c++) {
        const truth = statistics(x, positions(extent, c));
        // In the escape every sum is float64: what remains is the merging.
        expect(Math.abs(m2[c]! / truth.m2 - 1), nameOf(extent)).toBeLessThan(1e-12);
      }
      // The float32 statistics of `ordinary` err by some units, of which y takes its share; no y is above 8.
      const far = Array.from(y, (value, p) => Math.abs(value - want[p]!)).reduce((a, b) => Math.max(a, b), 0);
      expect(far, nameOf(extent)).toBeLessThan(64 * UNIT.float32);
    }
  }
});

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
      const x = values(dtype, "smooth", extent, random(5)) as Data;
      const dy = gradients(dtype, "smooth", extent, random(6)) as Data;
      const want = pass(dtype, extent, x, dy, 2 ** -10);
      const got = pass(dtype, extent, x.map((value) => value * 8) as Data, dy, 2 ** -4);
      expect(got.y, nameOf(extent)).toEqual(want.y);
      expect(got.dx, nameOf(extent)).toEqual(want.dx.map((value) => value / 8));
    }
  });

  test("Σdx = 0 and Σdx·x̂ = −ε-part only: what normalizing took away has no gradient", () => {
    for (const extent of EXTENTS) {
      const x = values(dtype, "gaussian", extent, random(7)) as Data;
      const dy = gradients(dtype, "gaussian", extent, random(8)) as Data;
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
      const moved = (o: number) => (o + 2) % extent.outer;
      const dy = new Float32Array(sizeOf(extent));
      const of = (v: typeof value) => pass("float32", extent, fill(new Float32Array(sizeOf(extent)), extent, v), dy).y;
      const row = extent.channels * extent.inner;
      const y = of(value);
      const permuted = of((o, c, i) => value(moved(o), c, i));
      expect(permuted.every((v, p) => v === y[moved(Math.floor(p / row)) * row + (p % row)])).toBe(true);
    }
  });

  test("channels of the planes walk do not know of each other", () => {
    const extent = { outer: 5, channels: 3, inner: 49 };
    const x = values(dtype, "gaussian", extent, random(9)) as Data;
    const all = pass(dtype, extent, x, x);
    for (let c = 0; c < 3; c++) {
      const at = positions(extent, c);
      const alone = at.map((p) => x[p]!);
      const data = allocate(dtype, alone.length) as Data;
      data.set(alone);
      expect(Array.from(pass(dtype, { outer: 5, channels: 1, inner: 49 }, data, data).y)).toEqual(
        at.map((p) => all.y[p]),
      );
    }
  });
});
