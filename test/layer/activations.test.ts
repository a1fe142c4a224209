// ReLU, leaky ReLU and residual, bit for bit: against the same layer without them, and in place.
import { describe, expect, test } from "vitest";
import { BatchNorm, type Activation, type FloatType as DType, type Gradients } from "../../src/index.js";
import type { ArrayOf } from "../../src/base/types.js";
import { expectSameBits, normals, parameters, sizeOf, tokenOf } from "../support/reference.js";

const SHAPES: readonly (readonly number[])[] = [
  [3, 4, 33],
  [40, 4],
  [9, 17],
  [5, 9, 4],
];
const DTYPES: readonly DType[] = ["float32", "float64"];
const SLOPES = [0, 0.01, 0.3];
const cases = DTYPES.flatMap((dtype) =>
  SHAPES.flatMap((shape) =>
    [false, true].flatMap((frozen) => SLOPES.map((slope) => ({ dtype, shape, frozen, slope }))),
  ),
);
type Case = (typeof cases)[number];

/** Of slope 0 the ReLU. */
const activationOf = ({ slope }: Case): Activation => (slope === 0 ? "relu" : { type: "leaky-relu", slope });

/** T(value·slope), or 0. */
function negative({ dtype, slope }: Case, value: number): number {
  if (slope === 0) return 0;
  return dtype === "float32" ? Math.fround(value * Math.fround(slope)) : value * slope;
}

function layerOf({ dtype, shape, frozen }: Case, activation: Activation): BatchNorm<DType> {
  const channels = shape[1]!;
  const layer = new BatchNorm<DType>(channels, { dtype, activation });
  layer.weight!.set(parameters(dtype, channels, 0.5));
  layer.bias!.set(parameters(dtype, channels, 0.1));
  // A channel that is 0 throughout, and −0 there: y ≤ 0 masks both.
  layer.weight![0] = layer.bias![0] = -0;
  layer.frozen = frozen;
  return layer;
}

/** Special values in the residual: NaN passes the mask, ±Inf decide it, −0 and 0 meet y = 0. */
function residualOf(dtype: DType, length: number): ArrayOf<DType> {
  const residual = normals(dtype, length, 3);
  [NaN, Infinity, -Infinity, -0, 0].forEach((value, i) => {
    for (let p = i; p < length; p += 29) residual[p] = value;
  });
  return residual;
}

interface Result {
  readonly y: ArrayOf<DType>;
  readonly grads: Gradients<DType>;
}

/** What the layer without an activation gives, with the activation and its derivative applied here. */
function expected(
  one: Case,
  x: ArrayOf<DType>,
  dy: ArrayOf<DType>,
  residual: ArrayOf<DType> | null,
): Result & { g: ArrayOf<DType> } {
  const layer = layerOf(one, "none");
  const z = layer.forward(x, one.shape, { save: true, ...(residual && { residual }) });
  const y = z.map((value) => (value < 0 ? negative(one, value) : value)) as ArrayOf<DType>;
  const g = dy.map((value, p) => (y[p]! <= 0 ? negative(one, value) : value)) as ArrayOf<DType>;
  return { y, g, grads: layer.backward(g) };
}

describe.each(cases)("$dtype $shape frozen: $frozen, slope $slope", (one) => {
  const { dtype, shape } = one;
  const size = sizeOf(shape);
  const x = normals(dtype, size, 1);
  const dy = normals(dtype, size, 2);

  test.each([false, true])("residual: %s", (withResidual) => {
    const residual = withResidual ? residualOf(dtype, size) : null;
    const want = expected(one, x, dy, residual);
    expect([...want.y].some((y) => y === 0) && [...want.y].some((y) => y > 0)).toBe(true);
    if (residual) expect([...want.y].some(Number.isNaN)).toBe(true);
    const layer = layerOf(one, activationOf(one));
    expectSameBits(layer.forward(x, shape, { save: true, ...(residual && { residual }) }), want.y);
    const grads = layer.backward(dy);
    expect(grads).toEqual(want.grads);
    expectSameBits(grads.gradInput, want.grads.gradInput);
    if (residual) expectSameBits(grads.gradResidual, want.g);
  });

  test("the output replaces the residual, gradients go into given arrays", () => {
    const residual = residualOf(dtype, size);
    const want = expected(one, x, dy, residual);
    const layer = layerOf(one, activationOf(one));
    expect(layer.forward(x, shape, { save: true, residual, out: residual })).toBe(residual);
    expectSameBits(residual, want.y);
    expect(tokenOf(layer.saved)).toMatchObject({ auxIsOutput: true, hasResidual: true });
    const gradInput = dy.slice() as ArrayOf<DType>;
    const gradResidual = residualOf(dtype, size);
    const grads = layer.backward(gradInput, { out: gradInput, residualOut: gradResidual });
    expect(grads.gradInput).toBe(gradInput);
    expect(grads.gradResidual).toBe(gradResidual);
    expectSameBits(gradInput, want.grads.gradInput);
    expectSameBits(gradResidual, want.g);
    expect([grads.gradWeight, grads.gradBias]).toEqual([want.grads.gradWeight, want.grads.gradBias]);
  });

  test("a residual without an activation: its gradient is a copy of gradOutput", () => {
    const layer = layerOf(one, "none");
    const residual = normals(dtype, size, 5);
    const plain = layer.forward(x, shape, { save: true });
    const gradients = layer.backward(dy);
    const y = layer.forward(x, shape, { save: true, residual });
    const rounded = plain.map((value, p) => value + residual[p]!) as ArrayOf<DType>;
    expectSameBits(y, rounded);
    expect(tokenOf(layer.saved)).toMatchObject({ aux: null, hasResidual: true });
    const { gradResidual, ...rest } = layer.backward(dy);
    expect(rest).toEqual(gradients);
    expect(gradResidual).not.toBe(dy);
    expectSameBits(gradResidual, dy);
  });
});
