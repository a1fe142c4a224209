// What masks and sample weights make of statistics: running ones, those of one value, merged ones, and their laws.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormTraining,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  mergeMoments,
  batchNormMoments,
  type Saved,
} from "../../src/index.js";
import { holds } from "../support/arbitraries.js";
import { normals } from "../support/reference.js";
import { errorOf } from "../support/rejected.js";
import { dy, perSample, POSITIONS, SHAPE, SIZE, x } from "../support/weighted-batch.js";

describe("statistics", () => {
  test("running variance is m2/(Σw − Σw²/Σw)", () => {
    for (const weights of [Float32Array.of(1, 2, 3, 0.5), perSample.map((value) => value / 80)]) {
      const bn = new BatchNorm(3, { momentum: 1 });
      bn.forward(x, SHAPE, { sampleWeights: weights });
      const { count, sumSquaredWeights, m2, mean } = batchNormMoments(x, SHAPE, { sampleWeights: weights });
      const each = POSITIONS / weights.length;
      expect(sumSquaredWeights).toBeCloseTo(
        weights.reduce((sum, w) => sum + each * w * w, 0),
        10,
      );
      const divisor = count - sumSquaredWeights! / count;
      expect(bn.runningMean).toEqual(Float32Array.from(mean));
      expect(bn.runningVar).toEqual(Float32Array.from(m2, (value) => value / divisor));
      expect(bn.numBatchesTracked).toBe(1);
    }
  });

  test("running variance does not depend on the weights' scale, and is that of the values counted with a mask", () => {
    const runningVar = (sampleWeights: Float32Array): Float32Array => {
      const bn = new BatchNorm(3, { momentum: 1 });
      bn.forward(x, SHAPE, { sampleWeights });
      return bn.runningVar!;
    };
    const weights = Float32Array.of(1, 2, 3, 0.5);
    for (const scale of [2 ** -7, 64]) expect(runningVar(weights.map((w) => w * scale))).toEqual(runningVar(weights));
    const masked = new BatchNorm(3, { momentum: 1 });
    masked.forward(x, SHAPE, { mask: Uint8Array.of(1, 0, 1, 0) });
    expect(masked.runningVar).toEqual(runningVar(Float32Array.of(1, 0, 1, 0)));
  });

  test("one position of positive weight is a single value", () => {
    const mask = Uint8Array.from({ length: POSITIONS }, (_, p) => Number(p === 7));
    const error = errorOf(() => new BatchNorm(3).forward(x, SHAPE, { mask })) as Error;
    expect(error.message).toBe(
      'Expected more than 1 value per channel when training, got one of positive weight in shape [4, 3, 5, 2]; the option "singleValue" allows one',
    );
    const allowed = new BatchNorm(3, { singleValue: "allow" });
    expect(allowed.forward(x, SHAPE, { mask }).every(Number.isFinite)).toBe(true);
    const running = new BatchNorm(3, { singleValue: "running", momentum: 1 });
    const y = running.forward(x, SHAPE, { mask });
    expect(y).toEqual(new BatchNorm(3).eval().forward(x, SHAPE));
    expect(running.runningMean).toEqual(Float32Array.of(x[7]!, x[17]!, x[27]!));
  });

  test("merged moments of weighted parts are those of the whole, forward and backward", () => {
    const half = SIZE / 2;
    const parts = [0, 1].map((i) => ({
      x: x.subarray(i * half, (i + 1) * half),
      dy: dy.subarray(i * half, (i + 1) * half),
      sampleWeights: perSample.subarray(2 * i, 2 * i + 2),
    }));
    const shape = [2, 3, 5, 2];
    const own = parts.map((part) => batchNormMoments(part.x, shape, { sampleWeights: part.sampleWeights }));
    const merged = mergeMoments(own[0]!, own[1]!);
    const whole = batchNormTraining(x, SHAPE, { sampleWeights: perSample });
    expect(merged.count).toBe(whole.moments.count);
    const saved = parts.map(
      (part) => batchNormTraining(part.x, shape, { sampleWeights: part.sampleWeights, moments: merged }).saved,
    );
    const sums = parts.map((part, i) => batchNormGradSums(part.dy, saved[i] as Saved<"float32">));
    const total = {
      sumG: sums[0]!.sumG.map((value, c) => value + sums[1]!.sumG[c]!),
      sumGX: sums[0]!.sumGX.map((value, c) => value + sums[1]!.sumGX[c]!),
    };
    const expected = batchNormBackward(dy, whole.saved).gradInput;
    parts.forEach((part, i) => {
      const token = saved[i] as Saved<"float32">;
      const { gradInput: dx } = batchNormGradInput(part.dy, token, batchNormGradCoefficients(token, total));
      dx.forEach((value, j) => expect(value).toBeCloseTo(expected[i * half + j]!, 5));
    });
  });
});

describe("properties", () => {
  test("scaling all weights by a power of two changes the count alone; Σw·x̂ and Σw·(x̂² − 1) are 0", () => {
    holds(
      fc.record({
        list: fc.array(fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 4, noNaN: true })), {
          minLength: 3,
          maxLength: 60,
        }),
        channels: fc.integer({ min: 1, max: 20 }),
      }),
      ({ list, channels }) => {
        const w = Float64Array.from(list);
        fc.pre(w.filter((value) => value > 0).length > 1);
        const data = normals("float64", w.length * channels, list.length);
        const shape = [w.length, channels];
        const { output, moments: own } = batchNormTraining(data, shape, { sampleWeights: w, eps: 0 });
        const half = batchNormMoments(data, shape, { sampleWeights: w.map((value) => value / 2) });
        expect([half.count * 2, half.mean]).toEqual([own.count, own.mean]);
        for (let c = 0; c < channels; c++) {
          let [first, second] = [0, 0];
          w.forEach((weight, t) => {
            first += weight * output[t * channels + c]!;
            second += weight * (output[t * channels + c]! ** 2 - 1);
          });
          expect(Math.abs(first / own.count)).toBeLessThan(1e-9);
          expect(Math.abs(second / own.count)).toBeLessThan(1e-9);
        }
      },
    );
  });
});
