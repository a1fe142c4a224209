// The operator of ONNX, beside the formulas of its documents in float64, and the calls that it refuses.
import { describe, expect, test } from "vitest";
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from "../../src/index.js";
import { onnxBatchNormalization, type OnnxTensorLike } from "../../src/onnx.js";
import { backendsUnderTest } from "../support/backends.js";
import { normals } from "../support/reference.js";
import {
  expectRejected,
  OPTION,
  range,
  SHAPE,
  type,
  TYPE,
  VALUE,
  type Loose,
  type Rejection,
} from "../support/rejected.js";

const call = onnxBatchNormalization as unknown as Loose;
const DIMS = [2, 3, 4];

type Name = "float32" | "float64" | "float16" | "bfloat16";

const STORE = {
  float32: (list: Float32Array) => list,
  float64: (list: Float32Array) => Float64Array.from(list),
  float16: toFloat16Bits,
  bfloat16: toBfloat16Bits,
};

function tensorOf(type: Name, list: Float32Array, dims: readonly number[] = [list.length]): OnnxTensorLike {
  return { data: STORE[type](list), dims, type };
}

function valuesOf({ data, type }: OnnxTensorLike): number[] {
  const bits = data as Uint16Array;
  const widen = { float16: fromFloat16Bits, bfloat16: fromBfloat16Bits }[type ?? ""];
  return [...(widen ? widen(bits) : (data as Float64Array))];
}

interface Types {
  readonly x: Name;
  readonly scale: Name;
  readonly statistics: Name;
}

/** X, scale, B, mean and var. */
function inputsOf({ x, scale, statistics }: Types, dims = DIMS, sizes = [3], seed = 1): OnnxTensorLike[] {
  const count = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
  const draw = (k: number): Float32Array => normals("float32", count(sizes), seed + k);
  return [
    tensorOf(x, normals("float32", count(dims), seed), dims),
    tensorOf(scale, draw(1), sizes),
    tensorOf(scale, draw(2), sizes),
    tensorOf(statistics, draw(3), sizes),
    tensorOf(
      statistics,
      draw(4).map((value) => value * value),
      sizes,
    ),
  ];
}

/** The inputs with one in the place of another. */
const other = (inputs: readonly OnnxTensorLike[], at: number, tensor: unknown): unknown[] =>
  inputs.map((input, i) => (i === at ? tensor : input));

const all = (name: Name): Types => ({ x: name, scale: name, statistics: name });

interface Expected {
  readonly y: number[];
  readonly running: readonly number[][];
  readonly saved: readonly number[][];
}

/** The formulas of opset 14, in float64. `channelOf` gives the channel of an element. */
function formulas(
  inputs: readonly OnnxTensorLike[],
  { epsilon = 1e-5, momentum = 0.9, training = false },
  channelOf: (i: number) => number,
): Expected {
  const [x, scale, bias, mean, variance] = inputs.map(valuesOf) as [number[], number[], number[], number[], number[]];
  const of = (c: number): number[] => x.filter((_, i) => channelOf(i) === c);
  const average = (list: number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const means = scale.map((_, c) => average(of(c)));
  const variances = scale.map((_, c) => average(of(c).map((value) => (value - means[c]!) ** 2)));
  const [m, v] = training ? [means, variances] : [mean, variance];
  const mix = (old: number[], own: number[]): number[] => old.map((o, c) => o * momentum + own[c]! * (1 - momentum));
  return {
    y: x.map((value, i) => {
      const c = channelOf(i);
      return ((value - m[c]!) / Math.sqrt(v[c]! + epsilon)) * scale[c]! + bias[c]!;
    }),
    running: [mix(mean, means), mix(variance, variances)],
    saved: [means, variances],
  };
}

const TOLERANCES: Readonly<Record<Name, number>> = { float32: 3e-6, float64: 1e-12, float16: 3e-3, bfloat16: 3e-2 };

function expectNear(got: OnnxTensorLike, expected: readonly number[], type: Name): void {
  expect(got.type).toBe(type);
  const tolerance = TOLERANCES[type];
  valuesOf(got).forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(expected[i]!)));
  });
}

const planes = (i: number): number => Math.floor(i / 4) % 3;

/** Opsets, types and outputs of the operator's documents. */
const CASES: readonly (readonly [opset: number, types: Types, outputs: number])[] = [
  ...[7, 8, 9, 13].flatMap((opset) =>
    (["float32", "float64", "float16"] as const).flatMap((name) => [
      [opset, all(name), 1] as const,
      [opset, all(name), 5] as const,
    ]),
  ),
  ...[14, 15, 24].flatMap((opset) =>
    (["float32", "float64", "float16", "bfloat16"] as const).flatMap((name) => [
      [opset, all(name), 1] as const,
      [opset, { ...all(name), statistics: "float64" } as const, 3] as const,
    ]),
  ),
  [15, { x: "float16", scale: "float32", statistics: "float32" }, 1],
  [15, { x: "float16", scale: "bfloat16", statistics: "float64" }, 3],
  [15, { x: "float64", scale: "float32", statistics: "float16" }, 3],
];

for (const { name: backend, kernels, has16Bit } of backendsUnderTest)
  describe.skipIf(!kernels)(backend, () => {
    for (const [opset, types, outputs] of CASES) {
      const { x, scale, statistics } = types;
      const is16Bit = x === "float16" || x === "bfloat16";
      test.skipIf(is16Bit && !has16Bit)(`opset ${opset}, ${x} ${scale} ${statistics}, ${outputs} outputs`, () => {
        const inputs = inputsOf(types);
        const training = outputs > 1;
        const attributes = { epsilon: 0.01, momentum: 0.7, ...(opset >= 14 && { training_mode: training ? 1 : 0 }) };
        const results = call(opset, inputs, attributes, { outputs, backend }) as OnnxTensorLike[];
        expect(results.length).toBe(outputs);
        const { y, running, saved } = formulas(inputs, { ...attributes, training }, planes);
        expectNear(results[0]!, y, x);
        expect(results[0]!.dims).toEqual(DIMS);
        const expected = [...running, ...saved];
        results.slice(1).forEach((result, i) => {
          const scaled = is16Bit || x === "float32" ? Math.max(TOLERANCES[statistics], 1e-6) : TOLERANCES[statistics];
          valuesOf(result).forEach((value, c) => expect(Math.abs(value - expected[i]![c]!)).toBeLessThan(scaled * 8));
          expect(result).toMatchObject({ dims: [3], type: statistics });
        });
      });
    }

    test("spatial 0: statistics for each position", () => {
      const inputs = inputsOf(all("float32"), [3, 2, 2], [2, 2]);
      for (const outputs of [1, 5]) {
        const results = call(7, inputs, { spatial: 0 }, { outputs, backend }) as OnnxTensorLike[];
        const { y, running, saved } = formulas(inputs, { training: outputs > 1 }, (i) => i % 4);
        expectNear(results[0]!, y, "float32");
        [...running, ...saved].slice(0, outputs - 1).forEach((list, i) => {
          expectNear(results[i + 1]!, list, "float32");
          expect(results[i + 1]!.dims).toEqual([2, 2]);
        });
      }
    });

    test("a vector is one channel, and a matrix has no positions", () => {
      const vector = inputsOf(all("float32"), [6], [1]);
      const [y] = call(9, vector, {}, { backend }) as OnnxTensorLike[];
      expectNear(y!, formulas(vector, {}, () => 0).y, "float32");
      expect(y!.dims).toEqual([6]);
      const matrix = inputsOf(all("float32"), [5, 3]);
      expectNear(
        (call(15, matrix, {}, { backend }) as OnnxTensorLike[])[0]!,
        formulas(matrix, {}, (i) => i % 3).y,
        "float32",
      );
    });
  });

test("defaults, and the number of outputs", () => {
  const inputs = inputsOf(all("float32"));
  const count = (...args: unknown[]): number => (call(...args) as unknown[]).length;
  expect(count(15, inputs)).toBe(1);
  expect(count(15, inputs, { training_mode: 1 })).toBe(3);
  expect(count(15, inputs, { training_mode: 1 }, { outputs: 1 })).toBe(1);
  expect(count(9, inputs, undefined, { outputs: 3 })).toBe(3);
  expect(call(15, inputs)).toEqual(call(15, inputs, { epsilon: 1e-5, momentum: 0.9, training_mode: 0 }));
});

test("weights of 0 and 1, and a batch without elements", () => {
  const inputs = inputsOf(all("float32"));
  const [, mean, variance] = call(15, inputs, { training_mode: 1, momentum: 1 }) as OnnxTensorLike[];
  expect([mean!.data, variance!.data]).toEqual([inputs[3]!.data, inputs[4]!.data]);
  const infinite = { data: Float32Array.of(Infinity, NaN, 0), dims: [3] };
  const replaced = call(15, other(inputs, 4, infinite), { training_mode: 1, momentum: 0 }) as OnnxTensorLike[];
  expect(valuesOf(replaced[2]!).every(Number.isFinite)).toBe(true);
  const empty = { data: new Float32Array(0), dims: [0, 3, 4] };
  const [y, ...running] = call(15, other(inputs, 0, empty), { training_mode: 1 }) as OnnxTensorLike[];
  expect(y).toEqual({ ...empty, type: "float32" });
  expect(running.map(({ data }) => data)).toEqual([inputs[3]!.data, inputs[4]!.data]);
});

test("a Float16Array comes back as one", () => {
  const { Float16Array } = globalThis as unknown as { Float16Array?: new (length: number) => object };
  if (!Float16Array) return;
  const inputs = other(inputsOf(all("float16")), 0, { data: new Float16Array(24), dims: DIMS, type: "float16" });
  const [y] = onnxBatchNormalization(15, inputs as never);
  expect(Object.prototype.toString.call(y.data)).toBe("[object Float16Array]");
});

const good = inputsOf(all("float32"));
const x16 = { data: new Uint16Array(24), dims: DIMS };
const three = new Float32Array(3);

const BAD: readonly (readonly [unknown[], Rejection])[] = [
  [[6, good], range(VALUE, '"opset" expected 7 or more, got 6: convert the model to a newer one')],
  [["15", good], type(TYPE, '"opset" expected a number, got "15"')],
  [[14.5, good], range(VALUE, '"opset" expected a positive integer, got 14.5')],
  [[15, {}], type(TYPE, '"inputs" expected an array of tensors, got an object')],
  [[15, good.slice(1)], range(VALUE, '"inputs" expected 5 tensors, X, scale, B, input_mean, input_var, got 4')],
  [[15, other(good, 1, three)], type(TYPE, '"scale" expected a tensor { data, dims, type }, got a Float32Array')],
  [[15, other(good, 2, null)], type(TYPE, '"B" expected a tensor { data, dims, type }, got null')],
  [
    [15, other(good, 0, x16)],
    type(TYPE, '"X.type" expected "float16" or "bfloat16" with a Uint16Array, got undefined'),
  ],
  [
    [15, other(good, 0, { ...x16, type: "float32" })],
    type(TYPE, '"X.type" expected "float16" or "bfloat16" with a Uint16Array, got float32'),
  ],
  [
    [15, other(good, 0, { ...good[0]!, type: "float64" })],
    type(TYPE, '"X.data" expected a Float64Array of float64, got a Float32Array'),
  ],
  [
    [15, other(good, 0, { data: new Int32Array(24), dims: DIMS })],
    type(TYPE, '"X.data" expected an array of a floating-point type, got an Int32Array'),
  ],
  [
    [15, other(good, 0, { ...good[0]!, type: "int32" })],
    range(VALUE, '"X.type" expected one of "float32", "float64", "float16", "bfloat16", got "int32"'),
  ],
  [[9, inputsOf(all("bfloat16"))], type(TYPE, '"X" expected float16 or float32 or float64 in opset 9, got bfloat16')],
  [
    [9, inputsOf({ ...all("float32"), statistics: "float64" })],
    type(TYPE, '"input_mean" expected float32 as "X" is, in opset 9, got float64'),
  ],
  [
    [14, inputsOf({ ...all("float16"), scale: "float32" })],
    type(TYPE, '"scale" expected float16 as "X" is, in opset 14, got float32'),
  ],
  [
    [15, other(good, 4, { data: new Float64Array(3), dims: [3] })],
    type(TYPE, '"input_var" expected float32 as "input_mean" is, in opset 15, got float64'),
  ],
  [[15, other(good, 1, { data: three, dims: [1, 3] })], range(SHAPE, '"scale" expected dims [3], got [1, 3]')],
  [[15, other(good, 1, { data: three.subarray(1), dims: [3] })], range(SHAPE, '"scale" expected length 3, got 2')],
  [[7, good, { spatial: 0 }], range(SHAPE, '"scale" expected dims [3, 4], got [3]')],
  [[7, other(good, 0, { data: three, dims: [3] })], range(SHAPE, '"X" expected at least 2 axes, got dims [3]')],
  [[15, other(good, 0, { data: three, dims: [] })], range(SHAPE, '"X" expected at least 1 axes, got dims []')],
  [[15, other(good, 0, { ...good[0]!, dims: [2, 3, 5] })], range(SHAPE, '"x" expected length 30, got 24')],
  [
    [15, other(good, 4, { data: Float32Array.of(1, -1, 1), dims: [3] })],
    range(VALUE, '"input_var[1]" expected a number ≥ 0, got -1'),
  ],
  [[9, good, { spatial: 1 }], type(OPTION, 'unknown option "spatial", expected one of epsilon, momentum')],
  [[9, good, { training_mode: 1 }], type(OPTION, 'unknown option "training_mode", expected one of epsilon, momentum')],
  [[15, good, { training_mode: true }], type(TYPE, '"training_mode" expected 0 or 1, got true')],
  [[15, good, { training_mode: 2 }], range(VALUE, '"training_mode" expected 0 or 1, got 2')],
  [[15, good, { epsilon: -1 }], range(VALUE, '"epsilon" expected a finite number ≥ 0, got -1')],
  [[15, good, { momentum: 1.5 }], range(VALUE, '"momentum" expected a number in [0, 1], got 1.5')],
  [[15, good, 5], type(TYPE, '"attributes" expected an object, got 5')],
  [
    [15, good, {}, { outputs: 3 }],
    range(VALUE, '"outputs" expected at most 1 in opset 15, got 3: more belong to "training_mode" 1'),
  ],
  [[15, good, { training_mode: 1 }, { outputs: 5 }], range(VALUE, '"outputs" expected at most 3 in opset 15, got 5')],
  [[9, good, {}, { outputs: 6 }], range(VALUE, '"outputs" expected at most 5 in opset 9, got 6')],
  [[9, good, {}, { outputs: 0 }], range(VALUE, '"outputs" expected a positive integer, got 0')],
];

test.each(BAD.map(([args, rejection]) => [rejection.message, args, rejection] as const))("%s", (_, args, rejection) => {
  expectRejected(
    () => call(...args),
    good.map(({ data }) => data),
    rejection,
  );
});
