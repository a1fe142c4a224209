// Layers and functions on 16-bit data: what float32 gives on the same values, rounded once when it is stored.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  backends,
  batchNormBackward,
  batchNormInference,
  batchNormTraining,
  batchNormMoments,
} from "../../src/index.js";
import { narrow, widen } from "../../src/base/storage.js";
import { expectRejected, range, type, TYPE, VALUE, type Loose } from "../support/rejected.js";
import { normals, parameters, sizeOf } from "../support/reference.js";

const TYPES = ["float16", "bfloat16"] as const;
const SHAPES = [
  [6, 4, 33],
  [40, 19],
  [9, 3],
];
const cases = TYPES.flatMap((dtype) => SHAPES.map((shape) => ({ dtype, shape })));

function pair(
  dtype: (typeof TYPES)[number],
  length: number,
  seed: number,
): { bits: Uint16Array; values: Float32Array } {
  const bits = narrow(dtype, normals("float32", length, seed));
  return { bits, values: widen(dtype, bits) };
}

describe.each(cases)("$dtype $shape", ({ dtype, shape }) => {
  const channels = shape[1]!;
  const x = pair(dtype, sizeOf(shape), 1);
  const dy = pair(dtype, sizeOf(shape), 2);
  const residual = pair(dtype, sizeOf(shape), 3);

  function layers(): { layer: BatchNorm<typeof dtype>; reference: BatchNorm } {
    const layer = new BatchNorm(channels, { dtype });
    const reference = new BatchNorm(channels);
    for (const { weight, bias } of [layer, reference]) {
      weight!.set(parameters("float32", channels, 0.5));
      bias!.set(parameters("float32", channels, 0.1));
    }
    return { layer, reference };
  }

  test("training, backward and inference of a layer", () => {
    const { layer, reference } = layers();
    const y = layer.forward(x.bits, shape, { residual: residual.bits });
    expect(y).toEqual(narrow(dtype, reference.forward(x.values, shape, { residual: residual.values })));
    const got = layer.backward(dy.bits);
    const want = reference.backward(dy.values);
    expect(got.gradInput).toEqual(narrow(dtype, want.gradInput));
    expect(got.gradResidual).toEqual(dy.bits);
    expect([got.gradWeight, got.gradBias]).toEqual([want.gradWeight, want.gradBias]);
    expect(layer.stateDict()).toEqual(reference.stateDict());
    const out = x.bits.slice();
    expect(layer.eval().forward(out, shape, { out })).toBe(out);
    expect(out).toEqual(narrow(dtype, reference.eval().forward(x.values, shape)));
    expect(layer.clone().stateDict()).toEqual(layer.stateDict());
  });

  test("the same bits on every backend, in place", () => {
    const results = backends()
      .filter(({ status, lacks }) => (status === "in use" || status === "available") && !lacks)
      .map(({ name: backend }) => {
        const layer = new BatchNorm(channels, { dtype, backend, activation: { type: "leaky-relu" } });
        const y = layer.forward(x.bits, shape, { save: "output" });
        const gradients = layer.backward(dy.bits, { out: y });
        return { running: layer.runningVar, ...gradients };
      });
    expect(results.length).toBeGreaterThan(1);
    for (const result of results) expect(result).toEqual(results[0]);
  });

  test("the stateless functions", () => {
    const runningMean = parameters("float32", channels, 0.5);
    const runningVar = new Float32Array(channels).fill(2);
    const { output, saved, moments: own } = batchNormTraining(x.bits, shape, { dtype });
    const want = batchNormTraining(x.values, shape);
    expect(output).toEqual(narrow(dtype, want.output));
    expect(own).toEqual(want.moments);
    expect(batchNormMoments(x.bits, shape, { dtype })).toEqual(own);
    const { gradInput, gradWeight } = batchNormBackward(dy.bits, saved);
    const expected = batchNormBackward(dy.values, want.saved);
    expect([gradInput, gradWeight]).toEqual([narrow(dtype, expected.gradInput), expected.gradWeight]);
    const fixed = { runningMean, runningVar };
    expect(batchNormInference({ data: x.bits, shape }, { dtype, ...fixed }).output).toEqual({
      data: narrow(dtype, batchNormInference(x.values, shape, fixed).output),
      shape,
    });
  });
});

// y is 2^-26 where it is stored as 0: what is stored is what the mask is made of.
test.each(["relu", { type: "leaky-relu", slope: 0.5 }] as const)(
  "%o: an output stored as 0 is no active one",
  (activation) => {
    const layer = new BatchNorm(1, { dtype: "float16", activation, eps: 0 });
    layer.runningMean!.fill(0);
    layer.runningVar!.fill(1);
    layer.weight!.fill(2 ** -25);
    layer.eval();
    const x = narrow("float16", Float32Array.of(0.5, 2, 4, -1));
    const y = layer.forward(x, [4, 1], { save: true });
    expect([...widen("float16", y as Uint16Array)].map((value) => value > 0)).toEqual([false, true, true, false]);
    const ones = narrow("float16", new Float32Array(4).fill(1));
    layer.weight!.fill(1);
    const g = layer.backward(ones).gradBias![0]!;
    expect(g).toBe(activation === "relu" ? 2 : 3);
  },
);

// All ones but for the sign: what rounding adds must not make it a zero. From a parameter, since no 16-bit element holds it.
test.each(TYPES)("%s: a NaN stays one, whatever its bits, on every backend", (dtype) => {
  const inner = 40;
  const patterns = Uint32Array.of(0x7fffffff, 0xffffffff, 0x7fff8000, 0xffff7fff, 0x7fc00000, 0x7f800001);
  const x = new Uint16Array(patterns.length * inner);
  for (const { name: backend, status, lacks } of backends()) {
    if (!["in use", "available"].includes(status) || lacks) continue;
    const layer = new BatchNorm(patterns.length, { dtype, backend }).eval();
    layer.bias!.set(new Float32Array(patterns.buffer));
    const y = layer.forward(x, [1, patterns.length, inner]);
    expect(widen(dtype, y as Uint16Array).every(Number.isNaN), backend).toBe(true);
  }
});

describe("refused", () => {
  const bits = new Uint16Array(24);
  const shape = [2, 3, 4];

  test("a Uint16Array without a type, and types that an array is not of", () => {
    const loose = batchNormTraining as Loose;
    expectRejected(
      () => loose(bits, shape),
      [bits],
      type(TYPE, '"dtype" expected "float16" or "bfloat16", which a Uint16Array does not say itself, got undefined'),
    );
    const of16 = '"dtype" expected one of "float16", "bfloat16", got "float32"';
    expectRejected(() => loose(bits, shape, { dtype: "float32" }), [bits], range(VALUE, of16));
    const of32 = '"dtype" expected one of "float32", got "float16"';
    const floats = new Float32Array(24);
    expectRejected(() => loose(floats, shape, { dtype: "float16" }), [floats], range(VALUE, of32));
  });

  test("other arrays than the layer's type", () => {
    const layer = new BatchNorm(3, { dtype: "bfloat16" });
    const wrong = type(TYPE, '"x" expected a Uint16Array, got a Float32Array');
    expectRejected(() => layer.forward(new Float32Array(24) as unknown as Uint16Array, shape), [layer], wrong);
    layer.forward(bits, shape);
    const accumulate = { gradWeight: bits.subarray(3) as unknown as Float32Array, gradBias: null };
    const parameter = type(TYPE, '"accumulate.gradWeight" expected a Float32Array, got a Uint16Array');
    expectRejected(() => layer.backward(bits.slice(), { accumulate }), [layer], parameter);
  });
});

const { Float16Array } = globalThis as { Float16Array?: new (values: Iterable<number>) => Uint16Array };
test.skipIf(!Float16Array)("a Float16Array comes back as one, gradients too", () => {
  const x = new Float16Array!(normals("float32", 24, 1)) as never;
  const layer = new BatchNorm(3, { dtype: "float16" });
  const y = layer.forward(x, [2, 3, 4]);
  const bits = layer.forward(new Uint16Array((x as Uint16Array).buffer), [2, 3, 4]) as Uint16Array;
  expect(Object.prototype.toString.call(y)).toBe("[object Float16Array]");
  expect(new Uint16Array((y as Uint16Array).buffer)).toEqual(bits);
  expect(layer.forward(x, [2, 3, 4], { out: y })).toBe(y);
  expect(Object.prototype.toString.call(layer.backward(x).gradInput)).toBe("[object Float16Array]");
  expect(Object.prototype.toString.call(batchNormTraining(x, [2, 3, 4]).output)).toBe("[object Float16Array]");
});
