// Clamp, hard sigmoid, hard swish, squared ReLU and PReLU: in layers and functions, on every backend.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormInference,
  batchNormTraining,
  type Activation,
  type BatchNormOptions,
  type FloatType as DType,
  type Gradients,
} from "../../src/index.js";
import type { Floats } from "../../src/base/types.js";
import { expectSameBits, normals, parameters, sizeOf, tokenOf, usableBackends } from "../support/reference.js";
import { errorOf } from "../support/rejected.js";

const SHAPE = [6, 5, 4, 9];
const SIZE = sizeOf(SHAPE);
const SLOPES = [0.25, -0.5, 0, 2, 1e-3];

const prelu = (dtype: DType, slopes: readonly number[] = SLOPES): Activation => ({
  type: "prelu",
  slope: dtype === "float32" ? Float32Array.from(slopes) : Float64Array.from(slopes),
});

/** What an activation makes of z, and what of dy, in one type: as the documentation says it. */
interface Curve {
  readonly name: string;
  readonly activation: (dtype: DType) => Activation;
  readonly y: (z: number, T: (v: number) => number, c: number) => number;
  readonly g: (dy: number, z: number, T: (v: number) => number, c: number) => number;
}

const CURVES: readonly Curve[] = [
  {
    name: "relu6",
    activation: () => "relu6",
    y: (z) => (z <= 0 ? 0 : z >= 6 ? 6 : z),
    g: (dy, z) => (z <= 0 || z >= 6 ? 0 : dy),
  },
  {
    name: "clamp",
    activation: () => ({ type: "clamp", min: -0.7, max: 0.9 }),
    y: (z, T) => (z <= T(-0.7) ? T(-0.7) : z >= T(0.9) ? T(0.9) : z),
    g: (dy, z, T) => (z <= T(-0.7) || z >= T(0.9) ? 0 : dy),
  },
  {
    name: "hard-sigmoid",
    activation: () => "hard-sigmoid",
    y: (z, T) => (z <= -3 ? 0 : z >= 3 ? 1 : T(T(z + 3) * T(1 / 6))),
    g: (dy, z, T) => (z <= -3 || z >= 3 ? 0 : T(dy * T(1 / 6))),
  },
  {
    name: "hard-swish",
    activation: () => "hard-swish",
    y: (z, T) => (z <= -3 ? 0 : z >= 3 ? z : T(z * T(T(z + 3) * T(1 / 6)))),
    g: (dy, z, T) => (z <= -3 ? 0 : z >= 3 ? dy : T(dy * T(T(z * T(1 / 3)) + 0.5))),
  },
  {
    name: "squared-relu",
    activation: () => "squared-relu",
    y: (z, T) => (z <= 0 ? 0 : T(z * z)),
    g: (dy, z, T) => (z <= 0 ? 0 : T(dy * T(2 * z))),
  },
  {
    name: "prelu",
    activation: (dtype) => prelu(dtype),
    y: (z, T, c) => (z <= 0 ? T(z * T(SLOPES[c]!)) : z),
    g: (dy, z, T, c) => (z <= 0 ? T(dy * T(SLOPES[c]!)) : dy),
  },
];
const channelOf = (p: number): number => Math.floor(p / (SHAPE[2]! * SHAPE[3]!)) % SHAPE[1]!;

function layerOf(dtype: DType, activation: Activation, more: BatchNormOptions<DType> = {}): BatchNorm<DType> {
  const layer = new BatchNorm<DType>(SHAPE[1]!, { dtype, activation, ...more });
  layer.weight!.set(parameters(dtype, SHAPE[1]!, 1.5));
  layer.bias!.set(parameters(dtype, SHAPE[1]!, 0.1));
  return layer;
}

/** Special values in the residual: NaN, infinities, zeros of both signs, and bounds of activations. */
function residualOf(dtype: DType): Floats {
  const residual = normals(dtype, SIZE, 3);
  [NaN, Infinity, -Infinity, -0, 0].forEach((value, i) => {
    for (let p = i; p < SIZE; p += 29) residual[p] = value;
  });
  return residual;
}

const all = CURVES.flatMap((curve) =>
  (["float32", "float64"] as const).flatMap((dtype) =>
    usableBackends.map((backend) => ({ ...curve, curve, dtype, backend })),
  ),
);

describe.each(all)("$name, $dtype, $backend", ({ curve, dtype, backend }) => {
  const T = dtype === "float32" ? Math.fround : (v: number): number => v;
  const x = normals(dtype, SIZE, 1);
  const dy = normals(dtype, SIZE, 2);

  test.each([false, true])("as the layer without it, with the activation behind that; residual %s", (withResidual) => {
    const options = { save: true as const, ...(withResidual && { residual: residualOf(dtype) }) };
    const plain = layerOf(dtype, "none", { backend });
    const z = plain.forward(x, SHAPE, options);
    const layer = layerOf(dtype, curve.activation(dtype), { backend });
    const y = layer.forward(x, SHAPE, options);
    expectSameBits(
      y,
      z.map((value, p) => curve.y(value, T, channelOf(p))),
    );
    const g = dy.map((value, p) => (Number.isNaN(z[p]) ? value : curve.g(value, z[p]!, T, channelOf(p))));
    const want = plain.backward(g);
    const got = layer.backward(dy);
    expectSameBits(got.gradInput, want.gradInput);
    expect([got.gradWeight, got.gradBias]).toEqual([want.gradWeight, want.gradBias]);
    if (withResidual) expectSameBits(got.gradResidual, g);
    expect("gradSlope" in got).toBe(curve.name === "prelu");
    if (curve.name !== "prelu" || withResidual) return;
    const sums = new Float64Array(SHAPE[1]!);
    const scale = new Float64Array(SHAPE[1]!);
    z.forEach((value, p) => {
      if (value <= 0) sums[channelOf(p)]! += value * dy[p]!;
      if (value <= 0) scale[channelOf(p)]! += Math.abs(value * dy[p]!);
    });
    sums.forEach((sum, c) => {
      expect(Math.abs(got.gradSlope![c]! - sum)).toBeLessThan(scale[c]! * (dtype === "float32" ? 1e-6 : 1e-14));
    });
  });
});

test("a name, and an object with it, are the same; a PReLU of constant slopes is a leaky ReLU", () => {
  const x = normals("float32", SIZE, 1);
  const run = (activation: Activation): Floats => layerOf("float32", activation).forward(x, SHAPE);
  for (const type of ["none", "relu", "leaky-relu", "relu6", "hard-sigmoid", "hard-swish", "squared-relu"] as const)
    expectSameBits(run({ type }), run(type));
  expectSameBits(run("relu6"), run({ type: "clamp", max: 6 }));
  expectSameBits(run("leaky-relu"), run({ type: "leaky-relu", slope: 0.01 }));
  expectSameBits(run(prelu("float32", [0.3])), run({ type: "leaky-relu", slope: 0.3 }));
});

describe("finite differences in float64", () => {
  const shape = [4, 3, 5];
  const size = 60;
  const STEP = 1e-5;

  test.each(CURVES)("$name", ({ activation }) => {
    const given = activation("float64");
    const curve = typeof given === "object" && given.type === "prelu" ? prelu("float64", [0.25, -0.5, 2]) : given;
    const slope = (curve as { slope?: Float64Array }).slope ?? new Float64Array(0);
    const [x, dy, residual] = [normals("float64", size, 1), normals("float64", size, 2), normals("float64", size, 3)];
    const weight = parameters("float64", 3, 1.5);
    const bias = parameters("float64", 3, 0.1);
    const options = { weight, bias, residual, activation: curve };
    const loss = (): number => batchNormTraining(x, shape, options).output.reduce((sum, y, p) => sum + y * dy[p]!, 0);
    const grads = batchNormBackward(dy, tokenOf(batchNormTraining(x, shape, options).saved));
    const pairs = [
      [x, grads.gradInput],
      [weight, grads.gradWeight],
      [bias, grads.gradBias],
      [residual, grads.gradResidual],
      [slope, grads.gradSlope ?? slope],
    ] as const;
    for (const [array, gradient] of pairs) {
      for (let i = 0; i < array.length; i++) {
        const value = array[i]!;
        array[i] = value + STEP;
        const above = loss();
        array[i] = value - STEP;
        const below = loss();
        array[i] = value;
        expect(Math.abs((above - below) / (2 * STEP) - gradient![i]!)).toBeLessThan(
          1e-6 * (1 + Math.abs(gradient![i]!)),
        );
      }
    }
  });
});

describe("PReLU", () => {
  const x = normals("float32", SIZE, 1);
  const dy = normals("float32", SIZE, 2);
  const slope = Float32Array.from(SLOPES);
  const whole = (): Gradients<"float32"> => {
    const layer = layerOf("float32", { type: "prelu", slope });
    layer.forward(x, SHAPE);
    return layer.backward(dy) as Gradients<"float32">;
  };

  test("every forward reads the slopes, and its backward has those of the forward", () => {
    const own = slope.slice();
    const layer = layerOf("float32", { type: "prelu", slope: own });
    layer.forward(x, SHAPE);
    own.fill(7);
    expect(layer.backward(dy)).toEqual(whole());
    expectSameBits(layer.forward(x, SHAPE), layerOf("float32", prelu("float32", [7])).forward(x, SHAPE));
  });

  test("need and accumulate", () => {
    const layer = layerOf("float32", { type: "prelu", slope });
    layer.forward(x, SHAPE);
    const copy = structuredClone(tokenOf(layer.saved));
    expect(layer.backward(dy, { need: { slope: false } })).not.toHaveProperty("gradSlope");
    const first = batchNormBackward(dy, copy);
    expect(first).toEqual(whole());
    layer.forward(x, SHAPE);
    const { gradSlope } = layer.backward(dy, { accumulate: first, need: { input: false } });
    expect(gradSlope).toBe(first.gradSlope);
    expectSameBits(
      gradSlope,
      whole().gradSlope!.map((value) => 2 * value),
    );
  });

  test("gradInput in the place of x or of gradOutput", () => {
    for (const place of ["x", "dy"] as const) {
      const arrays = { x: x.slice(), dy: dy.slice() };
      const layer = layerOf("float32", { type: "prelu", slope });
      layer.forward(arrays.x, SHAPE);
      expect(layer.backward(arrays.dy, { out: arrays[place] })).toEqual(whole());
    }
  });

  test("one slope for all: the sum of the channels", () => {
    const layer = layerOf("float32", prelu("float32", [0.25]));
    layer.forward(x, SHAPE);
    const one = layer.backward(dy);
    const same = layerOf("float32", prelu("float32", [0.25, 0.25, 0.25, 0.25, 0.25]));
    same.forward(x, SHAPE);
    const { gradSlope, ...rest } = same.backward(dy);
    expect(one).toMatchObject(rest);
    expect(one.gradSlope).toHaveLength(1);
    expect(one.gradSlope![0]).toBeCloseTo(
      [...gradSlope!].reduce((a, b) => a + b, 0),
      3,
    );
  });

  test("virtual batches: the sum of theirs", () => {
    const layer = layerOf("float64", prelu("float64"), { virtualBatchSize: 2 });
    const [x64, dy64] = [normals("float64", SIZE, 1), normals("float64", SIZE, 2)];
    layer.forward(x64, SHAPE);
    const got = layer.backward(dy64);
    const total = new Float64Array(5);
    for (let i = 0; i < 3; i++) {
      const part = layerOf("float64", prelu("float64"));
      const [from, to] = [(i * SIZE) / 3, ((i + 1) * SIZE) / 3];
      part.forward(x64.slice(from, to) as never, [2, 5, 4, 9]);
      part.backward(dy64.slice(from, to) as never).gradSlope!.forEach((value, c) => (total[c]! += value));
    }
    got.gradSlope!.forEach((value, c) => {
      expect(value).toBeCloseTo(total[c]!, 10);
    });
  });

  test("the parts of a synchronized backward have the gradient of the slopes", () => {
    const { saved } = batchNormTraining(x, SHAPE, { activation: { type: "prelu", slope } });
    const copy = structuredClone(tokenOf(saved));
    const sums = batchNormGradSums(dy, saved);
    const { gradInput } = batchNormGradInput(dy, saved, batchNormGradCoefficients(saved, sums));
    const want = batchNormBackward(dy, copy);
    expectSameBits(gradInput, want.gradInput);
    expect(sums.gradSlope).toEqual(want.gradSlope);
  });

  test("no elements, and masked ones", () => {
    const options = { activation: { type: "prelu", slope } } as const;
    const { saved } = batchNormTraining(new Float32Array(0), [0, 5, 3], options);
    expect(batchNormBackward(new Float32Array(0), saved).gradSlope).toEqual(new Float32Array(5));
    const mask = Uint8Array.from({ length: SHAPE[0]! }, (_, i) => Number(i > 1));
    const spoilt = x.map((value, p) => (p < SIZE / 3 ? NaN : value));
    const zero = { ...options, mask, maskedOutput: "zero" } as const;
    const first = batchNormTraining(spoilt, SHAPE, zero);
    const rest = batchNormTraining(x.slice(SIZE / 3), [4, 5, 4, 9], options);
    expect(first.output.slice(0, SIZE / 3).every((value) => Object.is(value, 0))).toBe(true);
    const [a, b] = [batchNormBackward(dy, first.saved), batchNormBackward(dy.slice(SIZE / 3), rest.saved)];
    a.gradSlope!.forEach((value, c) => {
      expect(value).toBeCloseTo(b.gradSlope![c]!, 3);
    });
  });
});

describe("what is refused", () => {
  const x = normals("float32", SIZE, 1);
  const curves = CURVES.map(({ name, activation }) => ({ name, activation: activation("float32") }));

  test.each(curves)("$name: backward from the output, and an output in the residual's place", ({ activation }) => {
    expect(errorOf(() => batchNormTraining(x, SHAPE, { activation, save: "output" }))).toMatchObject({
      code: "ERR_BATCHNORM_OPTION",
      message: expect.stringMatching(/^"save" "output" needs an activation that can be undone, got "/) as string,
    });
    const residual = normals("float32", SIZE, 3);
    const before = residual.slice();
    expect(errorOf(() => batchNormTraining(x, SHAPE, { activation, residual, out: residual }))).toMatchObject({
      code: "ERR_BATCHNORM_ALIAS",
      message:
        '"out" must not be "residual": the backward of this activation needs the residual (save: false gives it up)',
    });
    expectSameBits(residual, before);
    const { output } = batchNormTraining(x, SHAPE, { activation, residual, out: residual, save: false });
    expect(output).toBe(residual);
    const { saved } = batchNormTraining(x, SHAPE, { activation, residual: before });
    const forged = { ...tokenOf(saved), holdsOutput: true };
    expect(errorOf(() => batchNormBackward(x, forged))).toHaveProperty("code", "ERR_BATCHNORM_SAVED");
  });

  test.each(curves)("$name: a double backward, unless the activation is piecewise linear", ({ name, activation }) => {
    const { saved } = batchNormTraining(x, SHAPE, { activation });
    const call = (): unknown => batchNormDoubleBackward(tokenOf(saved), x, { gradGradInput: x });
    if (["relu6", "clamp", "hard-sigmoid"].includes(name)) return expect(call()).toHaveProperty("gradInput");
    expect(errorOf(call)).toMatchObject({
      code: "ERR_BATCHNORM_SAVED",
      message: `"saved" expected a piecewise linear activation without slopes, got "${name}"`,
    });
  });

  test("slopes of another length or type, in the place of the output, and in a token", () => {
    const run = (slope: unknown, more: object = {}): unknown =>
      errorOf(() => batchNormTraining(x, SHAPE, { activation: { type: "prelu", slope } as Activation, ...more }));
    expect(run(new Float32Array(4))).toMatchObject({
      code: "ERR_BATCHNORM_SHAPE",
      message: '"activation.slope" expected length 1 or 5, got 4',
    });
    expect(run(new Float64Array(5))).toMatchObject({
      code: "ERR_BATCHNORM_TYPE",
      message: '"activation.slope" expected a Float32Array, got a Float64Array',
    });
    expect(run([0.25])).toMatchObject({
      code: "ERR_BATCHNORM_TYPE",
      message: '"activation.slope" expected a Float32Array or Float64Array, got an Array',
    });
    const out = new Float32Array(SIZE);
    expect(run(out.subarray(3, 8), { out })).toMatchObject({ code: "ERR_BATCHNORM_ALIAS" });
    const running = { runningMean: new Float32Array(5), runningVar: new Float32Array(5) };
    const { saved } = batchNormInference(x, SHAPE, { ...running, activation: prelu("float32"), save: true });
    const forged = { ...tokenOf(saved), activation: { type: "prelu", slope: new Float64Array(2) } as const };
    expect(errorOf(() => batchNormBackward(x, forged))).toMatchObject({
      code: "ERR_BATCHNORM_SHAPE",
      message: '"saved.activation.slope" expected length 1 or 5, got 2',
    });
  });
});
