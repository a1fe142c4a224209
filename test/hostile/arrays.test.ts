// Arrays of foreign or hostile make are taken for what they are, on every backend, or refused.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormBackward, batchNormTraining } from "../../src/index.js";
import { foreign, Liar, odd, resizable, shared } from "../support/foreign-arrays.js";
import { expectSameBits, normals, tokenOf, usableBackends } from "../support/reference.js";
import { ALIAS, expectRejected, range, SHAPE as WRONG_SHAPE, type, TYPE } from "../support/rejected.js";

const SHAPE = [2, 3, 4];
const SIZE = 24;
const x = normals("float32", SIZE, 1);
const dy = normals("float32", SIZE, 2);
const y = batchNormTraining(x, SHAPE).output;
const gradients = batchNormBackward(dy, tokenOf(batchNormTraining(x, SHAPE).saved));

describe.each(usableBackends)("%s", (backend) => {
  const makes: [string, (values: Float32Array) => Float32Array][] = [
    ["another realm", foreign],
    ["SharedArrayBuffer", shared],
    ["a resizable buffer", (values) => resizable(values).array],
    ["a lying subclass", (values) => new Liar(Array.from(values))],
    ["a view at an odd offset", odd],
  ];
  test.each(makes)("arrays of %s, as inputs and outputs", (_, make) => {
    const layer = new BatchNorm(3, { backend });
    const out = make(new Float32Array(SIZE));
    const gradOut = make(new Float32Array(SIZE));
    expect(layer.forward(make(x), SHAPE, { out })).toBe(out);
    expect(layer.backward(make(dy), { out: gradOut }).gradInput).toBe(gradOut);
    const plain = (array: Float32Array): Float32Array => Float32Array.from({ length: SIZE }, (_, p) => array[p]!);
    expectSameBits(plain(out), y);
    expectSameBits(plain(gradOut), gradients.gradInput);
    const replaced = make(x);
    layer.forward(replaced, SHAPE, { out: replaced, save: false });
    expectSameBits(plain(replaced), y);
  });
});

test.each(usableBackends)("%s: methods of an array are not called", (backend) => {
  const shape = [2, 3, 100];
  const values = normals("float32", 600, 4);
  const expected = batchNormTraining(values, shape).output;
  const hostile = (): Float32Array =>
    Object.defineProperties(new Float32Array(602).subarray(1, 601), {
      length: { value: 5 },
      subarray: { value: () => new Float32Array(1e6) },
      set: { value: () => expect.fail("set was called") },
    });
  const x = hostile();
  values.forEach((value, p) => (x[p] = value));
  const out = hostile();
  expect(new BatchNorm(3, { backend }).forward(x, shape, { out })).toBe(out);
  expectSameBits(
    Float32Array.from({ length: 600 }, (_, p) => out[p]!),
    expected,
  );
});

test("a liar's true length counts, and its true memory for overlaps", () => {
  const layer = new BatchNorm(3).eval();
  expectRejected(
    () => layer.forward(new Liar(23), SHAPE),
    [layer],
    range(WRONG_SHAPE, '"x" expected length 24, got 23'),
  );
  const memory = new Float32Array(30);
  const expected = range(ALIAS, '"out" overlaps "x" partly');
  expectRejected(
    () => layer.forward(new Liar(memory.buffer, 0, SIZE), SHAPE, { out: memory.subarray(2, 26) }),
    [layer, memory],
    expected,
  );
});

test("proxies and look-alikes of arrays are no arrays", () => {
  const layer = new BatchNorm(3);
  const lookAlike: unknown = Object.create(Float32Array.prototype);
  for (const fake of [new Proxy(x, {}), lookAlike]) {
    const out = fake as Float32Array;
    expectRejected(
      () => layer.forward(x, SHAPE, { out }),
      [layer, x],
      type(TYPE, '"out" expected a Float32Array, got an object'),
    );
    expectRejected(
      () => layer.forward({ data: out, shape: SHAPE }),
      [layer, x],
      type(TYPE, '"x" expected a Float32Array, got an object'),
    );
  }
});
