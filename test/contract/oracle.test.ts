// The oracle's statistics against the textbook in float64, and whole passes on exact data without tolerance.
import { describe, expect, test } from "vitest";
import type { Control, Extent } from "../../src/kernels/control.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { allocate, floatTypeOf, type Floats as Data, type FloatType as DType } from "../../src/base/types.js";
import { sizeOf } from "../../src/verify/cases.js";
import { gaussian, random, values, type Kind } from "../../src/verify/data.js";
import {
  expectSame,
  EXTENTS,
  UNIT,
  chainOf,
  exactValue,
  fill,
  nameOf,
  positions,
  prepared,
  statistics,
  worst,
} from "../support/textbook.js";

const DTYPES: readonly DType[] = ["float32", "float64"];

function momentsOf(dtype: DType, extent: Extent, x: Data): Control {
  const control = prepared(dtype, extent);
  oracle.moments(control, x, null);
  return control;
}

/**
 * First-order bounds, in units u of the data's type, k additions in a lane, squares Q around the shift:
 * Q errs by (k+3)·u·Q and e = S²/n by 2(k+1)·u·Q, since |S|·Σ|d| ≤ n·Q; through the merged means as much as e again.
 * The second pass sees to e ≤ 16·m2 in a first block and a merge adds at least e/2 of a later one, so Q ≤ 17·m2.
 * Means are kept in float64: each merge's δ is off by up to 2 units of the mean, which is 4u·|mean|·√(n·m2) in all.
 */
function excess(control: Control, x: Data, c: number): [number, number][] {
  const { dtype, extent, fields } = control;
  const at = positions(extent, c);
  const truth = statistics(x, at);
  const relative = (5 * chainOf(extent) + 7) * 17 * UNIT[floatTypeOf(dtype)];
  const std = Math.sqrt(truth.m2 / at.length);
  const ulps = UNIT.float64 * Math.abs(truth.mean);
  return [
    [fields.mean[c]! - truth.mean, relative * std + 4 * ulps],
    [fields.m2[c]! - truth.m2, relative * truth.m2 + 4 * ulps * std * at.length],
  ];
}

describe("statistics", () => {
  const kinds: readonly Kind[] = [
    "primeCycle",
    "gaussian",
    "smooth",
    "smoothRelu",
    "farMean",
    "outlierFirst",
    "large",
    "small",
    "extremeChannels",
  ];

  describe.each(kinds)("%s", (kind) => {
    // Squares of 1e±200 leave float64, which has no wider type to escape to.
    const dtypes = DTYPES.filter((dtype) => kind !== "extremeChannels" || dtype === "float32");
    test.each(dtypes)("%s: within the error bound", (dtype) => {
      for (const extent of EXTENTS) {
        const x = values(dtype, kind, extent, random(1));
        const control = momentsOf(dtype, extent, x);
        const errors = Array.from({ length: extent.channels }, (_, c) => excess(control, x, c)).flat();
        expect(worst(errors), nameOf(extent)).toBeLessThanOrEqual(1);
      }
    });
  });

  const MEANS = [0, 1, 100, 1e4, 1e6];

  function gaussianAround(mean: number, extent: Extent, seed: number): Float32Array {
    const normal = gaussian(random(seed));
    return new Float32Array(sizeOf(extent)).map(() => mean + normal());
  }

  /**
   * Rounding with a bias, std 1: data far from 0 are multiples of a grid h, and odd squares leave 1 modulo 8, so that
   * adding d² to a sum whose last place is 4h² or more loses h²/2 on average. Coarser grids add exactly: no loss.
   */
  function bias(mean: number): number {
    const grid = mean === 0 ? 0 : 2 ** (Math.floor(Math.log2(mean)) - 23);
    return 4 * grid ** 2 <= 2 ** (6 - 23) ? grid ** 2 / 2 : 0;
  }

  function rmsError(x: Float32Array, extent: Extent): number {
    const { m2 } = momentsOf("float32", extent, x).fields;
    const squares = Array.from(m2, (value, c) => (value / statistics(x, positions(extent, c)).m2 - 1) ** 2);
    return Math.sqrt(squares.reduce((a, b) => a + b) / squares.length);
  }

  /**
   * What random rounding gives: k additions onto a growing sum err by u·√k/3 of it, a lane of 128 by 3.8 units, 16
   * independent lanes by 0.9; times √E(1 + z²)² = 2.4 for a shift z deviations from the mean. Where an outlier is
   * nearly all of its lane's sum, by up to 2u·√(k/12), 6.5 units; without the second pass by hundreds.
   */
  test.each([
    { extent: { outer: 4, channels: 257, inner: 512 }, units: 4 },
    { extent: { outer: 128, channels: 257, inner: 1 }, units: 12 },
  ])("one block, $extent: root mean square over channels within a few units", ({ extent, units }) => {
    for (const mean of MEANS) {
      const error = rmsError(gaussianAround(mean, extent, 2), extent);
      expect(error, `mean ${mean}`).toBeLessThan(units * UNIT.float32 + bias(mean));
    }
    const outliers = values("float32", "outlierFirst", extent, random(2));
    expect(rmsError(outliers, extent), "outlier of 1e4 deviations first").toBeLessThan(12 * UNIT.float32);
  });

  test("65 536 float32 values, mean/std from 0 to 1e6: the variance within 1e-7, and the bias", () => {
    const extent = { outer: 64, channels: 1, inner: 1024 };
    for (const mean of MEANS) {
      const x = gaussianAround(mean, extent, 3);
      const error = momentsOf("float32", extent, x).fields.m2[0]! / statistics(x, positions(extent, 0)).m2 - 1;
      expect(Math.abs(error), `mean ${mean}`).toBeLessThan(1e-7 + bias(mean));
    }
  });
});

describe("exact data, without tolerance", () => {
  const even: readonly Extent[] = [
    { outer: 3, channels: 3, inner: 16 },
    { outer: 50, channels: 2, inner: 512 },
    { outer: 17, channels: 2, inner: 3136 },
    { outer: 9, channels: 1, inner: 18432 },
    { outer: 130, channels: 17, inner: 1 },
    { outer: 4200, channels: 16, inner: 1 },
    { outer: 300, channels: 8, inner: 7 },
    { outer: 34, channels: 3, inner: 1 },
    { outer: 66000, channels: 1, inner: 1 },
    { outer: 4098, channels: 2, inner: 7 },
  ];
  const exact = even.flatMap((extent) => DTYPES.map((dtype) => ({ extent, dtype, size: sizeOf(extent) })));

  test.each(exact)("$extent $dtype: mean and m2", ({ extent, dtype, size }) => {
    const x = fill(allocate(dtype, size), extent, exactValue(extent, 40, 13));
    const control = momentsOf(dtype, extent, x);
    for (let c = 0; c < extent.channels; c++) {
      const at = positions(extent, c);
      expect(control.fields.mean[c]).toBe(40);
      expect(control.fields.m2[c]).toBe(at.reduce((total, p) => total + (x[p]! - 40) ** 2, 0));
    }
  });

  test.each(exact)("$extent $dtype: y, dγ, dβ and dx", ({ extent, dtype, size }) => {
    // x = 40 ± 1 has variance 1, so that y = ±1; dy alternates like x, plus 1, so that Σdy = Σdy·x̂ = m.
    const x = fill(allocate(dtype, size), extent, exactValue(extent, 40, 1));
    const dy = x.map((v) => v - 39) as Data;
    const y = allocate(dtype, size);
    const dx = allocate(dtype, size).fill(NaN);
    const control = prepared(dtype, extent, 0);
    oracle.forward(control, x, y, null, null);
    oracle.backward(control, x, dy, dx, null, null, null);
    const count = extent.outer * extent.inner;
    expectSame(
      y,
      x.map((v) => v - 40),
    );
    expect(control.fields.sumG).toEqual(control.fields.sumGX);
    expect(control.fields.sumG).toEqual(new Float64Array(extent.channels).fill(count));
    // dy is a multiple of 1 and of x̂, which is all that normalizing takes away.
    expect(dx.findIndex((v) => v !== 0)).toBe(-1);
  });
});
