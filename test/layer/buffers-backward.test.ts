// How gradients may relate to inputs, and the layer's own arrays with `reuse`.
import { describe, expect, test } from "vitest";
import { BatchNorm, coefficients, gradInput, gradSums } from "../../src/index.js";
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

describe("backward", () => {
  const run = (
    options: { activation?: "relu" },
    residualOf: (given: Float32Array) => Float32Array | undefined,
  ): { layer: BatchNorm; given: Float32Array } => {
    const layer = trained(options);
    const given = x.slice();
    const added = residualOf(given);
    layer.forward(given, SHAPE, added ? { residual: added } : {});
    return { layer, given };
  };

  test.each([[{}], [{ activation: "relu" as const }]])("%j: gradInput may replace gradOutput or x", (options) => {
    for (const added of [undefined, residual]) {
      const expected = run(options, () => added).layer.backward(dy);
      for (const view of [(array: Float32Array) => array, twin]) {
        const gradOutput = dy.slice();
        expect(run(options, () => added).layer.backward(gradOutput, { out: view(gradOutput) })).toEqual(expected);
        const { layer, given } = run(options, () => added);
        expect(layer.backward(dy, { out: view(given) })).toEqual(expected);
      }
      const { layer, given } = run(options, () => added);
      const saved = tokenOf(layer.saved);
      expectSameBits(
        gradInput(dy, saved, coefficients(saved, gradSums(dy, saved)), { out: given }).gradInput,
        expected.gradInput,
      );
    }
  });

  test("partial overlaps are refused, whichever arrays they are of", () => {
    const big = normals("float32", 2 * SIZE, 5);
    const [low, high] = [big.subarray(0, SIZE), big.subarray(SIZE - 1, 2 * SIZE - 1)];
    const overlapping: [string, string, () => { layer: BatchNorm; dy: Float32Array; options: object }][] = [
      ["out", "x", () => ({ layer: overlapped(low, residual), dy, options: { out: high } })],
      ["out", "residual", () => ({ layer: overlapped(x, low), dy, options: { out: high } })],
      ["out", "gradOutput", () => ({ layer: overlapped(x, residual), dy: low, options: { out: high } })],
      ["out", "residualOut", () => ({ layer: overlapped(x, residual), dy, options: { out: high, residualOut: low } })],
      ["residualOut", "x", () => ({ layer: overlapped(low, residual), dy, options: { residualOut: high } })],
      ["residualOut", "residual", () => ({ layer: overlapped(x, low), dy, options: { residualOut: high } })],
      [
        "residualOut",
        "gradOutput",
        () => ({ layer: overlapped(x, residual), dy: low, options: { residualOut: high } }),
      ],
    ];
    function overlapped(given: Float32Array, added: Float32Array): BatchNorm {
      const layer = new BatchNorm(3, { activation: "relu" });
      layer.forward(given, SHAPE, { residual: added });
      return layer;
    }
    for (const [output, other, build] of overlapping) {
      const { layer, dy: gradOutput, options } = build();
      expectRejected(
        () => layer.backward(gradOutput, options),
        [layer, big, dy],
        range(ALIAS, `"${output}" overlaps "${other}" partly`),
      );
    }
  });

  test("the output that replaced the residual is still read", () => {
    const layer = new BatchNorm(3, { activation: "relu" });
    const out = residual.slice();
    layer.forward(x, SHAPE, { residual: out, out });
    const expected = range(ALIAS, '"out" must not be "output": the backward still reads it');
    expectRejected(() => layer.backward(dy, { out }), [layer, out], expected);
  });
});

describe("reuse", () => {
  test("the same arrays every call, with the bits of fresh ones, until the size changes", () => {
    const layer = new BatchNorm(3, { reuse: true });
    const fresh = new BatchNorm(3);
    const y = layer.forward(x, SHAPE);
    expectSameBits(y, fresh.forward(x, SHAPE));
    const { gradInput: dx } = layer.backward(dy);
    expectSameBits(dx, fresh.backward(dy).gradInput);
    expect(dx.buffer).not.toBe(y.buffer);
    expect(layer.forward(residual, SHAPE)).toBe(y);
    expectSameBits(y, fresh.forward(residual, SHAPE));
    expect(layer.backward(dy).gradInput).toBe(dx);
    const smaller = layer.forward(x.subarray(12), [1, 3, 4]);
    expect(smaller).not.toBe(y);
    expectSameBits(smaller, new BatchNorm(3).forward(x.subarray(12), [1, 3, 4]));
    const out = new Float32Array(SIZE);
    expect(layer.forward(x, SHAPE, { out })).toBe(out);
  });

  test("an input that is the layer's own output or gradInput is replaced or refused, as if it were named", () => {
    const layer = new BatchNorm(3, { reuse: true, activation: "relu" });
    const y = layer.forward(x, SHAPE, { residual });
    const { gradInput: dx } = layer.backward(dy);
    const refusedX = range(ALIAS, '"output" must not be "x": the saved forward needs x (save: false gives it up)');
    expectRejected(() => layer.forward(y, SHAPE), [layer, y], refusedX);
    layer.forward(x, SHAPE, { residual });
    expectRejected(
      () => layer.backward(dy, { residualOut: dx }),
      [layer, dx],
      range(ALIAS, '"out" must not be "residualOut"'),
    );
    layer.forward(x, SHAPE, { residual: dx });
    const refusedAux = range(ALIAS, '"out" must not be "residual": the backward still reads it');
    expectRejected(() => layer.backward(dy), [layer, dx], refusedAux);
  });
});
