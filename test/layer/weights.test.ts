// Masks and sample weights through the public calls: what they mean, and what they leave alone.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  batchNormTraining,
  batchNormGradCoefficients,
  mergeMoments,
  batchNormMoments,
} from "../../src/index.js";
import { dy, perPosition, perSample, POSITIONS, SHAPE, SIZE, x } from "../support/weighted-batch.js";

/** Moves the channels of a 4×3×5×2 tensor to the end. */
function channelsLast<T extends Float32Array>(data: T): Float32Array {
  return Float32Array.from({ length: SIZE }, (_, i) => {
    const [position, c] = [Math.floor(i / 3), i % 3];
    return data[(Math.floor(position / 10) * 3 + c) * 10 + (position % 10)]!;
  });
}

describe("one weight a sample or a position", () => {
  test("are the same, as a mask of ones and zeros in every form is", () => {
    const bySample = batchNormTraining(x, SHAPE, { sampleWeights: perSample });
    const byPosition = batchNormTraining(x, SHAPE, { sampleWeights: perPosition });
    expect([byPosition.output, byPosition.moments]).toEqual([bySample.output, bySample.moments]);
    expect(bySample.moments.count).toBe(40);
    // Tokens keep as many as were given.
    expect([bySample, byPosition].map(({ saved }) => saved.sampleWeights!.length)).toEqual([4, 40]);
    const grads = [bySample, byPosition].map(({ saved }) => batchNormBackward(dy, structuredClone(saved)));
    expect(grads[0]).toEqual(grads[1]);
    const bits = [1, 0, 1, 0] as const;
    const masks = [Uint8Array.from(bits), Float32Array.from(bits), bits, bits.map((bit) => bit === 1)];
    const results = masks.map((mask) => batchNormMoments(x, SHAPE, { mask }));
    for (const result of results) expect(result).toEqual(results[0]);
    expect(results[0]!.count).toBe(20);
  });

  test("an ordinary array is rounded to the type of the parameters", () => {
    const list = [0.1, 0, 1e-3, 7];
    const expected = batchNormTraining(x, SHAPE, { sampleWeights: Float32Array.from(list) });
    expect(batchNormTraining(x, SHAPE, { sampleWeights: list })).toEqual(expected);
    const weights = Array.from({ length: POSITIONS }, (_, p) => list[Math.floor(p / 10)]!);
    expect(batchNormTraining(x, SHAPE, { sampleWeights: weights }).output).toEqual(expected.output);
  });

  test("a mask and weights multiply, of samples and positions alike", () => {
    const mask = [true, true, false, true];
    const byPosition = Uint8Array.from({ length: POSITIONS }, (_, p) => Number(mask[Math.floor(p / 10)]));
    const expected = batchNormMoments(x, SHAPE, { sampleWeights: Float32Array.of(1, 0, 0, 0.5) });
    for (const given of [
      { mask, sampleWeights: perSample },
      { mask, sampleWeights: perPosition },
      { mask: byPosition, sampleWeights: perSample },
      { mask: byPosition, sampleWeights: perPosition },
    ])
      expect(batchNormMoments(x, SHAPE, given)).toEqual(expected);
  });

  test("a layer's next call and other shapes have weights of their own", () => {
    const bn = new BatchNorm(3, { trackRunningStats: false });
    for (const shape of [SHAPE, [2, 3, 20], SHAPE]) {
      for (const seed of [1, 2]) {
        const sampleWeights = Float32Array.from({ length: shape[0]! }, (_, n) => (n * seed) % 3);
        const expected = batchNormTraining(x, shape, { sampleWeights });
        expect(bn.forward(x, shape, { sampleWeights })).toEqual(expected.output);
        expect(bn.backward(dy).gradInput).toEqual(batchNormBackward(dy, expected.saved).gradInput);
      }
    }
  });

  test("in both layouts and at any axis", () => {
    const first = batchNormTraining(x, SHAPE, { sampleWeights: perPosition });
    const last = batchNormTraining(channelsLast(x), [4, 5, 2, 3], {
      sampleWeights: perPosition,
      layout: "channels-last",
    });
    expect(last.moments.count).toBe(first.moments.count);
    const expected = channelsLast(first.output);
    last.output.forEach((y, i) => expect(y).toBeCloseTo(expected[i]!, 5));
    // Channels in front: only positions are left.
    const front = [3, 40];
    const moved = Float32Array.from({ length: SIZE }, (_, i) => channelsLast(x)[(i % 40) * 3 + Math.floor(i / 40)]!);
    const atFront = batchNormMoments(moved, front, { axis: 0, sampleWeights: perPosition });
    atFront.mean.forEach((mean, c) => expect(mean).toBeCloseTo(first.moments.mean[c]!, 6));
    expect(() => batchNormMoments(moved, front, { axis: 0, sampleWeights: perSample.subarray(0, 3) })).toThrow(
      '"sampleWeights" expected length 40 (positions), got 3',
    );
  });

  test("a token's weights are as many as they are, whatever they say", () => {
    const { saved } = batchNormTraining(x, SHAPE, { sampleWeights: perSample });
    const expected = batchNormBackward(dy, structuredClone(saved));
    for (const length of [-1, 0, 40, NaN]) {
      const sampleWeights = Object.defineProperty(perSample.slice(), "length", { value: length });
      expect(batchNormBackward(dy, { ...structuredClone(saved), sampleWeights })).toEqual(expected);
    }
  });

  test.each([{ onNonFinite: "throw" }, { renorm: { rMax: 1, dMax: 0 } }] as const)(
    "have a backward where moments are computed first: %j",
    (options) => {
      // Their sum in float32 is not that in float64.
      const sampleWeights = Float32Array.from({ length: 64 * 409 }, (_, i) => ((i * 7919) % 1009) / 997);
      const layer = new BatchNorm(1, options);
      layer.forward(sampleWeights, [64, 1, 409], { sampleWeights });
      expect(layer.saved!.isPart).toBe(false);
      expect(layer.backward(sampleWeights).gradInput).toHaveLength(64 * 409);
    },
  );

  test("are copied: later changes do not reach the backward", () => {
    const weights = perSample.slice();
    const bn = new BatchNorm(3);
    bn.forward(x, SHAPE, { sampleWeights: weights });
    weights.fill(7);
    const expected = batchNormBackward(dy, batchNormTraining(x, SHAPE, { sampleWeights: perSample }).saved);
    expect(bn.backward(dy).gradInput).toEqual(expected.gradInput);
  });
});

describe("positions without weight", () => {
  const mask = Uint8Array.from({ length: POSITIONS }, (_, p) => Number(p % 4 !== 1));
  const spoilt = x.map((value, i) =>
    mask[Math.floor(i / 30) * 10 + (i % 10)] === 1 ? value : [NaN, Infinity][i % 2]!,
  );
  const isMasked = (i: number): boolean => mask[Math.floor(i / 30) * 10 + (i % 10)] === 0;

  test("NaN and infinities there change no statistic and no other output", () => {
    const clean = batchNormTraining(x, SHAPE, { mask });
    const got = batchNormTraining(spoilt, SHAPE, { mask });
    expect(got.moments).toEqual(clean.moments);
    got.output.forEach((y, i) => {
      if (!isMasked(i)) expect(y).toBe(clean.output[i]);
    });
  });

  test("zero: outputs and gradients of them are 0, whatever x and gradOutput are there", () => {
    const options = { mask, maskedOutput: "zero" } as const;
    const clean = batchNormTraining(x, SHAPE, options);
    const got = batchNormTraining(spoilt, SHAPE, options);
    expect(got.output).toEqual(clean.output);
    got.output.forEach((y, i) => expect(y === 0).toBe(isMasked(i)));
    const badDy = dy.map((value, i) => (isMasked(i) ? NaN : value));
    const zeroed = dy.map((value, i) => (isMasked(i) ? 0 : value));
    const want = batchNormBackward(zeroed, batchNormTraining(x, SHAPE, { mask }).saved);
    const grads = batchNormBackward(badDy, got.saved);
    expect(grads.gradWeight).toEqual(want.gradWeight);
    expect(grads.gradBias).toEqual(want.gradBias);
    // There dx is 0 − 0·(…), times γ·r.
    grads.gradInput.forEach((value, i) => expect(value).toBe(isMasked(i) ? 0 : want.gradInput[i]));
  });

  test("zero in place: gradients over gradOutput, over x, and over one array that is both", () => {
    const options = { mask, maskedOutput: "zero" } as const;
    const expected = batchNormBackward(dy, batchNormTraining(x, SHAPE, options).saved);
    const overDy = dy.slice();
    expect(batchNormBackward(overDy, batchNormTraining(x, SHAPE, options).saved, { out: overDy })).toEqual(expected);
    const own = x.slice();
    expect(batchNormBackward(dy, batchNormTraining(own, SHAPE, options).saved, { out: own })).toEqual(expected);
    const both = x.slice();
    const same = batchNormBackward(x, batchNormTraining(x, SHAPE, options).saved);
    expect(batchNormBackward(both, batchNormTraining(both, SHAPE, options).saved, { out: both })).toEqual(same);
  });

  test("inference and frozen layers: statistics are fixed, and only zero outputs differ", () => {
    const running = { runningMean: Float32Array.of(1, 2, 3), runningVar: Float32Array.of(4, 5, 6) };
    const plain = batchNormInference(x, SHAPE, running).output;
    expect(batchNormInference(x, SHAPE, { ...running, mask }).output).toEqual(plain);
    const zero = batchNormInference(x, SHAPE, { ...running, mask, maskedOutput: "zero", save: true });
    expect(zero.output).toEqual(plain.map((y, i) => (isMasked(i) ? 0 : y)));
    const grads = batchNormBackward(dy, zero.saved);
    grads.gradInput.forEach((value, i) => expect(value === 0).toBe(isMasked(i)));
    const bn = new BatchNorm(3);
    bn.frozen = true;
    bn.forward(x, SHAPE, { mask });
    expect(bn.saved).toMatchObject({ sampleWeights: null, fixedStatistics: true });
    expect(bn.numBatchesTracked).toBe(0);
  });
});

describe("a batch without any weight", () => {
  test("y is β, gradients of x are 0, running statistics stay, moments are the identity of merging", () => {
    const bn = new BatchNorm(3);
    bn.bias!.set([1, -2, 3]);
    const before = bn.stateDict();
    const y = bn.forward(x, SHAPE, { mask: new Uint8Array(4) });
    y.forEach((value, i) => expect(value).toBe([1, -2, 3][Math.floor(i / 10) % 3]));
    expect(bn.stateDict()).toEqual(before);
    const grads = bn.backward(dy);
    expect(grads.gradInput.every((value) => value === 0)).toBe(true);
    expect(grads.gradWeight).toEqual(new Float32Array(3));
    const none = batchNormMoments(x, SHAPE, { sampleWeights: new Float32Array(POSITIONS) });
    expect(none).toEqual({ count: 0, sumSquaredWeights: 0, mean: new Float64Array(3), m2: new Float64Array(3) });
    const some = batchNormMoments(x, SHAPE);
    expect(mergeMoments(none, some)).toEqual(some);
    const { output } = batchNormTraining(x, SHAPE, { mask: new Uint8Array(4), maskedOutput: "zero" });
    expect(output).toEqual(new Float32Array(SIZE));
    // With the moments of other ranks it is normalized as any.
    const synchronized = batchNormTraining(x, SHAPE, { mask: new Uint8Array(4), moments: some });
    expect(synchronized.output).toEqual(batchNormTraining(x, SHAPE).output);
    const parts = batchNormGradCoefficients(batchNormTraining(x, SHAPE, { mask: new Uint8Array(4) }).saved, {
      sumG: new Float64Array(3),
      sumGX: new Float64Array(3),
    });
    expect(
      Object.values(parts)
        .flatMap((values: Float64Array) => [...values])
        .every((value) => value === 0),
    ).toBe(true);
  });
});
