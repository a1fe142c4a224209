// Tokens that refer to memory which a layer owns, with `reuse`: they end when a later call overwrites it.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormBackward, batchNormTraining, type BatchNormOptions } from "../../src/index.js";
import { normals, tokenOf } from "../support/reference.js";
import { expectRejected, range, SAVED } from "../support/rejected.js";

const SHAPE = [6, 3];
const x1 = normals("float32", 18, 1);
const x2 = normals("float32", 18, 2);
const dy = normals("float32", 18, 3);
const ENDED = range(
  SAVED,
  '"saved" refers to the memory of a layer with "reuse", which a later call has overwritten: ' +
    'run the backward before that call, or pass "out"',
);

const layerOf = (options: BatchNormOptions<"float32"> = {}): BatchNorm => new BatchNorm(3, { reuse: true, ...options });

describe("a token of a layer with reuse", () => {
  test("that saved its output ends with the next forward", () => {
    const layer = layerOf();
    layer.forward(x1, SHAPE, { save: "output" });
    const first = tokenOf(layer.saved);
    layer.forward(x2, SHAPE, { save: "output" });
    expectRejected(() => layer.backward(dy, { saved: first }), [layer], ENDED);
    const alone = layerOf();
    alone.forward(x2, SHAPE, { save: "output" });
    expect(layer.backward(dy)).toEqual(alone.backward(dy));
  });

  test("whose residual is the layer's own output ends with the next forward", () => {
    const layer = layerOf({ activation: "relu" });
    const residual = layer.forward(x1, SHAPE);
    layer.forward(x2, SHAPE, { residual, out: new Float32Array(18) });
    const first = tokenOf(layer.saved);
    layer.forward(x2, SHAPE);
    expectRejected(() => layer.backward(dy, { saved: first }), [layer], ENDED);
  });

  test("that saved x lives on", () => {
    const layer = layerOf();
    layer.forward(x1, SHAPE);
    const first = tokenOf(layer.saved);
    layer.forward(x2, SHAPE);
    const alone = layerOf();
    alone.forward(x1, SHAPE);
    expect(layer.backward(dy, { saved: first })).toEqual(alone.backward(dy));
  });
});

describe("the token of another call that refers to a layer's memory", () => {
  test("ends with the layer's next forward", () => {
    const [first, second] = [layerOf(), new BatchNorm(3)];
    second.forward(first.forward(x1, SHAPE), SHAPE);
    first.forward(x2, SHAPE);
    expectRejected(() => second.backward(dy), [second], ENDED);
  });

  test("ends when any call writes there", () => {
    const hidden = layerOf().forward(x1, SHAPE);
    const { saved } = batchNormTraining(hidden, SHAPE);
    batchNormTraining(x2, SHAPE, { out: hidden });
    expectRejected(() => batchNormBackward(dy, saved), [saved], ENDED);
  });

  test("ends when the layer's gradInput is written again", () => {
    const layer = layerOf();
    layer.forward(x1, SHAPE);
    const { saved } = batchNormTraining(layer.backward(dy).gradInput, SHAPE);
    layer.forward(x2, SHAPE);
    layer.backward(dy);
    expectRejected(() => batchNormBackward(dy, saved), [saved], ENDED);
  });
});

test("gradInput may take the place of an x that a layer owns", () => {
  const hidden = layerOf().forward(x1, SHAPE);
  const expected = batchNormBackward(dy, batchNormTraining(hidden.slice(), SHAPE).saved);
  expect(batchNormBackward(dy, batchNormTraining(hidden, SHAPE).saved, { out: hidden })).toEqual(expected);
});
