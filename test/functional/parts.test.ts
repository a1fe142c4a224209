// Tokens of one part of a batch: their own sums are not enough for a backward, so it is refused.
import { expect, test } from "vitest";
import {
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
  type MomentsOptions,
} from "../../src/index.js";
import { normals } from "../support/reference.js";
import { expectRejected, range, SAVED } from "../support/rejected.js";

const SHAPE = [6, 3];
const x = normals("float32", 18, 1);
const dy = normals("float32", 18, 2);
const sampleWeights = Float32Array.of(0.1, 0.7, 0, 1e-3, 3, 2.2);
const WEIGHTS: readonly MomentsOptions<"float32">[] = [{}, { sampleWeights }, { mask: [1, 0, 1, 1, 1, 0] }];

const refused = (count: number, what: string): ReturnType<typeof range> =>
  range(
    SAVED,
    `"saved" is of one part of a batch of ${count} values per channel, and ${what} needs those of all parts: ` +
      "for gradInput, add the sums of batchNormGradSums, then call batchNormGradCoefficients and batchNormGradInput",
  );

test.each(WEIGHTS)("merged moments, %o", (options) => {
  const own = batchNormMoments(x, SHAPE, options);
  const moments = mergeMoments(own, batchNormMoments(dy, SHAPE, options));
  const { saved } = batchNormTraining(x, SHAPE, { ...options, moments });
  expect(saved.isPart).toBe(true);
  expectRejected(() => batchNormBackward(dy, saved), [saved, dy], refused(moments.count, "this backward"));
});

test.each(WEIGHTS)("moments of x itself, computed before or in another order, %o", (options) => {
  const moments = batchNormMoments(x, SHAPE, options);
  const expected = batchNormBackward(dy, batchNormTraining(x, SHAPE, options).saved);
  expect(batchNormBackward(dy, batchNormTraining(x, SHAPE, { ...options, moments }).saved)).toEqual(expected);
  const rounded = { ...moments, count: moments.count * (options.sampleWeights ? 1 + 2 ** -50 : 1) };
  expect(batchNormTraining(x, SHAPE, { ...options, moments: rounded }).saved.isPart).toBe(false);
});

test("a double backward", () => {
  const moments = mergeMoments(batchNormMoments(x, SHAPE), batchNormMoments(dy, SHAPE));
  const { saved } = batchNormTraining(x, SHAPE, { moments });
  const call = (): unknown => batchNormDoubleBackward(saved, dy, { gradGradInput: dy });
  expectRejected(call, [saved, dy], refused(12, "a double backward"));
});
