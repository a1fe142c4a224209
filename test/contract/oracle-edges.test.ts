// The oracle where batch normalization degenerates, and the properties it must keep.
import { describe, expect, test } from "vitest";
import type { Extent } from "../../src/kernels/control.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { allocate, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { sizeOf } from "../../src/verify/cases.js";
import { gaussian, gradients, random, values } from "../../src/verify/data.js";
import { pass } from "../support/passes.js";
import { EXTENTS, UNIT, asUnit, fill, nameOf, positions, prepared, statistics } from "../support/textbook.js";

const DTYPES: readonly DType[] = ["float32", "float64"];

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

  test("constant channels without ε: r is 0, y = β, dx = 0 and g passes", () => {
    for (const extent of EXTENTS) {
      const x = from(extent, (_, c) => 0.1 * (c + 1));
      const dy = gradients(dtype, "gaussian", extent, random(2));
      const { invStd, y, dx, sumG, sumGX } = pass(dtype, extent, x, dy, 0);
      expect(
        [...invStd, ...y, ...dx].findIndex((value) => value !== 0),
        nameOf(extent),
      ).toBe(-1);
      expect([...sumG, ...sumGX].every(Number.isFinite), nameOf(extent)).toBe(true);
    }
  });

  test.each([1e-5, 0])("no position of any weight, eps %s: mean, m2 and count are 0, y = β, dx = 0", (eps) => {
    for (const extent of EXTENTS) {
      const x = values(dtype, "gaussian", extent, random(1));
      x[0] = NaN;
      const w = allocate(dtype, extent.outer * extent.inner);
      const control = prepared(dtype, extent, eps);
      control.fields.bias.fill(0.25);
      const [y, dx] = [allocate(dtype, x.length), allocate(dtype, x.length)];
      oracle.forward(control, x, y, null, w);
      const { mean, m2, invStd } = control.fields;
      expect(control.get("count"), nameOf(extent)).toBe(0);
      expect(
        [...mean, ...m2, ...invStd].findIndex((value) => value !== 0),
        nameOf(extent),
      ).toBe(-1);
      // The map is y = (x − 0)·0 + β: only the NaN stays one.
      expect(y[0]).toBeNaN();
      expect(
        y.subarray(1).every((value) => value === 0.25),
        nameOf(extent),
      ).toBe(true);
      const dy = gradients(dtype, "gaussian", extent, random(2));
      oracle.backward(control, x.fill(1), dy, dx, null, null, w);
      expect(
        dx.findIndex((value) => value !== 0),
        nameOf(extent),
      ).toBe(-1);
    }
  });

  test.each([NaN, Infinity, -Infinity])("%s spoils its channel and no other, wherever it stands", (special) => {
    for (const extent of EXTENTS.filter(({ channels }) => channels > 1)) {
      const clean = values(dtype, "gaussian", extent, random(1));
      const dy = gradients(dtype, "gaussian", extent, random(2));
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
        const spoilt = (p: number): boolean => Math.floor(p / extent.inner) % extent.channels === 1;
        expect(got.y.every((value, p) => (spoilt(p) ? Number.isNaN(value) : value === want.y[p]))).toBe(true);
        expect(got.dx.every((value, p) => (spoilt(p) ? Number.isNaN(value) : value === want.dx[p]))).toBe(true);
      }
    }
  });

  test("ReLU keeps NaN, makes every other y < 0 a zero, and passes dy where y is NaN", () => {
    const extent = { outer: 1, channels: 1, inner: 6 };
    const x = from(extent, (_, __, i) => [NaN, 1, 0, -0, -1, Infinity][i]!);
    const control = asUnit(prepared(dtype, extent, 0, 1));
    // −x + −0, which keeps the sign of a zero.
    control.fields.weight.fill(-1);
    control.fields.bias.fill(-0);
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
      null,
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
