// The contract's edges through the public calls, on every backend: constant channels without ε, batches without weight,
// masked outputs, and a momentum of 1.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormBackward, batchNormInference, batchNormTraining } from "../../src/index.js";
import { usableBackends } from "../support/reference.js";

const SHAPE = [4, 3, 5];
const SIZE = 60;

function ramp(slope = 1): Float32Array {
  return Float32Array.from({ length: SIZE }, (_, i) => ((i * 7) % 11) * slope - 3);
}

describe.each(usableBackends)("%s", (backend) => {
  const dy = ramp(0.25);

  test("a constant channel without ε gives y = β and dx = 0", () => {
    const x = ramp().map((value, i) => (Math.floor(i / 5) % 3 === 1 ? 7 : value));
    const bias = Float32Array.of(1, 2, 3);
    const { output, saved } = batchNormTraining(x, SHAPE, { eps: 0, bias, backend });
    const { gradInput } = batchNormBackward(dy, saved, { backend });
    const fixed = { eps: 0, bias, runningMean: new Float32Array(3), runningVar: new Float32Array(3), backend };
    const inference = batchNormInference(x, SHAPE, { ...fixed, save: true });
    const frozen = batchNormBackward(dy, inference.saved, { backend });
    for (let i = 0; i < SIZE; i++) {
      const c = Math.floor(i / 5) % 3;
      expect(inference.output[i]).toBe(bias[c]);
      expect(frozen.gradInput[i]).toBeCloseTo(0, 300);
      expect(output[i]).not.toBeNaN();
      if (c !== 1) continue;
      expect(output[i]).toBe(2);
      expect(gradInput[i]).toBeCloseTo(0, 300);
    }
  });

  test("masked outputs, their gradients and those of the residual are +0, whatever stands there", () => {
    const mask = Uint8Array.of(1, 0, 1, 0);
    const isMasked = (i: number): boolean => mask[Math.floor(i / 15)] === 0;
    const spoil = (data: Float32Array, values: readonly number[]): Float32Array =>
      data.map((value, i) => (isMasked(i) ? values[i % values.length]! : value));
    const x = spoil(ramp(), [NaN, Infinity, -Infinity]);
    // A channel whose statistics are not finite either.
    x[0] = NaN;
    const options = { weight: Float32Array.of(1, -2, 3), mask, maskedOutput: "zero", backend } as const;
    for (const activation of ["none", { type: "leaky-relu", slope: 0.1 }] as const) {
      const { output, saved } = batchNormTraining(x, SHAPE, { ...options, residual: ramp(), activation });
      const { gradInput, gradResidual } = batchNormBackward(spoil(dy, [NaN, -1]), saved, { backend });
      for (let i = 0; i < SIZE; i++) {
        if (!isMasked(i)) continue;
        for (const array of [output, gradInput, gradResidual!]) expect(Object.is(array[i], 0)).toBe(true);
      }
      // Channel 1 of the first sample is an ordinary one.
      expect(gradInput[5]).not.toBeNaN();
    }
  });

  test("a momentum of 1 replaces, so that statistics that are not finite heal", () => {
    const bn = new BatchNorm(3, { momentum: 1, backend });
    bn.runningMean!.fill(NaN);
    bn.runningVar!.fill(Infinity);
    bn.forward(ramp(), SHAPE);
    expect([...bn.runningMean!, ...bn.runningVar!].every(Number.isFinite)).toBe(true);
  });
});

test("a clone keeps the options and modes that its layer has now", () => {
  const bn = new BatchNorm(3, {
    momentum: 0.5,
    activation: { type: "leaky-relu", slope: 0.2 },
    layout: "per-activation",
  });
  bn.momentum = null;
  const copy = bn.clone();
  expect(copy.momentum).toBe(null);
  expect(copy.forward(Float32Array.of(1, 2, 3, 4, 6, 9), [2, 3])).toEqual(
    bn.forward(Float32Array.of(1, 2, 3, 4, 6, 9), [2, 3]),
  );
  expect(() => (bn.momentum = 2)).toThrow('"momentum" expected a number in [0, 1], got 2');
});

test("the cumulative mean of the variance counts the batches that had one", () => {
  const options = { momentum: null, singleValue: "running" } as const;
  const [bn, other] = [new BatchNorm(1, options), new BatchNorm(1, options)];
  const batches = [[5], [1, 3], [7], [2, 8]].map((values) => Float32Array.from(values));
  for (const x of batches) bn.forward(x, [x.length, 1]);
  for (const x of batches.filter(({ length }) => length > 1)) other.forward(x, [x.length, 1]);
  // Unbiased variances are 2 and 18.
  expect(bn.runningVar![0]).toBe(10);
  expect(bn.runningVar).toEqual(other.runningVar);
  expect(bn.runningMean![0]).toBeCloseTo((5 + 2 + 7 + 5) / 4, 6);
  const copy = bn.clone();
  for (const layer of [bn, copy]) layer.forward(Float32Array.of(0, 8), [2, 1]);
  expect(copy.runningVar).toEqual(bn.runningVar);
  expect(bn.runningVar![0]).toBeCloseTo((2 + 18 + 32) / 3, 5);
});
