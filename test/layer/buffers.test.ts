// Who owns which array, and how outputs may relate to inputs: each allowed relation gives the bits of separate arrays.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  batchNormTraining,
  type ForwardOptions,
} from "../../src/index.js";
import { expectSameBits, normals, tokenOf } from "../support/reference.js";
import { ALIAS, expectRejected, range } from "../support/rejected.js";

const SHAPE = [2, 3, 4];
const SIZE = 24;
const x = normals("float32", SIZE, 1);
const dy = normals("float32", SIZE, 2);
const residual = normals("float32", SIZE, 3);

function trained(options = {}): BatchNorm {
  const layer = new BatchNorm(3, options);
  layer.forward(residual, SHAPE);
  return layer;
}

/** The same elements seen through another object. */
function twin(array: Float32Array): Float32Array {
  return new Float32Array(array.buffer, array.byteOffset, array.length);
}

describe("outputs of the caller", () => {
  test("are filled and returned; inputs stay as they were", () => {
    const layer = trained();
    const out = new Float32Array(SIZE);
    const given = x.slice();
    const expected = trained().forward(x, SHAPE);
    expect(layer.forward(given, SHAPE, { out })).toBe(out);
    expectSameBits(out, expected);
    expectSameBits(given, x);
    const grad = new Float32Array(SIZE);
    expect(layer.backward(dy, { out: grad }).gradInput).toBe(grad);
  });

  test("none: fresh arrays every time", () => {
    const layer = trained();
    const outputs = [layer.forward(x, SHAPE), layer.forward(x, SHAPE)];
    const grads = [batchNormBackward(dy, structuredClone(tokenOf(layer.saved))), layer.backward(dy)];
    const all = [
      ...outputs,
      ...grads.flatMap(({ gradInput: dx, gradWeight, gradBias }) => [dx, gradWeight!, gradBias!]),
    ];
    expect(new Set(all.map(({ buffer }) => buffer)).size).toBe(all.length);
  });

  test.each(["shape", "dims"] as const)("tensors with %s come back as they came", (key) => {
    const tensor = (data: Float32Array): { data: Float32Array; shape: number[] } =>
      ({ data, [key]: [...SHAPE] }) as { data: Float32Array; shape: number[] };
    const layer = trained();
    const y = layer.forward(tensor(x), { residual: tensor(residual) });
    expect(y).toEqual(tensor(trained().forward(x, SHAPE, { residual })));
    const { gradInput: dx, gradResidual } = layer.backward(tensor(dy));
    expect([Object.keys(dx), Object.keys(gradResidual!)]).toEqual([
      ["data", key],
      ["data", key],
    ]);
    expectSameBits(gradResidual!.data, dy);
    const out = new Float32Array(SIZE);
    expect(layer.forward(tensor(x), { out }).data).toBe(out);
    expect(layer.backward(dy).gradInput).toBeInstanceOf(Float32Array);
    expect(batchNormTraining(tensor(x)).output).toEqual(tensor(batchNormTraining(x, SHAPE).output));
  });
});

describe("forward", () => {
  const evaluated = (): BatchNorm => trained().eval();
  const running = { runningMean: new Float32Array(3), runningVar: new Float32Array(3).fill(2) };
  const runs: [string, (given: Float32Array, options: ForwardOptions<"float32">) => Float32Array][] = [
    ["eval", (given, options) => evaluated().forward(given, SHAPE, options)],
    ["training with save: false", (given, options) => trained().forward(given, SHAPE, { ...options, save: false })],
    [
      "training with ReLU and save: false",
      (given, options) => trained({ activation: "relu" }).forward(given, SHAPE, { ...options, save: false }),
    ],
    ["batchNormInference", (given, options) => batchNormInference(given, SHAPE, { ...options, ...running }).output],
    [
      "batchNormTraining with save: false",
      (given, options) => batchNormTraining(given, SHAPE, { ...options, save: false }).output,
    ],
  ];
  test.each(runs)("%s may replace x, or the residual, or both in one", (_, run) => {
    for (const view of [(array: Float32Array) => array, twin]) {
      const given = x.slice();
      expectSameBits(run(given, { out: view(given) }), run(x, {}));
      const replaced = residual.slice();
      expectSameBits(run(x, { residual: replaced, out: view(replaced) }), run(x, { residual }));
      const doubled = x.slice();
      expectSameBits(run(doubled, { residual: doubled, out: view(doubled) }), run(x, { residual: x }));
    }
  });

  test("a saving forward never replaces x", () => {
    const layer = trained();
    const given = x.slice();
    const expected = range(ALIAS, '"out" must not be "x": the saved forward needs x (save: false gives it up)');
    for (const out of [given, twin(given)]) {
      expectRejected(() => layer.forward(given, SHAPE, { out }), [layer, given], expected);
      expectRejected(() => layer.clone().eval().forward(given, SHAPE, { out, save: true }), [layer, given], expected);
      expectRejected(() => batchNormTraining(given, SHAPE, { out }), [given], expected);
    }
  });

  test("partial overlaps, by one element or all but one, are refused; neighbours are not", () => {
    const big = normals("float32", 3 * SIZE, 4);
    const given = big.subarray(SIZE, 2 * SIZE);
    const layer = evaluated();
    for (const start of [1, SIZE - 1, SIZE + 1, 2 * SIZE - 1]) {
      const out = big.subarray(start, start + SIZE);
      expectRejected(
        () => layer.forward(given, SHAPE, { out }),
        [layer, big],
        range(ALIAS, '"out" overlaps "x" partly'),
      );
      expectRejected(
        () => layer.forward(x, SHAPE, { out, residual: given }),
        [layer, big],
        range(ALIAS, '"out" overlaps "residual" partly'),
      );
    }
    for (const start of [0, 2 * SIZE]) {
      const out = big.subarray(start, start + SIZE);
      expectSameBits(layer.forward(given, SHAPE, { out }).slice(), layer.forward(given.slice(), SHAPE));
    }
  });
});
