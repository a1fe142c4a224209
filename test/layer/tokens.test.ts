// Saved tokens: several forwards before their backwards, accumulation, tokens sent elsewhere.
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormBackward, type BatchNormOptions, type Gradients, type Saved } from "../../src/index.js";
import { expectSameBits, normals, tokenOf } from "../support/reference.js";

const SHAPE = [6, 3, 4];
const SIZE = 72;
const x1 = normals("float32", SIZE, 1);
const x2 = normals("float32", SIZE, 2);
const dy1 = normals("float32", SIZE, 3);
const dy2 = normals("float32", SIZE, 4);

function layerOf(options: BatchNormOptions<"float32"> = {}): BatchNorm {
  const layer = new BatchNorm(3, options);
  layer.weight?.set([0.5, -1.5, 2]);
  layer.bias?.set([0.1, 0.2, -0.3]);
  return layer;
}

/** Gradients of one forward on a layer of its own. */
function alone(x: Float32Array, dy: Float32Array, options?: BatchNormOptions<"float32">): Gradients<"float32"> {
  const layer = layerOf(options);
  layer.forward(x, SHAPE);
  return layer.backward(dy);
}

test.each([
  ["in order", false],
  ["in reverse", true],
])("a layer used twice, backwards %s", (_, reverse) => {
  const layer = layerOf({ activation: "relu" });
  const tokens = [x1, x2].map((x) => {
    layer.forward(x, SHAPE);
    return tokenOf(layer.saved);
  });
  const expected = [alone(x1, dy1, { activation: "relu" }), alone(x2, dy2, { activation: "relu" })];
  for (const i of reverse ? [1, 0] : [0, 1]) {
    expect(layer.backward([dy1, dy2][i]!, { saved: tokens[i]! })).toEqual(expected[i]);
  }
});

test("saved is the newest token: null after its own backward, kept by another's", () => {
  const layer = layerOf();
  expect(layer.saved).toBeNull();
  layer.forward(x1, SHAPE);
  const first = tokenOf(layer.saved);
  layer.forward(x2, SHAPE);
  const second = tokenOf(layer.saved);
  expect(second).not.toBe(first);
  layer.backward(dy1, { saved: first });
  expect(layer.saved).toBe(second);
  layer.backward(dy2);
  expect(layer.saved).toBeNull();
  layer.forward(x1, SHAPE);
  layer.forward(x1, SHAPE, { save: false });
  expect(layer.saved).toBeNull();
  layer.eval().forward(x1, SHAPE);
  expect(layer.saved).toBeNull();
  layer.forward(x1, SHAPE, { save: true });
  expect(tokenOf(layer.saved)).toMatchObject({ fixedStatistics: true, shape: SHAPE, count: 24, dtype: "float32" });
});

test("an evaluation between a forward and its backward keeps the token, and the gradients", () => {
  const layer = layerOf();
  layer.forward(x1, SHAPE);
  const token = tokenOf(layer.saved);
  layer.eval();
  for (const options of [{}, { save: false }]) layer.forward(x2, SHAPE, options);
  expect(layer.saved).toBe(token);
  layer.train();
  expect(layer.backward(dy1)).toEqual(alone(x1, dy1));
  // One that saves takes the place of the token, as does one in training.
  layer.forward(x1, SHAPE);
  layer.eval().forward(x2, SHAPE, { save: true });
  expect(tokenOf(layer.saved).x).toBe(x2);
  layer.train().forward(x1, SHAPE, { save: false });
  expect(layer.saved).toBeNull();
});

test.each<BatchNormOptions<"float32">>([{ reuse: true }, { reuse: false }])(
  "an evaluation that writes over what the token needs ends the token: %o",
  (options) => {
    const layer = layerOf(options);
    const out = layer.forward(x1, SHAPE, { save: "output" });
    layer.eval().forward(x2, SHAPE, options.reuse ? {} : { out });
    expect(layer.saved).toBeNull();
    // x is another array.
    layer.train().forward(x1, SHAPE);
    layer.eval().forward(x2, SHAPE);
    layer.train();
    expect(layer.backward(dy1)).toEqual(alone(x1, dy1));
  },
);

test("a token holds x by reference, the statistics by value, and is frozen", () => {
  const layer = layerOf();
  layer.forward(x1, SHAPE);
  const token = tokenOf(layer.saved);
  expect(token.x).toBe(x1);
  expect(Object.isFrozen(token) && Object.isFrozen(token.shape)).toBe(true);
  const copy = structuredClone(token);
  layer.forward(x2, SHAPE);
  expect(token).toEqual(copy);
});

describe("accumulate", () => {
  const parts = [
    [x1, dy1],
    [x2, dy2],
    [dy1, x1],
  ] as const;

  test("adds every micro-batch's parameter gradients to the first one's arrays, in order", () => {
    const layer = layerOf();
    const separate = parts.map(([x, dy]) => alone(x, dy));
    const sum = (of: "gradWeight" | "gradBias"): Float32Array => {
      const total = separate[0]![of]!.slice();
      for (const { [of]: grads } of separate.slice(1)) grads!.forEach((value, c) => (total[c]! += value));
      return total;
    };
    layer.forward(parts[0][0], SHAPE);
    const first = layer.backward(parts[0][1]);
    let last = first;
    parts.slice(1).forEach(([x, dy], i) => {
      layer.forward(x, SHAPE);
      last = layer.backward(dy, { accumulate: last });
      expectSameBits(last.gradInput, separate[i + 1]!.gradInput);
    });
    expect(last.gradWeight).toBe(first.gradWeight);
    expect(last.gradBias).toBe(first.gradBias);
    expectSameBits(last.gradWeight, sum("gradWeight"));
    expectSameBits(last.gradBias, sum("gradBias"));
  });

  test("with parameters missing", () => {
    const layer = layerOf({ weight: false });
    layer.forward(x1, SHAPE);
    const first = layer.backward(dy1);
    layer.forward(x1, SHAPE);
    const second = layer.backward(dy1, { accumulate: first });
    expect(second.gradWeight).toBeNull();
    expectSameBits(
      second.gradBias,
      alone(x1, dy1).gradBias!.map((value) => value + value),
    );
  });
});

/** A token received on the other end of a channel. */
function throughChannel(token: Saved<"float32">): Saved<"float32"> {
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(token);
  const { message } = receiveMessageOnPort(port2) as { message: Saved<"float32"> };
  port1.close();
  return message;
}

describe.each<[string, (token: Saved<"float32">) => Saved<"float32">]>([
  ["structuredClone", (token) => structuredClone(token)],
  ["a MessageChannel", throughChannel],
  ["transferred memory", (token) => structuredClone(token, { transfer: [token.x.buffer as ArrayBuffer] })],
  ["a spread copy", (token) => ({ ...token })],
  ["a spread copy of a clone", (token) => ({ ...structuredClone(token) })],
])("a token through %s", (_, send) => {
  test.each<[string, BatchNormOptions<"float32">, boolean, boolean]>([
    ["training", {}, false, false],
    ["ReLU", { activation: "relu" }, false, false],
    ["ReLU of a residual sum", { activation: "relu" }, true, false],
    ["inference", { activation: "relu" }, true, true],
  ])("%s: the same gradients, from layer and function", (__, options, residual, evaluate) => {
    const forward = (): Saved<"float32"> => {
      const layer = layerOf(options);
      if (evaluate) layer.eval();
      layer.forward(x1.slice(), SHAPE, { save: true, ...(residual && { residual: x2 }) });
      return tokenOf(layer.saved);
    };
    const expected = batchNormBackward(dy1, forward());
    expect(batchNormBackward(dy1, send(forward()))).toEqual(expected);
    expect(layerOf(options).backward(dy1, { saved: send(forward()) })).toEqual(expected);
  });
});
