// Weighted moments of the oracle against the textbook's in float64, and its weighted gradients against central differences.
import { describe, expect, test } from "vitest";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { batchNormBackward, batchNormTraining } from "../../src/index.js";
import type { Extent } from "../../src/kernels/control.js";
import type { ChannelMoments } from "../../src/kernels/moments.js";
import { allocate, type Floats, type FloatType as DType } from "../../src/base/types.js";
import { sizeOf } from "../../src/verify/cases.js";
import { gaussian, random } from "../../src/verify/data.js";
import { EXTENTS, UNIT, chainOf, nameOf, positions, prepared, sum, worst } from "../support/textbook.js";

const backend = "oracle";

function momentsOf(dtype: DType, extent: Extent, x: Floats, w: Floats | null): ChannelMoments {
  const control = prepared(dtype, extent);
  oracle.moments(control, x, w);
  const { mean, m2 } = control.fields;
  return { count: control.get("count"), mean, m2 };
}

/** The weight of the t-th position. */
const WEIGHTS: Readonly<Record<string, (t: number, next: () => number, count: number) => number>> = {
  "half a mask": (_, next) => (next() < 0.5 ? 0 : 1),
  real: (_, next) => next(),
  "padding in front": (t, next, count) => (t < 0.6 * count ? 0 : next()),
  tiny: (_, next) => next() * 2 ** -140,
  huge: (_, next) => next() * 1e33,
};

describe.each(Object.keys(WEIGHTS))("moments, weights: %s", (name) => {
  test.each(EXTENTS.map((extent) => [nameOf(extent), extent] as const))("%s", (_, extent) => {
    const next = random(7);
    const normal = gaussian(next);
    const { outer, channels, inner } = extent;
    for (const dtype of ["float32", "float64"] as const) {
      for (const mean of [0, 1000]) {
        const x = allocate(dtype, sizeOf(extent)).map(() => mean + normal());
        const w = allocate(dtype, outer * inner).map((_value, t) => WEIGHTS[name]!(t, next, outer * inner));
        const got = momentsOf(dtype, extent, x, w);
        const W = sum(w.length, (t) => w[t]!);
        // Half a unit for each addition of a chain; W of float32 is rounded too where weights are no small integers.
        const allowed = 8 * (chainOf(extent) + 16) * UNIT[dtype];
        const errors = Array.from({ length: channels }, (__, c) => {
          const at = positions(extent, c);
          const mu = sum(at.length, (t) => w[t]! * (x[at[t]!]! - mean)) / W;
          const m2 = sum(at.length, (t) => w[t]! * (x[at[t]!]! - mean - mu) ** 2);
          return [
            // The mean itself is rounded to float64, at each merge.
            [got.mean[c]! - mean - mu, allowed + 16 * mean * UNIT.float64],
            [got.m2[c]! / m2 - 1, allowed],
          ] as const;
        });
        expect(worst([...errors.flat(), [got.count / W - 1, allowed]]), `${dtype}, mean ${mean}`).toBeLessThan(1);
      }
    }
  });
});

describe("finite differences in float64", () => {
  const STEP = 1e-5;
  const TOLERANCE = 1e-8;
  const shapes = [
    [2, 3, 17],
    [6, 9, 2],
    [19, 3, 1],
  ];
  const kinds = { mask: (t: number) => Number(t % 3 !== 0), real: (t: number) => (t % 5) / 3 } as const;

  for (const shape of shapes) {
    for (const kind of ["mask", "real"] as const) {
      for (const maskedOutput of ["normalize", "zero"] as const) {
        for (const activation of ["none", "relu"] as const) {
          test(`${shape.join("×")}, ${kind}, ${maskedOutput}, ${activation}`, () => {
            const [outer, channels, inner] = shape as [number, number, number];
            const size = outer * channels * inner;
            const normal = gaussian(random(5));
            const [x, cotangent, residual] = [0, 1, 2].map(() => Float64Array.from({ length: size }, normal)) as [
              Float64Array,
              Float64Array,
              Float64Array,
            ];
            const options = {
              weight: Float64Array.from({ length: channels }, (_, c) => 1 + c / 4),
              bias: Float64Array.from({ length: channels }, (_, c) => 0.3 - c / 8),
              residual,
              eps: 1e-3,
              sampleWeights: Float64Array.from({ length: outer * inner }, (_, t) => kinds[kind](t)),
              maskedOutput,
              activation,
              backend,
            } as const;
            const loss = (): number => {
              const { output } = batchNormTraining(x, shape, options);
              return sum(size, (i) => output[i]! * cotangent[i]!);
            };
            const slopes = (array: Float64Array): Float64Array =>
              array.map((value, i) => {
                array[i] = value + STEP;
                const above = loss();
                array[i] = value - STEP;
                const below = loss();
                array[i] = value;
                return (above - below) / (2 * STEP);
              });
            const { saved, output } = batchNormTraining(x, shape, options);
            if (activation === "relu") {
              const kink = output.filter((y) => y > 0).reduce((a, b) => Math.min(a, b));
              expect(kink).toBeGreaterThan(10 * STEP);
            }
            const got = batchNormBackward(cotangent, saved, { backend });
            const pairs = [
              [got.gradInput, slopes(x)],
              [got.gradResidual!, slopes(residual)],
              [got.gradWeight!, slopes(options.weight)],
              [got.gradBias!, slopes(options.bias)],
            ] as const;
            const errors = pairs.flatMap(([a, b]) => Array.from(a, (value, i) => [value - b[i]!, TOLERANCE] as const));
            expect(worst(errors)).toBeLessThan(1);
          });
        }
      }
    }
  }
});

describe("laws", () => {
  const dtypes: readonly DType[] = ["float32", "float64"];

  test.each(dtypes)("%s: weights of 1 are no weights, and scaled weights scale the count alone", (dtype) => {
    for (const extent of EXTENTS) {
      const normal = gaussian(random(3));
      const { outer, inner } = extent;
      const x = allocate(dtype, sizeOf(extent)).map(normal);
      const plain = momentsOf(dtype, extent, x, null);
      const ones = momentsOf(dtype, extent, x, allocate(dtype, outer * inner).fill(1));
      expect(ones.count).toBe(plain.count);
      // 1·d is d: the bits of the unweighted ones.
      expect([ones.mean, ones.m2]).toEqual([plain.mean, plain.m2]);
      const half = momentsOf(dtype, extent, x, allocate(dtype, outer * inner).fill(0.5));
      expect(half.count).toBe(plain.count / 2);
      expect([half.mean, half.m2.map((value) => 2 * value)]).toEqual([plain.mean, plain.m2]);
    }
  });

  test.each(dtypes)("%s: a mask gives the moments of the rows that are kept", (dtype) => {
    const normal = gaussian(random(4));
    for (const channels of [3, 20]) {
      const x = allocate(dtype, 5000 * channels).map((_, i) => 100 * (i % channels) + normal());
      const kept = Array.from({ length: 5000 }, (_, t) => t).filter((t) => t % 7 > 2);
      const rows = allocate(dtype, kept.length * channels);
      kept.forEach((t, i) => rows.set(x.subarray(t * channels, (t + 1) * channels), i * channels));
      const mask = allocate(dtype, 5000).map((_, t) => Number(t % 7 > 2));
      const got = momentsOf(dtype, { outer: 5000, channels, inner: 1 }, x, mask);
      const expected = momentsOf(dtype, { outer: kept.length, channels, inner: 1 }, rows, null);
      expect(got.count).toBe(expected.count);
      const errors = [...got.mean].flatMap((mean, c) => [
        [mean / expected.mean[c]! - 1, 1e3 * UNIT[dtype] * (c === 0 ? 100 : 1)] as const,
        [got.m2[c]! / expected.m2[c]! - 1, 1e3 * UNIT[dtype]] as const,
      ]);
      expect(worst(errors)).toBeLessThan(1);
    }
  });
});
