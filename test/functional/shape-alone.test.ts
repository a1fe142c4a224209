// Tensors without elements: a shape that names many channels costs no memory but what the result has, and the results
// are those of no values.
import { describe, expect, test } from "vitest";
import {
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
} from "../../src/index.js";
import { errorOf } from "../support/rejected.js";

const NONE = new Float32Array(0);
const CHANNELS = 1_000_000;
/** Bytes for objects and for what the engine needs. */
const SLACK = 100_000;

/** Bytes of array buffers that a call allocates. A garbage collection meanwhile can only make it fewer. */
function allocatedBy(call: () => unknown): number {
  call();
  const before = process.memoryUsage().arrayBuffers;
  const result = call();
  const bytes = process.memoryUsage().arrayBuffers - before;
  expect(result).toBeDefined();
  return bytes;
}

describe("what a call on [0, 1 000 000] allocates", () => {
  const shape = [0, CHANNELS];
  const tables = new Float32Array(CHANNELS).fill(2);
  const statistics = { runningMean: tables, runningVar: tables };
  const { saved } = batchNormTraining(NONE, shape);
  const withWeight = batchNormTraining(NONE, shape, { weight: tables, bias: tables }).saved;
  const zeros = { sumG: new Float64Array(CHANNELS), sumGX: new Float64Array(CHANNELS) };
  /** A token that was not used, without a copy of its tables. */
  const unused = (token: typeof saved): typeof saved => ({ ...token, life: new Uint8Array(1) });

  test.each<[string, () => unknown, number]>([
    ["moments: two tables", () => batchNormMoments(NONE, shape), 16],
    ["moments of a shape with 0 further behind", () => batchNormMoments(NONE, [4, CHANNELS, 0, 5]), 16],
    ["inference: nothing", () => batchNormInference(NONE, shape, { ...statistics, weight: tables }), 0],
    ["inference with a token: four tables", () => batchNormInference(NONE, shape, { ...statistics, save: true }), 32],
    ["training without a token: the moments", () => batchNormTraining(NONE, shape, { save: false }), 16],
    ["training with a token: the moments and four tables", () => batchNormTraining(NONE, shape), 48],
    ["backward: nothing", () => batchNormBackward(NONE, unused(saved)), 0],
    ["backward: two gradients of parameters", () => batchNormBackward(NONE, unused(withWeight)), 8],
    ["sums: two tables", () => batchNormGradSums(NONE, saved), 16],
    ["coefficients: three tables", () => batchNormGradCoefficients(saved, zeros), 24],
    [
      "gradient of the input from coefficients: nothing",
      () =>
        batchNormGradInput(NONE, unused(saved), {
          gradShift: zeros.sumG,
          gradSlope: zeros.sumG,
          gradScale: zeros.sumG,
        }),
      0,
    ],
    ["double backward: a table", () => batchNormDoubleBackward(saved, NONE, { gradGradInput: NONE }), 8],
  ])("%s", (_, call, bytesPerChannel) => {
    expect(allocatedBy(call)).toBeLessThan(bytesPerChannel * CHANNELS + SLACK);
  });

  test.each([[[1e9, 1e9, 0]], [[0, 2 ** 24 + 1]], [[0, 2 ** 50]]])(
    "results for the channels of %j are refused",
    (huge) => {
      for (const call of [() => batchNormMoments(NONE, huge), () => batchNormTraining(NONE, huge)]) {
        const bytes = allocatedBy(() =>
          expect(errorOf(call)).toMatchObject({
            name: "RangeError",
            code: "ERR_BATCHNORM_MEMORY",
            message: `"shape" expected at most 16777216 channels in a tensor without elements, got [${huge.join(", ")}]`,
          }),
        );
        expect(bytes).toBeLessThan(SLACK);
      }
    },
  );
});

describe("their results", () => {
  const x = Float32Array.from({ length: 24 }, (_, i) => ((i * 7) % 11) - 4);
  const weight = Float32Array.of(2, -3, 0.5);
  const bias = Float32Array.of(1, 0, -1);

  test("moments of no values are 0, and the token has what the forward was given", () => {
    const { output, moments, saved } = batchNormTraining(NONE, [0, 3], { weight, bias });
    expect(output).toHaveLength(0);
    const zeros = new Float64Array(3);
    expect(moments).toEqual({ count: 0, sumSquaredWeights: 0, mean: zeros, m2: zeros });
    expect(saved).toMatchObject({ count: 0, fixedStatistics: false, mean: zeros, invStd: zeros });
    expect([saved.weight, saved.bias]).toEqual([Float64Array.from(weight), Float64Array.from(bias)]);
    expect(batchNormBackward(NONE, saved)).toEqual({
      gradInput: NONE,
      gradWeight: new Float32Array(3),
      gradBias: new Float32Array(3),
    });
    const bare = batchNormTraining(NONE, [0, 3]).saved;
    expect([bare.weight, bare.bias]).toEqual([Float64Array.of(1, 1, 1), zeros]);
  });

  test.each(["native", "wasm", "oracle"] as const)("a part without elements has the merged statistics: %s", (name) => {
    const whole = batchNormMoments(x, [8, 3]);
    const merged = mergeMoments(whole, batchNormMoments(NONE, [0, 3]));
    expect(merged).toEqual(whole);
    let options = { weight, bias, moments: merged, backend: name };
    if (errorOf(() => batchNormMoments(x, [8, 3], { backend: name }))) options = { ...options, backend: "oracle" };
    const part = batchNormTraining(NONE, [0, 3], options);
    const full = batchNormTraining(x, [8, 3], options);
    expect(part.moments).toEqual(full.moments);
    expect(part.moments.mean).not.toBe(merged.mean);
    const names = ["count", "mean", "invStd", "weight", "bias"] as const;
    for (const key of names) expect(part.saved[key], key).toEqual(full.saved[key]);
    const sums = batchNormGradSums(
      x.map((value) => value / 2),
      full.saved,
    );
    const expected = batchNormGradCoefficients(full.saved, sums);
    expect(batchNormGradCoefficients(part.saved, sums)).toEqual(expected);
    expect(batchNormGradSums(NONE, part.saved)).toMatchObject({
      sumG: new Float64Array(3),
      sumGX: new Float64Array(3),
      gradWeight: new Float32Array(3),
    });
  });

  test("inference keeps the running statistics", () => {
    const runningMean = Float32Array.of(1, 2, 3);
    const runningVar = Float32Array.of(4, 0, 0.25);
    const options = { runningMean, runningVar, weight, save: true, eps: 0 };
    const part = batchNormInference(NONE, [0, 3], options).saved!;
    const full = batchNormInference(x, [8, 3], options).saved!;
    expect(part).toMatchObject({ fixedStatistics: true, mean: full.mean, invStd: full.invStd, weight: full.weight });
    expect([...part.invStd]).toEqual([0.5, 0, 2]);
  });

  test("coefficients of a saved output are those that the backward uses", () => {
    const options = { weight, bias, save: "output" } as const;
    const dy = x.map((value, i) => value * ((i % 5) - 2));
    const saved = batchNormTraining(x, [8, 3], options).saved;
    const { gradInput } = batchNormBackward(dy, structuredClone(saved));
    const coefficients = batchNormGradCoefficients(saved, batchNormGradSums(dy, saved));
    expect(batchNormGradInput(dy, saved, coefficients).gradInput).toEqual(gradInput);
  });
});
