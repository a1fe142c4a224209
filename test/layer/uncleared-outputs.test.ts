// Large outputs come without zeros: whatever they held before, every element is written.
import { Buffer } from "node:buffer";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormInference,
  type BackendName,
  type BatchNormOptions,
} from "../../src/index.js";
import { allocateOutput } from "../../src/base/outputs.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";

/** 1 MB of float32; 64 channels at axis 1 as well as at the last. */
const SHAPE = [4, 64, 16, 64];
const SIZE = SHAPE.reduce((a, b) => a * b);
const next = random(5);
const values = (length = SIZE): Float32Array => Float32Array.from({ length }, () => 4 * next() - 1);
const x = values(),
  dy = values(),
  residual = values();
const sampleWeights = Float32Array.from({ length: 4 }, (_, i) => (i % 3 === 0 ? 0 : 1 + i));

const real = Buffer.allocUnsafeSlow.bind(Buffer);
const filled = vi.fn((bytes: number) => real(bytes).fill(0xff));
beforeEach(() => {
  filled.mockClear();
  vi.spyOn(Buffer, "allocUnsafeSlow").mockImplementation(filled);
});
afterEach(() => vi.restoreAllMocks());

const available = backendsUnderTest.filter(({ kernels }) => kernels !== null).map(({ name }) => name);

/** Whether two arrays hold the same bytes. A comparison by `toEqual` takes a second. */
const isEqual = (a: Float32Array, b: Float32Array): boolean => bytesOf(a).equals(bytesOf(b));
const bytesOf = ({ buffer }: Float32Array): Buffer => Buffer.from(buffer);

/** All arrays of a forward and a backward; with `out` into arrays of zeros. */
function results(options: BatchNormOptions<"float32">, call: object, own: boolean): Float32Array[] {
  const zeros = (): { out: Float32Array } => ({ out: new Float32Array(SIZE) });
  const bn = new BatchNorm(64, options);
  const y = bn.forward(x, SHAPE, own ? call : { ...call, ...zeros() });
  const residualOut = own || !("residual" in call) ? {} : { residualOut: new Float32Array(SIZE) };
  const { gradInput, gradResidual } = bn.backward(dy, own ? {} : { ...zeros(), ...residualOut });
  return [y, gradInput, ...(gradResidual ? [gradResidual] : [])];
}

describe.each(available)("%s", (name) => {
  const backend = name as BackendName;
  test.each<[string, BatchNormOptions<"float32">, object]>([
    ["plain", {}, {}],
    ["channels-last", { layout: "channels-last", activation: "relu" }, {}],
    ["a residual", { activation: "relu" }, { residual }],
    ["weights of 0", {}, { sampleWeights }],
    ["virtual batches", { virtualBatchSize: 3 }, { residual }],
    ["interleaved virtual batches", { virtualBatchSize: 3, virtualBatches: "interleaved" }, {}],
  ])("%s: as into zeros", (_, options, call) => {
    const got = results({ backend, ...options }, call, true);
    expect(filled).toHaveBeenCalled();
    results({ backend, ...options }, call, false).forEach((wanted, i) => expect(isEqual(got[i]!, wanted)).toBe(true));
  });
});

test("the calls without a layer likewise", () => {
  const runningMean = values(64),
    runningVar = new Float32Array(64).fill(2);
  const given = { runningMean, runningVar, residual, save: true as const };
  const got = batchNormInference(x, SHAPE, given);
  const wanted = batchNormInference(x, SHAPE, { ...given, out: new Float32Array(SIZE) });
  expect(isEqual(got.output, wanted.output)).toBe(true);
  const zeros = { out: new Float32Array(SIZE), residualOut: new Float32Array(SIZE) };
  const grads = [batchNormBackward(dy, got.saved), batchNormBackward(dy, wanted.saved, zeros)];
  expect(isEqual(grads[0]!.gradInput, grads[1]!.gradInput)).toBe(true);
  expect(isEqual(grads[0]!.gradResidual!, grads[1]!.gradResidual!)).toBe(true);
});

test("have a buffer of their own, which can be transferred", () => {
  for (const [dtype, length] of [
    ["float32", 2 ** 18],
    ["float64", 2 ** 22],
    ["float16", 2 ** 19 + 1],
  ] as const) {
    const array = allocateOutput(dtype, length);
    expect([array.length, array.byteOffset, array.buffer.byteLength]).toEqual([length, 0, array.byteLength]);
    expect(structuredClone(array, { transfer: [array.buffer] })).toHaveLength(length);
  }
  expect(filled).toHaveBeenCalledTimes(3);
  expect(allocateOutput("float32", 100)).toEqual(new Float32Array(100));
});

test("where such memory cannot be had, it is one of zeros", () => {
  vi.spyOn(Buffer, "allocUnsafeSlow").mockImplementation(() => {
    throw new RangeError("no memory");
  });
  expect(allocateOutput("float64", 2 ** 18)).toEqual(new Float64Array(2 ** 18));
});
