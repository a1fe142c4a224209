// Outputs that share memory with what a call reads per channel or per position, and modes and states that change in between.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
} from "../../src/index.js";
import { variance } from "../../src/math.js";
import { ALIAS, expectRejected, range, SAVED, type, TYPE, VALUE, errorOf } from "../support/rejected.js";

const SHAPE = [1, 4];
const x = Float32Array.of(1, 2, 3, 4);
const alias = (output: string, other: string): ReturnType<typeof range> =>
  range(ALIAS, `"${output}" must not be "${other}"`);

describe("an output in the place of a table", () => {
  test.each(["weight", "bias", "runningMean", "runningVar"] as const)("a layer's %s", (name) => {
    const layer = new BatchNorm(4, { singleValue: "running" });
    expectRejected(() => layer.forward(x, SHAPE, { out: layer[name]! }), [layer, x], alias("out", name));
  });

  test("the parameters and statistics of a call without a layer", () => {
    const weight = Float32Array.of(1, 2, 3, 4);
    const training = (): unknown => batchNormTraining(x, SHAPE, { weight, out: weight });
    expectRejected(training, [weight], alias("out", "weight"));
    const [runningMean, runningVar] = [weight, Float32Array.of(1, 1, 1, 1)];
    const inference = (): unknown => batchNormInference(x, SHAPE, { runningMean, runningVar, out: runningVar });
    expectRejected(inference, [runningMean, runningVar], alias("out", "runningVar"));
    const data = Float64Array.from(x);
    const moments = batchNormMoments(data, SHAPE);
    const given = (): unknown => batchNormTraining(data, SHAPE, { moments, out: moments.mean });
    expectRejected(given, [moments], alias("out", "moments.mean"));
  });

  test("the weights and tables of a token", () => {
    const column = Float32Array.of(1, 2, 3, 5);
    const { saved } = batchNormTraining(column, [4, 1], { sampleWeights: Float32Array.of(1, 2, 3, 4) });
    const out = saved.sampleWeights!;
    expectRejected(() => batchNormBackward(x, saved, { out }), [saved, x], alias("out", "saved.sampleWeights"));
    const fixed = batchNormTraining(Float64Array.from(x), SHAPE).saved;
    const call = (): unknown => batchNormBackward(new Float64Array(4), fixed, { out: fixed.invStd });
    expectRejected(call, [fixed], alias("out", "saved.invStd"));
  });

  test("arrays without elements overlap nothing", () => {
    const memory = new Float32Array(4);
    const output = new BatchNorm(4).forward(memory.subarray(0, 0), [0, 4], { out: memory.subarray(0, 0) });
    expect(output).toHaveLength(0);
  });
});

test("a pending token ends where an evaluation overwrites a part of its x", () => {
  const memory = Float32Array.of(1, 2, 3, 4, 5, 6);
  const layer = new BatchNorm(1);
  layer.forward(memory.subarray(0, 4), [4, 1]);
  layer.eval().forward(Float32Array.of(1, 2, 3, 4), [4, 1], { out: memory.subarray(2, 6) });
  expect(layer.saved).toBeNull();
});

describe("parts that count little", () => {
  test("of weights and of masks are parts", () => {
    const sampleWeights = new Float32Array(4).fill(1e7);
    const small = batchNormMoments(Float32Array.of(1e6), [1, 1], { sampleWeights: Float32Array.of(10) });
    const moments = mergeMoments(batchNormMoments(x, [4, 1], { sampleWeights }), small);
    const { saved } = batchNormTraining(x, [4, 1], { sampleWeights, moments });
    expect(errorOf(() => batchNormBackward(x, saved))).toMatchObject({ code: SAVED });
    const many = new Float32Array(2_000_000);
    const mask = new Uint8Array(2_000_000).fill(1);
    const one = batchNormMoments(x.subarray(0, 1), [1, 1]);
    const merged = mergeMoments(batchNormMoments(many, [2_000_000, 1], { mask }), one);
    expect(batchNormTraining(many, [2_000_000, 1], { mask, moments: merged }).saved.isPart).toBe(true);
  });
});

test("moments of data that are NaN or infinite can be merged and used; others cannot be NaN", () => {
  const moments = batchNormMoments(Float32Array.of(NaN, 1, Infinity, 2), [2, 2]);
  const merged = mergeMoments(moments, moments);
  expect([...variance(merged)]).toEqual([NaN, 0.3333333333333333]);
  expect(batchNormTraining(x, [2, 2], { moments: merged }).output).toHaveLength(4);
  const spoilt = { ...moments, mean: Float64Array.of(0, 0), m2: Float64Array.of(NaN, 0) };
  expectRejected(() => mergeMoments(spoilt, spoilt), [], range(VALUE, '"first.m2[0]" expected a number ≥ 0, got NaN'));
});

test("weights of a list that are lost in the type of the parameters are refused", () => {
  for (const weight of [1e-50, 1e50]) {
    const call = (): unknown => batchNormTraining(x, [4, 1], { sampleWeights: [1, weight, 1, 1] });
    const message = `"sampleWeights[1]" expected a number that float32 can hold, got ${weight}`;
    expectRejected(call, [x], range(VALUE, message));
  }
});

test("a statistic that was taken away from a layer", () => {
  const layer = new BatchNorm(4, { singleValue: "allow" });
  Object.assign(layer, { runningMean: null });
  const out = new Float32Array(4);
  const expected = type(TYPE, '"runningMean" expected a Float32Array, got null');
  expectRejected(() => layer.forward(x, SHAPE, { out }), [out], expected);
});

test("modes are read before the arrays are checked", () => {
  const given = Float32Array.of(1, 2, 3, 4);
  const layer = new Proxy(new BatchNorm(1), {
    get: (target, name) => {
      if (name === "frozen") structuredClone(given, { transfer: [given.buffer] });
      return Reflect.get(target, name) as unknown;
    },
  });
  expect(errorOf(() => layer.forward(given, [4, 1]))).toMatchObject({ code: "ERR_BATCHNORM_DETACHED" });
});
