// Arguments of foreign or hostile make: other realms, shared and resizable memory, subclasses, proxies, getters that act.
import { createContext, runInContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormBackward, batchNormTraining, type Saved } from "../src/index.js";
import type { Data } from "../src/types.js";
import { expectSameBits, normals, tokenOf, usableBackends } from "./support/reference.js";
import { errorOf, expectRejected, range, type } from "./support/rejected.js";

const SHAPE = [2, 3, 4];
const SIZE = 24;
const x = normals("float32", SIZE, 1);
const dy = normals("float32", SIZE, 2);
const y = batchNormTraining(x, SHAPE).output;
const gradients = batchNormBackward(dy, tokenOf(batchNormTraining(x, SHAPE).saved));

/** Node 20 has resizable buffers; the language level of this project's types does not. */
interface Resizable { resize(size: number): void }
const ResizableBuffer = ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ArrayBuffer & Resizable;

function resizable(values: Float32Array): { array: Float32Array; buffer: ArrayBuffer & Resizable } {
  const buffer = new ResizableBuffer(values.byteLength, { maxByteLength: 2 * values.byteLength });
  const array = new Float32Array(buffer);
  array.set(values);
  return { array, buffer };
}

function shared(values: Float32Array): Float32Array {
  const array = new Float32Array(new SharedArrayBuffer(values.byteLength));
  array.set(values);
  return array;
}

const realm = createContext({});
function foreign(values: Float32Array): Float32Array {
  return runInContext("(values) => new Float32Array(values)", realm)(Array.from(values)) as Float32Array;
}

/** Lies about everything that a script can see. */
class Liar extends Float32Array {
  static get [Symbol.species](): Float32ArrayConstructor { throw new Error("species was asked"); }
  override get length(): number { return 1e6; }
  override get byteLength(): number { return 1; }
  override get byteOffset(): number { return 4096; }
  override get buffer(): ArrayBuffer { return new ArrayBuffer(8); }
  // @ts-expect-error the library declares a property here
  get [Symbol.toStringTag](): string { return "Int8Array"; }
  override set(): void { throw new Error("set was called"); }
  override subarray(): never { throw new Error("subarray was called"); }
  override slice(): never { throw new Error("slice was called"); }
}

/** A view far into a larger buffer, off any alignment but its own. */
function odd(values: Float32Array): Float32Array {
  const array = new Float32Array(new ArrayBuffer(4 * (values.length + 64)), 4 * 37, values.length);
  array.set(values);
  return array;
}

describe.each(usableBackends)("%s", (backend) => {
  const makes: [string, (values: Float32Array) => Float32Array][] = [
    ["another realm", foreign], ["SharedArrayBuffer", shared], ["a resizable buffer", (values) => resizable(values).array],
    ["a lying subclass", (values) => new Liar(Array.from(values))], ["a view at an odd offset", odd],
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

test("a liar's true length counts, and its true memory for overlaps", () => {
  const layer = new BatchNorm(3).eval();
  expectRejected(() => layer.forward(new Liar(23), SHAPE), [layer], range("ERR_BATCHNORM_SHAPE", '"x" expected length 24, got 23'));
  const memory = new Float32Array(30);
  const expected = range("ERR_BATCHNORM_ALIAS", '"out" overlaps "x" partly');
  expectRejected(() => layer.forward(new Liar(memory.buffer, 0, SIZE), SHAPE, { out: memory.subarray(2, 26) }), [layer, memory], expected);
});

test("proxies and look-alikes of arrays are no arrays", () => {
  const layer = new BatchNorm(3);
  const lookAlike: unknown = Object.create(Float32Array.prototype);
  for (const fake of [new Proxy(x, {}), lookAlike]) {
    const out = fake as Float32Array;
    expectRejected(() => layer.forward(x, SHAPE, { out }), [layer, x], type("ERR_BATCHNORM_TYPE", '"out" expected a Float32Array, got an object'));
    expectRejected(() => layer.forward({ data: out, shape: SHAPE }), [layer, x], type("ERR_BATCHNORM_TYPE", '"x" expected a Float32Array, got an object'));
  }
});

/** Each value in turn, the last for ever. */
function changing<T extends object>(target: T, key: keyof T, answers: readonly unknown[]): T {
  let asked = 0;
  return Object.defineProperty({ ...target }, key, { enumerable: true, get: () => answers[Math.min(asked++, answers.length - 1)] });
}

describe("getters that change their answer are asked once", () => {
  const other = { weight: new Float64Array(1), shape: [4096, 3, 4], dtype: "float64", out: new Float32Array(1) };

  test("tensors, shapes and options", () => {
    const run = (): BatchNorm => new BatchNorm(3);
    expectSameBits(run().forward(changing({ data: x, shape: SHAPE }, "data", [x, other.out])).data, y);
    expectSameBits(run().forward(changing({ data: x, shape: SHAPE }, "shape", [SHAPE, other.shape])).data, y);
    const sizes = changing([...SHAPE] as unknown as Record<number, number>, 0, [2, 4096]);
    const shape = new Proxy([...SHAPE], { get: (target, key) => (key === "0" ? sizes[0] : Reflect.get(target, key)) as unknown });
    expectSameBits(run().forward(x, shape), y);
    const out = new Float32Array(SIZE);
    expectSameBits(run().forward(x, SHAPE, changing({ out }, "out", [out, other.out])), y);
    expect(new BatchNorm(3, changing({ dtype: "float32" as const }, "dtype", ["float32", "float64"])).weight).toBeInstanceOf(Float32Array);
  });

  test.each(["dtype", "shape", "outer", "channels", "inner", "x", "mean", "aux", "activation", "count"] as const)("a token's %s", (field) => {
    const saved = tokenOf(batchNormTraining(x, SHAPE).saved);
    const answers: Record<string, unknown> = { outer: 4096, channels: 1e6, inner: 1e9, x: other.out, mean: new Float64Array(1), aux: other.out, activation: "relu", count: -1 };
    const token = changing(saved, field, [saved[field], answers[field] ?? other[field as "dtype"]]);
    expect(batchNormBackward(dy, token)).toEqual(gradients);
    const again = changing(saved, field, [saved[field], answers[field] ?? other[field as "dtype"]]);
    expect(new BatchNorm(3).backward(dy, { saved: again })).toEqual(gradients);
  });
});

/** What a getter can do to memory between two looks at it. */
const attacks: [string, (memory: ArrayBuffer & Resizable) => void][] = [
  ["detach", (memory) => structuredClone(memory, { transfer: [memory] })],
  ["shrink", (memory) => { memory.resize(16); }],
  ["empty", (memory) => { memory.resize(0); }],
];

describe.each(attacks)("getters that %s memory already seen", (_, attack) => {
  const codes = ["ERR_BATCHNORM_DETACHED", "ERR_BATCHNORM_SHAPE"];
  const victims: [string, (victim: Data, act: () => void, layer: BatchNorm) => unknown][] = [
    ["x, from an option", (victim, act, layer) => layer.forward(victim as Float32Array, SHAPE, { get save() { act(); return true; } })],
    ["x, from the residual's shape", (victim, act, layer) => layer.forward(victim as Float32Array, SHAPE, { residual: { data: dy, get shape() { act(); return SHAPE; } } })],
    ["out, from the residual's data", (victim, act, layer) => layer.forward(x, SHAPE, { out: victim as Float32Array, residual: { shape: SHAPE, get data() { act(); return dy; } } })],
    ["gradOutput, from a token", (victim, act) => {
      const saved = tokenOf(batchNormTraining(x, SHAPE).saved);
      return batchNormBackward(victim as Float32Array, { ...saved, get shape() { act(); return SHAPE; } } as Saved<"float32">);
    }],
    ["out, from gradOutput's shape", (victim, act, layer) => layer.backward({ data: dy, get shape() { act(); return SHAPE; } }, { out: victim as Float32Array })],
    ["accumulate, from a token", (victim, act) => {
      const saved = tokenOf(batchNormTraining(x, SHAPE, { weight: new Float32Array(3) }).saved);
      const accumulate = { gradWeight: victim.subarray(0, 3) as Float32Array, gradBias: null };
      return batchNormBackward(dy, { ...saved, get shape() { act(); return SHAPE; } } as Saved<"float32">, { accumulate });
    }],
  ];
  test.each(victims)("%s", (name, run) => {
    const { array, buffer } = resizable(x);
    const layer = new BatchNorm(3);
    layer.forward(x, SHAPE);
    const state = layer.stateDict();
    const token = layer.saved;
    const error = errorOf(() => run(array, () => { attack(buffer); }, layer)) as { code?: string } | undefined;
    // 16 bytes still hold the 3 elements of the accumulated gradient.
    if (!(name.startsWith("accumulate") && buffer.byteLength === 16)) expect(codes).toContain(error?.code);
    expect(layer.stateDict()).toEqual(state);
    expect(layer.saved).toBe(token);
    expectSameBits(layer.backward(dy).gradInput, gradients.gradInput);
  });
});

test("a getter that runs the layer inside its own call", () => {
  const layer = new BatchNorm(3);
  const result = layer.forward(x, SHAPE, { residual: { shape: SHAPE, get data() { layer.forward(dy.subarray(12), [1, 3, 4]); return new Float32Array(SIZE); } } });
  expectSameBits(result, y);
  expect(layer.numBatchesTracked).toBe(2);
  expectSameBits(layer.backward(dy).gradInput, gradients.gradInput);
});
