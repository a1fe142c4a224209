// Statistics of a whole data set: those of all values together, whatever the batches are.
import { describe, expect, test } from "vitest";
import { BatchNorm, updateStatistics, type StatisticsProgress } from "../../src/index.js";
import { variance } from "../../src/math.js";
import { batchNormMoments } from "../../src/index.js";
import { random } from "../../src/verify/data.js";

const next = random(5);
const CHANNELS = 3;
const data = Float64Array.from({ length: 20 * CHANNELS }, () => 4 * next() + 3);
/** Batches of 7, 1, 2 and 10 rows. */
const batches = [
  [0, 7],
  [7, 8],
  [8, 10],
  [10, 20],
].map(([from, to]) => data.subarray(from! * CHANNELS, to! * CHANNELS));
const whole = batchNormMoments(data, [20, CHANNELS]);

type Layer = BatchNorm<"float64">;
const layer = (options = {}): Layer => new BatchNorm(CHANNELS, { dtype: "float64", singleValue: "allow", ...options });
const runOf =
  (...layers: Layer[]) =>
  (x: Float64Array): void => {
    let y = x;
    for (const each of layers) y = each.forward(y, [x.length / CHANNELS, CHANNELS]);
  };

function expectPopulation(bn: Layer, correction: 0 | 1 = 1): void {
  const expected = variance(whole, correction);
  whole.mean.forEach((value, c) => expect(bn.runningMean![c]).toBeCloseTo(value, 12));
  expected.forEach((value, c) => expect(bn.runningVar![c]).toBeCloseTo(value, 11));
}

describe("updateStatistics", () => {
  test("batches of different sizes count by their sizes", async () => {
    for (const correction of [0, 1] as const) {
      const bn = layer({ correction });
      runOf(bn)(batches[0]!);
      await updateStatistics(bn, batches, runOf(bn));
      expectPopulation(bn, correction);
      expect(bn.numBatchesTracked).toBe(4);
    }
  });

  test("any iterable, and a run that is async", async () => {
    for (const source of [
      new Set(batches),
      () => batches.values(),
      (async function* () {
        for (const batch of batches) yield await Promise.resolve(batch);
      })(),
    ]) {
      const bn = layer();
      await updateStatistics(bn, source, async (x) => {
        await Promise.resolve();
        runOf(bn)(x);
      });
      expectPopulation(bn);
    }
  });

  test("modes are what they were, and frozen layers collect too", async () => {
    const [bn, frozen] = [layer().eval(), layer()];
    frozen.frozen = true;
    await updateStatistics([bn, frozen], batches, (x) => {
      runOf(bn)(x);
      runOf(frozen)(x);
    });
    expect([bn.training, bn.frozen, frozen.training, frozen.frozen]).toEqual([false, false, true, true]);
    expectPopulation(bn);
    expectPopulation(frozen);
  });

  test("together, a layer sees what the batch statistics before it make; in order, what inference makes", async () => {
    const [first, second, own] = [layer(), layer(), layer()];
    await updateStatistics([first, second], batches, runOf(first, second), { passes: "in order" });
    expectPopulation(first);
    const inference = first.clone().eval();
    const seen = batches.map((x) => inference.forward(x, [x.length / CHANNELS, CHANNELS]));
    await updateStatistics(own, seen, runOf(own));
    expect(second.stateDict()).toEqual(own.stateDict());
    const together = [layer(), layer()] as const;
    await updateStatistics(together, batches, runOf(...together));
    expectPopulation(together[0]);
    expect(together[1].runningVar).not.toEqual(second.runningVar);
  });

  test("progress", async () => {
    const [a, b] = [layer(), layer()];
    const calls: StatisticsProgress[] = [];
    await updateStatistics([a, b], batches.slice(0, 2), runOf(a, b), {
      passes: "in order",
      onProgress: (progress) => calls.push(progress),
    });
    expect(calls).toEqual([0, 1].flatMap((done) => [1, 2].map((count) => ({ batches: count, passes: [done, 2] }))));
  });

  test("batches that are not finite are skipped where the layer says so", async () => {
    const bn = layer({ onNonFinite: "skip" });
    await updateStatistics(bn, [...batches, new Float64Array(6).fill(NaN)], runOf(bn));
    expectPopulation(bn);
  });
});

describe("an error leaves statistics and modes as they were", () => {
  async function expectUnchanged(layers: Layer[], message: string | RegExp, call: () => Promise<void>): Promise<void> {
    const before = layers.map((each) => [each.stateDict(), each.training, each.frozen]);
    await expect(call()).rejects.toThrow(message);
    expect(layers.map((each) => [each.stateDict(), each.training, each.frozen])).toEqual(before);
    // No collector is left.
    for (const each of layers) {
      each.train().frozen = false;
      runOf(each)(batches[0]!);
      expect(each.numBatchesTracked).toBe(
        (before[layers.indexOf(each)]![0] as { num_batches_tracked: number }).num_batches_tracked + 1,
      );
    }
  }

  test("in run, in a later pass, and for a layer that was not used", async () => {
    const [a, b] = [layer(), layer().eval()];
    runOf(a)(batches[0]!);
    await expectUnchanged([a, b], "run failed", () =>
      updateStatistics([a, b], batches, () => {
        throw new Error("run failed");
      }),
    );
    await expectUnchanged([a, b], 'layer 1 of "layers" has seen no values', () =>
      updateStatistics([a, b], batches, runOf(a)),
    );
    await expectUnchanged([a, b], 'layer 1 of "layers" has seen no values', () =>
      updateStatistics([a, b], batches.values(), runOf(a, b), { passes: "in order" }),
    );
    await expectUnchanged([a], "has seen no values", () => updateStatistics(a, [], runOf(a)));
  });

  test("arguments", async () => {
    const bn = layer();
    const call = updateStatistics as unknown as (...args: unknown[]) => Promise<void>;
    const rejected = async (args: unknown[], code: string, message: string): Promise<void> => {
      await expect(call(...args)).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string });
    };
    await rejected([{}, [], runOf(bn)], "ERR_BATCHNORM_TYPE", '"layers" expected a BatchNorm');
    await rejected([[bn, 1], [], runOf(bn)], "ERR_BATCHNORM_TYPE", '"layers[1]" expected a BatchNorm, got 1');
    await rejected([bn, 5, runOf(bn)], "ERR_BATCHNORM_TYPE", '"batches" expected an iterable or a function, got 5');
    await rejected([bn, [], 5], "ERR_BATCHNORM_TYPE", '"run" expected a function, got 5');
    await rejected([bn, [], runOf(bn), { passes: "both" }], "ERR_BATCHNORM_VALUE", '"passes" expected one of');
    await rejected([bn, [], runOf(bn), { onProgress: 1 }], "ERR_BATCHNORM_TYPE", '"onProgress" expected a function');
    const untracked = layer({ trackRunningStats: false });
    await rejected([untracked, [], runOf(bn)], "ERR_BATCHNORM_VALUE", "needs running statistics");
  });
});
