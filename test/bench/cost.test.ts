// Fitted costs and crossovers, of times whose formula is known.
import { describe, expect, test } from "vitest";
import { costPage } from "../../bench/report/cost-page.js";
import { betterFrom, costsOf, crossoversOf } from "../../bench/report/cost.js";
import { allCostSections } from "../../bench/report/cost-tables.js";
import { fit, fitOnes, predict, type Point } from "../../bench/report/fit.js";
import type { RowId } from "../../bench/report/rows.js";
import { EMPTY, SMALLEST } from "../../bench/sweep.js";
import { random } from "../../src/verify/data.js";
import { ENVIRONMENT, madeRow } from "./rows.js";
import { OPERATIONS } from "../../bench/shapes.js";

const SIZES = [1e3, 1e4, 1e5, 1e6, 1e7, 3e7, 1e8];
const CHANNELS = [16, 64, 256, 1024];

/** 5 µs a call, 20 ns a channel, and so many ns a value as `perValue` tells, give or take `noise`. */
function points(perValue: (elements: number) => number, noise = 0): Point[] {
  const next = random(7);
  return CHANNELS.flatMap((channels) =>
    SIZES.map((elements) => ({
      channels,
      elements,
      microseconds: (5 + (20 * channels + perValue(elements) * elements) / 1000) * (1 + noise * (2 * next() - 1)),
    })),
  );
}

describe("fit", () => {
  test("finds the costs that times were made of, and errors no larger than the noise", () => {
    const found = fit(points(() => 0.5));
    expect(found.cached).toBe(Infinity);
    expect([found.perCall, found.perChannel, found.perElement].map((value) => value.toFixed(6))).toEqual([
      "5.000000",
      "20.000000",
      "0.500000",
    ]);
    expect(found.worstError).toBeLessThan(1e-9);
    const noisy = fit(points(() => 0.5, 0.08));
    expect(Math.abs(noisy.perCall / 5 - 1)).toBeLessThan(0.1);
    expect(Math.abs(noisy.perChannel / 20 - 1)).toBeLessThan(0.1);
    expect(Math.abs(noisy.perElement / 0.5 - 1)).toBeLessThan(0.1);
    expect(noisy.worstError).toBeLessThan(0.2);
    expect(noisy.medianError).toBeLessThan(0.1);
  });

  test("a break where values past the cache cost more", () => {
    const found = fit(points((elements) => (elements <= 1e6 ? 0.2 : 0.8), 0.02));
    expect(found.cached).toBe(1e6);
    expect(found.perElement).toBeCloseTo(0.2, 1);
    expect(found.perElementBeyond).toBeCloseTo(0.8, 1);
    expect(predict(found, { channels: 64, elements: 1e7 })).toBeGreaterThan(7000);
  });

  test("no cost is negative: the best of those that are not", () => {
    const falling = fit(SIZES.map((elements, i) => ({ channels: 64 * (i + 1), elements, microseconds: 10 - i })));
    for (const cost of [falling.perCall, falling.perChannel, falling.perElement])
      expect(cost).toBeGreaterThanOrEqual(0);
    expect(
      fitOnes([
        [1, 1],
        [-1, -1],
      ]),
    ).toEqual({ factors: [1, 0], squares: 0 });
    expect(fitOnes([[-1, -2]])).toEqual({ factors: [0], squares: 2 });
    expect(
      fitOnes([
        [2, 2],
        [4, 4],
      ]).squares,
      "columns that say the same",
    ).toBe(0);
  });
});

test("better from the first size on after which it never is worse", () => {
  const of = (times: readonly (number | undefined)[]) => (size: number) => times[size];
  const from = (fast: (number | undefined)[], slow: (number | undefined)[]): number | null =>
    betterFrom([0, 1, 2, 3], of(fast), of(slow));
  expect(from([1, 1, 1, 1], [2, 2, 2, 2])).toBe(0);
  expect(from([2, 1, 3, 1], [2, 2, 2, 2])).toBe(3);
  expect(from([1, 1, 1, 2], [2, 2, 2, 2])).toBeNull();
  expect(from([undefined, 1, 1, 1], [2, 2, 2, 2]), "not timed where it is small").toBe(1);
  expect(from([1, 1, 1, 1], [2, 2, 2, undefined]), "the other stops").toBe(0);
});

/** Rows of the oracle, 1 µs and 10 ns a value, and of two more backends that cost more a call and less a value. */
const rows = OPERATIONS.flatMap((op) =>
  [
    { backend: "oracle", call: 1, value: 10 },
    { backend: "wasm", call: 21, value: 1 },
    { backend: "native/avx2", call: 101, value: 0.5 },
  ].flatMap(({ backend, call, value }) =>
    [16, 64].flatMap((channels) =>
      [16, 80, 320, 1600, 20_000].map((each) => {
        const id: Partial<RowId> = { op, backend, shape: `1×${channels}×${each}` };
        return madeRow(id, (call + (value * channels * each) / 1000) / 1000);
      }),
    ),
  ),
);
const tiny = OPERATIONS.flatMap((op) =>
  [EMPTY, SMALLEST].map(({ name }) => madeRow({ op, backend: "wasm", shape: name }, 0.0123)),
);

test("rows to costs: an operation and a contender each, what is tiny left out", () => {
  const costs = costsOf([...rows, ...tiny, madeRow({ op: "copy", shape: "1×64×16" }, 1), madeRow({}, 1)]);
  expect(costs.map(({ operation, contender }) => `${operation} ${contender}`)).toEqual(
    OPERATIONS.flatMap((op) => [`${op} native/avx2`, `${op} wasm`, `${op} oracle`]),
  );
  expect(costs[1]!.points.length).toBe(10);
  expect(costs[1]!.fit.perElement).toBeCloseTo(1, 6);
  expect(costsOf(rows.filter(({ shape }) => shape.startsWith("1×64×"))), "channels must differ").toEqual([]);
});

test("crossovers, by the medians at the next size and by the fits in between", () => {
  const found = crossoversOf(costsOf(rows)).filter(({ operation }) => operation === "forward");
  expect(found.map(({ fast, slow, measured }) => [fast, slow, measured])).toEqual([
    ["wasm", "oracle", 64 * 80],
    ["native/avx2", "oracle", 64 * 320],
    ["native/avx2", "wasm", 64 * 20_000],
  ]);
  // Calls' differences in ns by values'.
  const exact = [20e3 / 9, 100e3 / 9.5, 80e3 / 0.5];
  for (const [i, { fitted }] of found.entries()) expect(Math.abs(fitted! / exact[i]! - 1)).toBeLessThan(0.1);
});

test("the document has the tables, each as wide as its head", () => {
  const text = costPage({ environment: ENVIRONMENT, fixed: null, rows: [...rows, ...tiny] });
  expect(text).toContain("a CPU, 2 cores, Node 20.0.0, native/avx2");
  expect(text).toContain("| wasm | oracle | 5,120 |");
  expect(text).toContain("µs a call: 0×64×16, float32");
  expect(text).toContain("| wasm | 12.3 | 12.3 | 12.3 |");
  for (const { head, rows: lines } of allCostSections([...rows, ...tiny]))
    for (const line of lines) expect(line.length).toBe(head.length);
  expect(() => costPage({ environment: ENVIRONMENT, fixed: null, rows: [] })).toThrow("--only cost");
});
