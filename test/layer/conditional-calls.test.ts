// Conditional batch normalization with virtual batches, in place, without a layer, at the edges, and refused.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  mergeMoments,
  type Saved,
} from "../../src/index.js";
import type { DType } from "../../src/base/types.js";
import {
  expectNear,
  inputsOf,
  layerOf,
  optionsOf,
  pass,
  shapeOf,
  sizeOf,
  values,
  type Problem,
} from "../support/conditional.js";
import { ALIAS, OPTION, SAVED, SHAPE, TYPE, expectRejected, range, type, type Loose } from "../support/rejected.js";

const PROBLEM: Problem = {
  samples: 6,
  channels: 3,
  rest: 5,
  last: false,
  given: "both",
  weighting: "none",
  zeroed: false,
  activation: "relu",
  residual: true,
  mode: "training",
};
const SHAPE_OF = shapeOf(PROBLEM);

describe("virtual batches", () => {
  test.each(["contiguous", "interleaved"] as const)("%s: one call for each", (virtualBatches) => {
    for (const given of ["both", "weight", "bias"] as const) {
      const problem = { ...PROBLEM, given, samples: 7 };
      const inputs = inputsOf(problem);
      const [cut, one] = [layerOf(problem, inputs, { virtualBatchSize: 3, virtualBatches }), layerOf(problem, inputs)];
      const groups = [0, 1, 2].map((g) =>
        [0, 1, 2, 3, 4, 5, 6].filter((i) => (virtualBatches === "contiguous" ? Math.floor(i / 3) : i % 3) === g),
      );
      const whole = pass(cut, shapeOf(problem), inputs.x, inputs.dy, optionsOf(problem, inputs));
      const totals = { gradWeight: new Float64Array(3), gradBias: new Float64Array(3) };
      for (const group of groups) {
        const pick = (data: Float64Array, each: number): Float64Array =>
          Float64Array.from(group.flatMap((i) => [...data.subarray(i * each, (i + 1) * each)]));
        const own = {
          ...inputs,
          residual: pick(inputs.residual!, 15),
          weight: pick(inputs.weight, 3),
          bias: pick(inputs.bias, 3),
        };
        const part = pass(one, [group.length, 3, 5], pick(inputs.x, 15), pick(inputs.dy, 15), optionsOf(problem, own));
        expect(part.y).toEqual(pick(whole.y as Float64Array, 15));
        expect(part.gradInput).toEqual(pick(whole.gradInput as Float64Array, 15));
        expect(part.gradResidual).toEqual(pick(whole.gradResidual as Float64Array, 15));
        for (const name of ["gradWeight", "gradBias"] as const)
          if (given === "both" || name.toLowerCase().endsWith(given))
            expect(part[name]).toEqual(pick(whole[name] as Float64Array, 3));
          else part[name]!.forEach((value, c) => (totals[name][c]! += value));
      }
      if (given === "weight") expect(whole.gradBias).toEqual(totals.gradBias);
      if (given === "bias") expect(whole.gradWeight).toEqual(totals.gradWeight);
    }
  });
});

describe("memory and what is asked for", () => {
  const inputs = inputsOf(PROBLEM);
  const options = optionsOf(PROBLEM, inputs);
  const expected = pass(layerOf(PROBLEM, inputs), SHAPE_OF, inputs.x, inputs.dy, options);
  const forwarded = (x = inputs.x): BatchNorm<DType> => {
    const layer = layerOf(PROBLEM, inputs);
    (layer.forward as Loose).call(layer, x, SHAPE_OF, options);
    return layer;
  };

  test("outputs in place", () => {
    const layer = layerOf(PROBLEM, inputs);
    const x = inputs.x.slice();
    expect((layer.forward as Loose).call(layer, x, SHAPE_OF, { ...options, out: x, save: false })).toBe(x);
    expect(x).toEqual(expected.y);
    const residual = inputs.residual!.slice();
    (layer.forward as Loose).call(layer, inputs.x, SHAPE_OF, { ...options, residual, out: residual });
    expect(residual).toEqual(expected.y);
    // The output took the place of the residual, so the backward reads the mask off it.
    expect((layer.backward as Loose).call(layer, inputs.dy)).toEqual({ ...expected, y: undefined });
  });

  test("gradients in place of gradOutput and of x", () => {
    const dy = inputs.dy.slice();
    forwarded().backward(dy as never, { out: dy as never });
    expect(dy).toEqual(expected.gradInput);
    const x = inputs.x.slice();
    forwarded(x).backward(inputs.dy as never, { out: x as never });
    expect(x).toEqual(expected.gradInput);
  });

  test("each gradient alone has the bits that it has with all", () => {
    for (const mode of ["training", "eval"] as const) {
      const problem = { ...PROBLEM, mode };
      const all = pass(layerOf(problem, inputs), SHAPE_OF, inputs.x, inputs.dy, options);
      for (const name of ["input", "weight", "bias", "residual"] as const) {
        const layer = layerOf(problem, inputs);
        (layer.forward as Loose).call(layer, inputs.x, SHAPE_OF, options);
        const need = { input: false, weight: false, bias: false, residual: false, [name]: true };
        const got = layer.backward(inputs.dy as never, { need });
        const key = `grad${name[0]!.toUpperCase()}${name.slice(1)}` as keyof typeof got;
        expect(got[key]).toEqual(all[key]);
        expect(Object.values(got).filter((value) => value)).toHaveLength(1);
      }
    }
  });

  test("accumulated gradients have the length of the tables", () => {
    const { gradWeight, gradBias } = forwarded().backward(inputs.dy as never, {
      accumulate: { gradWeight: expected.gradWeight!.slice(), gradBias: expected.gradBias!.slice() },
    });
    expect(gradWeight).toEqual(expected.gradWeight!.map((value) => value + value));
    expect(gradBias).toEqual(expected.gradBias!.map((value) => value + value));
    expectRejected(
      () =>
        forwarded().backward(inputs.dy as never, {
          accumulate: { gradWeight: new Float64Array(3), gradBias: null },
        }),
      [],
      range(SHAPE, '"accumulate.gradWeight" expected length 18, got 3'),
    );
  });

  test("the tables are copied: they may change before the backward", () => {
    const weight = inputs.weight.slice();
    const layer = layerOf(PROBLEM, inputs);
    (layer.forward as Loose).call(layer, inputs.x, SHAPE_OF, { ...options, weight });
    weight.fill(9);
    expect((layer.backward as Loose).call(layer, inputs.dy)).toEqual({ ...expected, y: undefined });
    expect(layer.weight).toEqual(inputs.own.weight);
  });

  test("a layer without parameters, and updates that wait", () => {
    const layer = new BatchNorm(3, { dtype: "float64", affine: false, activation: "relu" });
    layer.forward(inputs.x, SHAPE_OF, { ...options, updateRunningStats: "later" } as object);
    expect(layer.numBatchesTracked).toBe(0);
    layer.commit(layer.saved!);
    expect(layer.numBatchesTracked).toBe(1);
    expect((layer.backward as Loose).call(layer, inputs.dy)).toEqual({ ...expected, y: undefined });
    layer.forward(inputs.x, SHAPE_OF, { weight: inputs.weight });
    const { gradWeight, gradBias } = layer.backward(inputs.dy);
    expect([gradWeight!.length, gradBias]).toEqual([18, null]);
  });
});

describe("functions", () => {
  const problem = { ...PROBLEM, activation: "none" as const, residual: false };
  const inputs = inputsOf(problem);
  const { weight, bias, x, dy } = inputs;
  const expected = pass(layerOf(problem, inputs), SHAPE_OF, x, dy, { weight, bias });

  test("they have the bits of the layer", () => {
    const { output, saved } = batchNormTraining(x, SHAPE_OF, { weight, bias });
    expect({ y: output, ...batchNormBackward(dy, saved) }).toEqual(expected);
    const { mean, variance } = inputs.running;
    const running = { runningMean: mean, runningVar: variance };
    const inference = batchNormInference(x, SHAPE_OF, { weight, bias, ...running, save: true });
    const frozen = pass(layerOf({ ...problem, mode: "eval" }, inputs), SHAPE_OF, x, dy, { weight, bias, save: true });
    expect({ y: inference.output, ...batchNormBackward(dy, inference.saved) }).toEqual(frozen);
  });

  test("the parts of a backward have the bits of the whole", () => {
    const { saved } = batchNormTraining(x, SHAPE_OF, { weight, bias });
    const sums = batchNormGradSums(dy, saved);
    const { gradInput } = batchNormGradInput(dy, saved, batchNormGradCoefficients(saved, sums));
    expect({ ...expected, gradInput, gradWeight: sums.gradWeight, gradBias: sums.gradBias }).toEqual(expected);
  });

  test("the moments of several parts: their sums are those of the whole", () => {
    const halves = [0, 1].map((half) => {
      const part = (data: Float64Array): Float64Array =>
        data.slice((half * data.length) / 2, ((half + 1) * data.length) / 2);
      return { x: part(x), dy: part(dy), weight: part(weight), bias: part(bias) };
    });
    const shape = [3, 3, 5];
    const moments = halves.map((half) => batchNormMoments(half.x, shape)).reduce(mergeMoments);
    const tokens = halves.map((half) => {
      const { x, weight, bias } = half;
      return batchNormTraining(x, shape, { weight, bias, moments });
    });
    const sums = tokens.map(({ saved }, i) => batchNormGradSums(halves[i]!.dy, saved));
    const add = (name: "sumG" | "sumGX"): Float64Array => sums[0]![name].map((value, c) => value + sums[1]![name][c]!);
    const all = { sumG: add("sumG"), sumGX: add("sumGX") };
    const inputGradients = tokens.flatMap(({ saved }, i) => [
      ...batchNormGradInput(halves[i]!.dy, saved, batchNormGradCoefficients(saved, all)).gradInput,
    ]);
    expectNear(inputGradients, expected.gradInput, 1e-10);
    expectNear([...sums[0]!.gradWeight!, ...sums[1]!.gradWeight!], expected.gradWeight!, 1e-10);
  });
});

describe("edges", () => {
  test("one sample is plain batch normalization with that row", () => {
    const problem = { ...PROBLEM, samples: 1, residual: false };
    const inputs = inputsOf(problem);
    const got = pass(layerOf(problem, inputs), [1, 3, 5], inputs.x, inputs.dy, optionsOf(problem, inputs));
    const plain = pass(
      layerOf(problem, { ...inputs, own: { weight: inputs.weight, bias: inputs.bias } }),
      [1, 3, 5],
      inputs.x,
      inputs.dy,
      {},
    );
    expect(got.y).toEqual(plain.y);
    expectNear(got.gradInput, plain.gradInput, 1e-12);
    expectNear(got.gradWeight!, plain.gradWeight!, 1e-12);
  });

  test("a γ of 0 lets the gradient of other samples through", () => {
    const inputs = inputsOf(PROBLEM);
    const weight = inputs.weight.slice();
    weight.fill(0, 0, 3);
    const problem = { ...PROBLEM, residual: false, activation: "none" as const };
    const got = pass(layerOf(problem, inputs), SHAPE_OF, inputs.x, inputs.dy, { weight });
    expect(
      (got.gradInput as Float64Array).subarray(0, 15).every((value) => value !== 0 && Number.isFinite(value)),
    ).toBe(true);
  });

  test("batches without elements", () => {
    for (const [shape, length] of [
      [[0, 3, 5], 0],
      [[4, 3, 0], 12],
    ] as const) {
      const layer = new BatchNorm(3, { dtype: "float64" });
      const weight = new Float64Array(length).fill(2);
      expect(layer.forward(new Float64Array(0), shape, { weight })).toEqual(new Float64Array(0));
      expect(layer.numBatchesTracked).toBe(0);
      const token = layer.saved!;
      const sums = batchNormGradSums(new Float64Array(0), token);
      expect([sums.sumG.length, sums.gradWeight!.length]).toEqual([3, length]);
      const { gradInput, gradWeight, gradBias } = layer.backward(new Float64Array(0));
      expect([gradInput.length, gradWeight, gradBias!.length]).toEqual([0, new Float64Array(length), 3]);
    }
  });

  test("NaN in the tables of a sample stays in that sample's output", () => {
    const inputs = inputsOf(PROBLEM);
    const weight = inputs.weight.slice();
    weight[4] = NaN;
    const { y } = pass(layerOf(PROBLEM, inputs), SHAPE_OF, inputs.x, inputs.dy, { weight });
    const bad = [...(y as Float64Array)].flatMap((value, at) => (Number.isNaN(value) ? [at] : []));
    expect(bad).toEqual([20, 21, 22, 23, 24]);
  });

  test("per-activation layout, and channels behind a further axis", () => {
    const x = values(4 * 6);
    const weight = values(24);
    const { output } = batchNormTraining(x, [4, 6], { layout: "per-activation", weight });
    const plain = batchNormTraining(x, [4, 6], { layout: "per-activation" }).output;
    expectNear(
      output,
      plain.map((value, at) => value * weight[at]!),
      1e-12,
    );
    const deep = values(2 * 3 * 4);
    const rows = values(8);
    const got = batchNormTraining(deep, [2, 3, 4], { axis: 2, weight: rows }).output;
    const without = batchNormTraining(deep, [2, 3, 4], { axis: 2 }).output;
    expectNear(
      got,
      without.map((value, at) => value * rows[Math.floor(at / 12) * 4 + (at % 4)]!),
      1e-12,
    );
  });
});

describe("refused", () => {
  const x = values(sizeOf(SHAPE_OF));
  const weight = values(18);
  const layer = new BatchNorm(3, { dtype: "float64" });
  const forward =
    (options: object, shape: readonly number[] = SHAPE_OF) =>
    (): unknown =>
      (layer.forward as Loose).call(layer, x, shape, options);

  test("tables of the wrong kind or length", () => {
    expectRejected(
      forward({ weight: new Float64Array(3) }),
      [layer, x],
      range(SHAPE, '"weight" expected length 18 (samples × channels), got 3'),
    );
    expectRejected(
      forward({ bias: new Float64Array(90) }),
      [layer, x],
      range(SHAPE, '"bias" expected length 18 (samples × channels), got 90'),
    );
    expectRejected(
      forward({ weight: Float32Array.from(weight) }),
      [layer, x],
      type(TYPE, '"weight" expected a Float64Array, got a Float32Array'),
    );
    expectRejected(forward({ weight: true }), [layer, x], type(TYPE, '"weight" expected a Float64Array, got true'));
    const functional = (): unknown => batchNormTraining(x, SHAPE_OF, { weight: new Float64Array(4) });
    const message = '"weight" expected length 3 (channels) or 18 (samples × channels), got 4';
    expectRejected(functional, [x], range(SHAPE, message));
  });

  test("channels at the first axis, an output that is saved, an output over a table", () => {
    const first = new BatchNorm(6, { dtype: "float64", axis: 0 });
    expectRejected(
      () => first.forward(x, SHAPE_OF, { weight }),
      [first, x],
      range(OPTION, 'a "weight" for each sample needs samples at the first axis of [6, 3, 5], not channels'),
    );
    expectRejected(
      forward({ bias: weight, save: "output" }),
      [layer, x],
      range(OPTION, '"save" "output" and a "bias" for each sample exclude each other'),
    );
    const square = values(9);
    expectRejected(
      () => new BatchNorm(3, { dtype: "float64" }).forward(values(9), [3, 3], { weight: square, out: square }),
      [square],
      range(ALIAS, '"out" must not be "weight"'),
    );
  });

  test("a double backward", () => {
    const { saved } = batchNormTraining(x, SHAPE_OF, { weight });
    const message = '"saved" expected a forward whose γ and β are the same for all samples';
    const call = (): unknown => batchNormDoubleBackward(saved, x, { gradGradInput: x });
    expectRejected(call, [x], range(SAVED, message));
  });

  test("forged tokens", () => {
    const { saved } = batchNormTraining(x, SHAPE_OF, { weight });
    const tables = saved.conditional!;
    const forged =
      (conditional: unknown, more: object = {}) =>
      (): unknown =>
        batchNormBackward(x, { ...saved, conditional, ...more } as Saved<"float64">);
    const unfit = range(SAVED, '"saved.conditional" does not fit the token that it is in');
    expectRejected(forged(tables, { shape: [45, 2] }), [x], unfit);
    expectRejected(forged(tables, { xIsOutput: true }), [x], unfit);
    expectRejected(
      forged({ ...tables, weight: new Float64Array(3) }),
      [x],
      range(SHAPE, '"saved.conditional.weight" expected length 18, got 3'),
    );
    expectRejected(
      forged({ ...tables, hasBias: 1 }),
      [x],
      type(TYPE, '"saved.conditional.hasBias" expected a boolean, got 1'),
    );
    expectRejected(forged(1), [x], type(TYPE, '"saved.conditional" expected an object, got 1'));
    expect(batchNormBackward(x, structuredClone(saved)).gradWeight).toHaveLength(18);
    const cut = new BatchNorm(3, { dtype: "float64", virtualBatchSize: 2 });
    cut.forward(x, SHAPE_OF, { weight });
    const token = cut.saved!;
    const [first, ...others] = token.virtualBatches!;
    const mixed = { ...token, virtualBatches: [{ ...first!, conditional: null }, ...others] };
    const alike = range(SAVED, '"saved.virtualBatches" do not fit the token that they are in');
    expectRejected(() => batchNormBackward(x, mixed), [x], alike);
  });
});

test("memory of a layer with reuse", () => {
  const inputs = inputsOf(PROBLEM);
  const options = optionsOf(PROBLEM, inputs);
  const [fresh, reused] = [layerOf(PROBLEM, inputs), layerOf(PROBLEM, inputs, { reuse: true })];
  for (let step = 0; step < 3; step++)
    expect(pass(reused, SHAPE_OF, inputs.x, inputs.dy, options)).toEqual(
      pass(fresh, SHAPE_OF, inputs.x, inputs.dy, options),
    );
});
