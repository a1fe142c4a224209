// Synchronized layers: the bits of one process, from any number of ranks, where the batch is cut at groups of the contract.
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import type { BackendName } from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";
import { sample } from "../support/sample.js";
import { fakeGroups } from "../support/sync/fake-group.js";
import {
  partResults,
  rangesOf,
  textsOf,
  wholeOf,
  type HowSynchronized,
  type Results,
  type SyncCase,
} from "../support/sync/whole-and-parts.js";
import { CASES } from "./cases.js";

const SIZES = [1, 2, 3, 4, 7];

/** The results of all ranks, in one thread. */
function cutAt(one: SyncCase, seed: number, ends: readonly number[], how?: HowSynchronized): Promise<Results[]> {
  const groups = fakeGroups(ends.length);
  return Promise.all(rangesOf(ends).map((range, rank) => partResults(one, seed, groups[rank]!, range, how)));
}

/** Where the parts of ranks end: with units, at random; a rank may have nothing. */
function endsOf({ shape }: SyncCase, unit: number, size: number, next: () => number): number[] {
  const samples = shape[0]!;
  const units = Math.floor(samples / unit);
  const cuts = Array.from({ length: size - 1 }, () => unit * Math.floor(next() * (units + 1)));
  return [...cuts.sort((a, b) => a - b), samples];
}

const available = backendsUnderTest.filter(({ kernels }) => kernels !== null);
const ALL = available.flatMap(({ name, has16Bit }) =>
  CASES.filter(({ options }) => has16Bit || !/16/.test(options?.dtype ?? "")).map((one) => ({ backend: name, one })),
);
const CHOSEN = sample("synchronized batches", ALL, 40, ({ backend, one }) => [backend, one.name]);

// All backends on a case before the next one: its batches are made once.
describe.each(CASES.filter((one) => CHOSEN.some((chosen) => chosen.one === one)))("$name", ({ unit, ...one }) => {
  const backends = CHOSEN.filter((chosen) => chosen.one.name === one.name);
  test.each(backends)("$backend: the bits of one process", async ({ backend }) => {
    const next = random(unit);
    const withBackend = { ...one, options: { ...one.options, backend: backend as BackendName } };
    const wanted = textsOf([wholeOf(withBackend, 7)]);
    for (const size of SIZES) {
      const ends = endsOf(one, unit, size, next);
      const got = textsOf(await cutAt(withBackend, 7, ends));
      for (const [what, text] of Object.entries(wanted))
        expect(got[what] === text, `${what} over ${size} ranks that end at ${ends.join(", ")}`).toBe(true);
    }
  });
});

const asNumbers = (data: unknown): number[] => [...(data as Float32Array)];

/** The largest difference of two results, each beside the size of what it is of. */
function largestDifference(got: readonly number[], wanted: readonly number[]): number {
  const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  return got.reduce((most, value, i) => Math.max(most, Math.abs(value - wanted[i]!) / scale), 0);
}

/** What differs most from one process: of dγ, whose sum cancels most, and of all others. */
async function differencesOf(
  one: SyncCase,
  ends: readonly number[],
  how: HowSynchronized,
): Promise<{ readonly gradWeight: number; readonly others: number }> {
  const whole = wholeOf(one, 3);
  const ranks = await cutAt(one, 3, ends, how);
  const [first] = ranks as [Results];
  const pairs = [
    [ranks.flatMap(({ outputs }) => asNumbers(outputs[0])), asNumbers(whole.outputs[0])],
    [ranks.flatMap(({ gradients }) => asNumbers(gradients[0]!.gradInput)), asNumbers(whole.gradients[0]!.gradInput)],
    [asNumbers(first.gradients[0]!.gradBias), asNumbers(whole.gradients[0]!.gradBias)],
    [asNumbers(first.state[0]), asNumbers(whole.state[0])],
    [asNumbers(first.state[1]), asNumbers(whole.state[1])],
  ] as const;
  return {
    gradWeight: largestDifference(asNumbers(first.gradients[0]!.gradWeight), asNumbers(whole.gradients[0]!.gradWeight)),
    others: Math.max(...pairs.map(([got, wanted]) => largestDifference(got, wanted))),
  };
}

describe("cut anywhere", () => {
  const drawn = fc.record({
    samples: fc.integer({ min: 2, max: 60 }),
    inner: fc.constantFrom(1, 3, 15, 16, 40),
    cuts: fc.array(fc.nat(60), { minLength: 1, maxLength: 6 }),
    exact: fc.boolean(),
    residual: fc.boolean(),
    weights: fc.constantFrom(undefined, "samples" as const, "positions" as const, "mask" as const),
    dtype: fc.constantFrom("float32" as const, "float64" as const),
  });
  const endsIn = (samples: number, cuts: readonly number[]): number[] => [
    ...cuts.map((cut) => cut % (samples + 1)).sort((a, b) => a - b),
    samples,
  ];

  test.each([
    ["float32", 2 ** -20, 2 ** -15],
    ["float64", 2 ** -49, 2 ** -44],
  ] as const)("results in %s differ by roundings alone: at most %s of the largest", async (dtype, most, ofWeight) => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ samples, inner, cuts, exact, residual, weights }) => {
        const one: SyncCase = {
          shape: [samples, 3, inner],
          residual,
          ...(weights && { weights }),
          options: { dtype, singleValue: "allow" },
        };
        const { gradWeight, others } = await differencesOf(one, endsIn(samples, cuts), { exact });
        expect(others).toBeLessThan(most);
        expect(gradWeight).toBeLessThan(ofWeight);
      }),
      { seed: 20261130, numRuns: 60 },
    );
  });

  test("ranks have equal running statistics in any case", async () => {
    await fc.assert(
      fc.asyncProperty(drawn, async ({ samples, inner, cuts, exact, dtype, weights }) => {
        const one: SyncCase = {
          shape: [samples, 3, inner],
          steps: 2,
          ...(weights && { weights }),
          options: { dtype, singleValue: "allow" },
        };
        const { state, ...texts } = textsOf(await cutAt(one, 5, endsIn(samples, cuts), { exact }));
        expect(state).not.toContain("differs");
        for (const text of Object.values(texts)) expect(text).not.toMatch(/^differs/);
      }),
      { seed: 20261130, numRuns: 40 },
    );
  });
});

test("a batch of one sample on each of many ranks", async () => {
  const one: SyncCase = { shape: [40, 5, 30] };
  const ends = Array.from({ length: 40 }, (_, i) => i + 1);
  expect((await differencesOf(one, ends, {})).others).toBeLessThan(2 ** -20);
});

test("the law of cuts: where a batch is cut changes no bit, if every cut is where a group ends", async () => {
  // float32 would hide in which order float64 moments are merged, and so would few channels.
  const one: SyncCase = {
    shape: [21_000, 16],
    weights: "samples",
    options: { activation: "relu", dtype: "float64" },
  };
  const wanted = textsOf([wholeOf(one, 11)]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(5), { minLength: 0, maxLength: 8 }), async (cuts) => {
      const ends = [...cuts.sort((a, b) => a - b).map((unit) => 4096 * unit), 21_000];
      const got = textsOf(await cutAt(one, 11, ends));
      for (const [what, text] of Object.entries(wanted)) expect(got[what] === text, what).toBe(true);
    }),
    { seed: 20261130, numRuns: 25 },
  );
});
