// The layer against an independent float64 textbook, on every backend: shapes, axes, parameters, modes, ReLU, residual.
import { describe, expect, test } from "vitest";
import { BatchNorm, type AxisOptions, type BatchNormOptions, type FloatType as DType } from "../../src/index.js";
import type { ArrayOf, Floats as Data } from "../../src/base/types.js";
import { expectClose, normals, parameters, sizeOf, solve, usableBackends, type Problem } from "../support/reference.js";

const DTYPES: readonly DType[] = ["float32", "float64"];
/** Ranks 1 to 5 and every axis form; planes, rows and few columns. Rank 1 holds one value per channel. */
const SHAPES: readonly (readonly [shape: readonly number[], options: AxisOptions, axis: number])[] = [
  [[7], { axis: 0 }, 0],
  [[7], { axis: -1 }, -1],
  [[12, 5], {}, 1],
  [[12, 5], { layout: "channels-first" }, 1],
  [[12, 5], { layout: "channels-last" }, -1],
  [[12, 5], { axis: 0 }, 0],
  [[40, 19], { axis: 1 }, 1],
  [[3, 4, 21], {}, 1],
  [[3, 4, 21], { axis: -2 }, -2],
  [[3, 21, 4], { layout: "channels-last" }, 2],
  [[6, 4, 5], { axis: 0 }, 0],
  [[2, 6, 3, 7], { axis: -1 }, 3],
  [[2, 3, 6, 7], {}, 1],
  [[2, 3, 6, 7], { axis: 2 }, 2],
  [[2, 3, 6, 7], { axis: -2 }, -2],
  [[2, 3, 2, 3, 4], {}, 1],
  [[2, 2, 3, 3, 5], { layout: "channels-last" }, -1],
];

interface Run {
  readonly layer: BatchNorm<DType>;
  readonly problem: Problem;
}

/** A layer with parameters of its own, and the problem it is to solve. */
function prepare(dtype: DType, shape: readonly number[], axis: number, options: BatchNormOptions<DType>): Run {
  const channels = shape.at(axis)!;
  const layer = new BatchNorm<DType>(channels, { dtype, singleValue: "allow", ...options });
  layer.weight?.set(parameters(dtype, channels, 0.5));
  layer.bias?.set(parameters(dtype, channels, -1));
  const { weight, bias } = layer;
  const size = sizeOf(shape);
  const relu = options.activation === "relu";
  return {
    layer,
    problem: { dtype, shape, axis, x: normals(dtype, size, 1), dy: normals(dtype, size, 2), weight, bias, relu },
  };
}

/** One forward and backward of the layer, compared with the textbook. */
function expectSolved(layer: BatchNorm<DType>, problem: Problem): void {
  const { dtype, shape } = problem;
  const expected = solve(problem);
  const x = problem.x as ArrayOf<DType>;
  const residual = problem.residual as ArrayOf<DType> | undefined;
  const before = x.slice();
  const y = layer.forward(x, shape, { save: true, ...(residual && { residual }) });
  expect(y).not.toBe(x);
  expect(x).toEqual(before);
  expectClose("y", dtype, y, expected.y, expected.scale.y);
  const got = layer.backward(problem.dy as ArrayOf<DType>);
  expectClose("gradInput", dtype, got.gradInput, expected.dx, expected.scale.dx);
  const tables: [string, Data | null, Data | null, Data, Data][] = [
    ["gradWeight", got.gradWeight, layer.weight, expected.dweight, expected.scale.dweight],
    ["gradBias", got.gradBias, layer.bias, expected.dbias, expected.scale.dbias],
  ];
  for (const [name, grad, parameter, value, scale] of tables) {
    if (parameter) expectClose(name, dtype, grad!, value, scale);
    else expect(grad).toBeNull();
  }
  if (residual) expect([...got.gradResidual!]).toEqual([...expected.dresidual]);
  else expect(got).not.toHaveProperty("gradResidual");
}

describe.each(usableBackends)("%s", (backend) => {
  describe.each(DTYPES)("%s", (dtype) => {
    test.each(SHAPES)("training %j %j", (shape, options, axis) => {
      const { layer, problem } = prepare(dtype, shape, axis, { backend, ...options });
      expectSolved(layer, problem);
    });

    test.each(SHAPES)("inference %j %j", (shape, options, axis) => {
      const { layer, problem } = prepare(dtype, shape, axis, { backend, ...options });
      layer.runningMean!.set(parameters(dtype, layer.numFeatures, 1));
      layer.runningVar!.set(parameters(dtype, layer.numFeatures, 2).map(Math.abs));
      layer.eval();
      expectSolved(layer, { ...problem, fixed: { mean: layer.runningMean!, variance: layer.runningVar! } });
    });

    const affine: [string, BatchNormOptions<DType>, boolean, boolean][] = [
      ["affine", { affine: true }, true, true],
      ["no parameters", { affine: false }, false, false],
      ["weight alone", { bias: false }, true, false],
      ["bias alone", { weight: false, bias: true }, false, true],
    ];
    test.each(affine)("%s", (_, options, weight, bias) => {
      const { layer, problem } = prepare(dtype, [9, 4, 3], 1, { backend, ...options });
      expect([layer.weight !== null, layer.bias !== null]).toEqual([weight, bias]);
      expectSolved(layer, problem);
    });

    test.each([0, 1e-3, 1])("eps %d", (eps) => {
      const { layer, problem } = prepare(dtype, [9, 4, 3], 1, { backend, eps });
      expectSolved(layer, { ...problem, eps });
    });

    const operands: [string, "none" | "relu", boolean][] = [
      ["ReLU", "relu", false],
      ["residual", "none", true],
      ["ReLU of a residual sum", "relu", true],
    ];
    test.each(operands)("%s", (_, activation, residual) => {
      for (const [shape, axis] of [
        [[5, 3, 17], 1],
        [[40, 18], 1],
        [[33, 3], 1],
      ] as const) {
        const { layer, problem } = prepare(dtype, shape, axis, { backend, activation });
        const added = residual ? normals(dtype, sizeOf(shape), 3) : null;
        expectSolved(layer, { ...problem, residual: added });
      }
    });
  });
});

test("defaults are torch's", () => {
  const layer = new BatchNorm(3);
  expect(layer).toMatchObject({
    numFeatures: 3,
    dtype: "float32",
    eps: 1e-5,
    momentum: 0.1,
    training: true,
    frozen: false,
    saved: null,
  });
  expect(layer).toMatchObject({ numBatchesTracked: 0, threads: 1, backend: expect.any(String) as unknown });
  expect(layer.weight).toEqual(Float32Array.of(1, 1, 1));
  expect(layer.bias).toEqual(new Float32Array(3));
  expect(layer.runningMean).toEqual(new Float32Array(3));
  expect(layer.runningVar).toEqual(Float32Array.of(1, 1, 1));
});

test("gradients agree with finite differences of the layer's own forward", () => {
  const shape = [4, 2, 3];
  const layer = new BatchNorm(2, { dtype: "float64", activation: "relu", momentum: 0 });
  layer.weight!.set([1.5, -0.75]);
  layer.bias!.set([0.25, 0.5]);
  const x = normals("float64", 24, 5);
  const dy = normals("float64", 24, 6);
  const loss = (): number => layer.forward(x, shape, { save: false }).reduce((sum, y, p) => sum + y * dy[p]!, 0);
  layer.forward(x, shape);
  const { gradInput, gradWeight, gradBias } = layer.backward(dy);
  // Central differences: truncation h² ≈ 1e-10, rounding 2⁻⁵³·|loss|/h ≈ 1e-10.
  const h = 1e-5;
  for (const [values, gradient] of [
    [x, gradInput],
    [layer.weight!, gradWeight!],
    [layer.bias!, gradBias!],
  ] as const) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      values[i] = value + h;
      const above = loss();
      values[i] = value - h;
      const below = loss();
      values[i] = value;
      expect(Math.abs((above - below) / (2 * h) - gradient[i]!)).toBeLessThan(1e-7);
    }
  }
});
