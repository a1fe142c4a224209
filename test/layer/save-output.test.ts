// Forwards that save their output in the place of x: gradients against those of the same layer that saves x.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormTraining,
  type Activation,
  type FloatType as DType,
  type Gradients,
} from "../../src/index.js";
import type { Floats as Data } from "../../src/base/types.js";
import { expectRejected, range, OPTION, VALUE } from "../support/rejected.js";
import { expectSameBits, normals, parameters, sizeOf, tokenOf, usableBackends } from "../support/reference.js";

const SHAPES = [
  [3, 4, 33],
  [40, 4],
  [9, 17],
  [5, 9, 4],
];
const ACTIVATIONS: readonly Activation[] = [
  "none",
  { type: "leaky-relu", slope: 0.01 },
  { type: "leaky-relu", slope: 2 },
];
/** Differences allowed, in units of the largest gradient: what rounding y leaves of x̂ = (y − β)/γ with |γ| ≥ 1/2. */
const TOLERANCE = { float32: 2e-6, float64: 4e-15 } as const;

const cases = (["float32", "float64"] as const).flatMap((dtype) =>
  SHAPES.flatMap((shape) =>
    ACTIVATIONS.flatMap((activation) => [false, true].map((frozen) => ({ dtype, shape, activation, frozen }))),
  ),
);
type Case = (typeof cases)[number];

function layerOf(
  { dtype, shape, activation, frozen }: Case,
  backend?: (typeof usableBackends)[number],
): BatchNorm<DType> {
  const layer = new BatchNorm<DType>(shape[1]!, { dtype, activation, ...(backend && { backend }) });
  layer.weight!.set(parameters(dtype, shape[1]!, 0.5));
  layer.bias!.set(parameters(dtype, shape[1]!, 0.1));
  layer.runningMean!.fill(0.25);
  layer.runningVar!.fill(3);
  layer.frozen = frozen;
  return layer;
}

const largest = (values: Data): number => Math.max(...values.map(Math.abs));

function expectNear(got: Data | null, want: Data | null, tolerance: number): void {
  const scale = largest(want!);
  expect(scale).toBeGreaterThan(0);
  want!.forEach((value, i) =>
    expect(Math.abs(got![i]! - value), `element ${i}`).toBeLessThanOrEqual(tolerance * scale),
  );
}

const arraysOf = ({ gradInput, gradWeight, gradBias }: Gradients<DType>): (Data | null)[] => [
  gradInput,
  gradWeight,
  gradBias,
];

describe.each(cases)("$dtype $shape $activation frozen: $frozen", (one) => {
  const { dtype, shape } = one;
  const x = normals(dtype, sizeOf(shape), 1);
  const dy = normals(dtype, sizeOf(shape), 2);

  test("gradients as of the saved x, the output in x's place", () => {
    const reference = layerOf(one);
    const y = reference.forward(x, shape);
    const want = arraysOf(reference.backward(dy));
    const layer = layerOf(one);
    const given = x.slice() as typeof x;
    expect(layer.forward(given, shape, { save: "output", out: given })).toBe(given);
    expectSameBits(given, y);
    expect(tokenOf(layer.saved)).toMatchObject({ x: given, xIsOutput: true, residualOrOutput: null });
    arraysOf(layer.backward(dy)).forEach((got, i) => expectNear(got, want[i]!, TOLERANCE[dtype]));
  });

  test("the same bits on every backend, gradInput over the output", () => {
    const results = usableBackends.map((backend) => {
      const layer = layerOf(one, backend);
      const y = layer.forward(x, shape, { save: "output" });
      return arraysOf(layer.backward(dy, { out: y }));
    });
    for (const result of results) result.forEach((got, i) => expectSameBits(got, results[0]![i]));
  });
});

describe("what cannot be undone is refused", () => {
  const x = normals("float32", 24, 1);
  const shape = [2, 3, 4];
  const inPlace = { save: "output", out: x } as const;

  test("ReLU", () => {
    const layer = new BatchNorm(3, { activation: "relu" });
    const expected = range(OPTION, '"save" "output" needs an activation that can be undone, got "relu"');
    expectRejected(() => layer.forward(x, shape, inPlace), [layer, x], expected);
    expectRejected(() => batchNormTraining(x, shape, { ...inPlace, activation: "relu" }), [x], expected);
  });

  test("a residual", () => {
    const layer = new BatchNorm(3);
    const expected = range(OPTION, '"save" "output" and "residual" exclude each other');
    expectRejected(
      () => layer.forward(x, shape, { ...inPlace, residual: normals("float32", 24, 2) } as object),
      [layer, x],
      expected,
    );
  });

  test.each([0, 1, 2])("a γ of 0 in channel %i, by name", (channel) => {
    const layer = new BatchNorm(3);
    layer.weight![channel] = -0;
    const message = `"weight[${channel}]" expected a number other than 0 with "save" "output", got 0`;
    const expected = range(VALUE, message);
    expectRejected(() => layer.forward(x, shape, inPlace), [layer, x], expected);
    const { weight } = layer;
    expectRejected(() => batchNormTraining(x, shape, { ...inPlace, weight: weight! }), [x], expected);
    layer.eval();
    layer.forward(x.slice(), shape);
  });

  test("another word", () => {
    const layer = new BatchNorm(3);
    const save = "x" as unknown as "output";
    expectRejected(
      () => layer.forward(x, shape, { save }),
      [layer, x],
      range(VALUE, '"save" expected one of "output", got "x"'),
    );
  });
});
