// Laws of merging moments, on moments and splits that fast-check draws.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeMoments } from "../../src/index.js";
import { EMPTY, merge, type Moments } from "../../src/kernels/moments.js";
import { holds } from "../support/arbitraries.js";
import { statistics, UNIT } from "../support/textbook.js";

describe("merge", () => {
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  const anyMoments = fc.record({ count: fc.integer({ min: 1, max: 2 ** 40 }), mean: finite, m2: finite.map(Math.abs) });

  test("count 0 is the identity on either side, whatever it holds", () => {
    holds(fc.tuple(anyMoments, fc.double(), fc.double()), ([a, mean, m2]) => {
      for (const empty of [EMPTY, { count: 0, mean, m2 }]) {
        expect(merge(a, empty)).toEqual(a);
        expect(merge(empty, a)).toEqual(a);
      }
    });
  });

  test("mergeMoments merges channel by channel, bit for bit", () => {
    const moments = fc.record({
      count: fc.nat(1000),
      channels: fc.array(fc.tuple(finite, finite.map(Math.abs)), { minLength: 3, maxLength: 3 }),
    });
    const pack = ({
      count,
      channels,
    }: {
      count: number;
      channels: [number, number][];
    }): Parameters<typeof mergeMoments>[0] => ({
      count,
      mean: Float64Array.from(channels, ([mean]) => mean),
      m2: Float64Array.from(channels, ([, m2]) => m2),
    });
    holds(fc.tuple(moments, moments), ([a, b]) => {
      const got = mergeMoments(pack(a), pack(b));
      for (let c = 0; c < 3; c++) {
        const one = ({ count, channels }: typeof a): Moments => ({ count, mean: channels[c]![0], m2: channels[c]![1] });
        const want = merge(one(a), one(b));
        expect({ count: got.count, mean: got.mean[c], m2: got.m2[c] }).toEqual({ ...want, count: a.count + b.count });
      }
    });
  });

  /** Parts of `values` between the cuts, in order. */
  function partsOf(values: Float64Array, cuts: readonly number[]): Moments[] {
    const edges = [0, ...cuts.map((cut) => cut % (values.length + 1)).sort((a, b) => a - b), values.length];
    return edges.slice(1).map((end, i) => {
      const at = Array.from({ length: end - edges[i]! }, (_, j) => edges[i]! + j);
      return at.length === 0 ? EMPTY : { count: at.length, ...statistics(values, at) };
    });
  }

  test("parts split anywhere, merged from either end or turned round, give the moments of the whole", () => {
    const values = fc.float64Array({ minLength: 1, maxLength: 200, min: -1e6, max: 1e6, noNaN: true });
    holds(fc.tuple(values, fc.array(fc.nat(1000), { maxLength: 12 })), ([x, cuts]) => {
      const parts = partsOf(x, cuts);
      const [whole] = partsOf(x, []);
      const n = x.length;
      const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // A merge rounds δ, δ·f and their sum, |δ| ≤ 2·largest: 7 units of it; earlier errors are averaged. And the whole's own.
      const meanError = 8 * UNIT.float64 * largest * (parts.length + 1);
      // δ²·w ≤ m2 with w ≤ n/4, so that an error e of either mean gives at most 2·e·√(m2·n)/2 + n·e²; 8 roundings besides.
      const e = 2 * meanError;
      // Squares may underflow, to within the smallest number each.
      const lost = 16 * (n + parts.length) * Number.MIN_VALUE;
      const perMerge = 8 * UNIT.float64 * whole!.m2 + e * Math.sqrt(whole!.m2 * n) + n * e * e;
      const m2Error = (parts.length + 1) * perMerge + lost;
      for (const { count, mean, m2 } of [
        parts.reduce((a, b) => merge(a, b), EMPTY),
        parts.reduceRight((a, b) => merge(b, a), EMPTY),
        [...parts].reverse().reduce((a, b) => merge(a, b), EMPTY),
      ]) {
        expect(count).toBe(n);
        expect(Math.abs(mean - whole!.mean)).toBeLessThanOrEqual(meanError);
        expect(Math.abs(m2 - whole!.m2)).toBeLessThanOrEqual(m2Error);
      }
    });
  });
});
