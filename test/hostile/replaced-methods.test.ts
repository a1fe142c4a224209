// Methods of typed arrays that a program replaces after the library was loaded: results stay right on every backend.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormMoments,
  batchNormTraining,
  createArena,
  type BackendRequest,
} from "../../src/index.js";
import { hasNative, isAvailable } from "../support/backends.js";

const SHAPE = [3, 4, 70] as const;
const SIZE = 840;
const typedArray = Object.getPrototypeOf(Float32Array.prototype) as object;
const METHODS = ["set", "fill", "subarray", "slice", "map", "copyWithin", "find", "every", "at", "with"];

const values = (seed: number): Float32Array =>
  Float32Array.from({ length: SIZE }, (_, i) => ((i * seed) % 97) / 16 - 3);
const [x, dy, residual, ddx] = [7, 11, 13, 17].map(values) as [Float32Array, Float32Array, Float32Array, Float32Array];
const weight = Float32Array.of(1, 2, 0.5, -1);
const rows = Float32Array.of(1, 2, 0.5, -1, 0, 1, 3, 2, -2, 1, 1, 0.25);
const sampleWeights = Float32Array.of(1, 0, 2);
const mask = Uint8Array.from({ length: 210 }, (_, i) => Number(i % 5 > 0));
const half = Uint16Array.from({ length: SIZE }, (_, i) => 0x3c00 + ((i * 7) % 512));

/** Methods that do nothing, until the function returns. */
function withoutMethods<T>(body: () => T): T {
  const kept = METHODS.map((name) => [name, Object.getOwnPropertyDescriptor(typedArray, name)] as const);
  for (const [name] of kept) {
    Object.defineProperty(typedArray, name, { configurable: true, writable: true, value: (): undefined => undefined });
  }
  try {
    return body();
  } finally {
    for (const [name, descriptor] of kept) if (descriptor) Object.defineProperty(typedArray, name, descriptor);
  }
}

/** All results of calls of every kind. */
function compute(backend: BackendRequest, make: (array: Float32Array) => Float32Array): unknown[] {
  const bn = new BatchNorm(4, { backend, activation: "relu" });
  const results: unknown[] = [bn.forward(make(x), SHAPE, { residual: make(residual), out: make(x) })];
  results.push(bn.backward(make(dy), { out: make(dy) }));
  results.push(bn.forward(make(x), SHAPE, { sampleWeights, mask, maskedOutput: "zero" }), bn.backward(make(dy)));
  for (const options of [{}, { virtualBatchSize: 2, virtualBatches: "interleaved" as const }]) {
    const conditional = new BatchNorm(4, { backend, ...options });
    results.push(conditional.forward(make(x), SHAPE, { weight: rows }), conditional.backward(make(dy)));
  }
  const apart = new BatchNorm(20, { backend, axis: [1, 3] });
  results.push(apart.forward(make(x), [3, 4, 14, 5]), apart.backward(make(dy)));
  bn.eval();
  results.push(bn.forward(make(x), SHAPE), bn.runningMean, bn.runningVar);
  const options = { weight, backend };
  const { saved, moments, output } = batchNormTraining(make(x), SHAPE, { ...options, sampleWeights });
  results.push(output, moments, batchNormBackward(make(dy), saved, { backend }));
  const undone = batchNormTraining(make(x), SHAPE, { ...options, save: "output" }).saved;
  const sums = batchNormGradSums(make(dy), undone, { backend });
  const coefficients = batchNormGradCoefficients(undone, sums);
  results.push(sums, coefficients, batchNormGradInput(make(dy), undone, coefficients, { backend }));
  const whole = batchNormTraining(make(x), SHAPE, { ...options, moments: batchNormMoments(x, SHAPE, { backend }) });
  const gradGrads = { gradGradInput: make(ddx), gradGradWeight: weight };
  results.push(batchNormDoubleBackward(whole.saved, make(dy), gradGrads, { backend }));
  const sixteen = new BatchNorm(4, { backend, dtype: "float16" });
  results.push(sixteen.forward(half, SHAPE));
  return results;
}

describe.each(["native", "wasm", "oracle"] as const)("%s", (backend) => {
  test.skipIf(backend === "native" ? !hasNative : !isAvailable(backend))("ordinary arrays", () => {
    const copy = (array: Float32Array): Float32Array => Float32Array.from(array);
    const expected = compute(backend, copy);
    expect(withoutMethods(() => compute(backend, copy))).toEqual(expected);
  });
});

test.skipIf(!isAvailable("wasm"))("arrays of an arena", () => {
  const arena = createArena(1 << 18);
  const make = (array: Float32Array): Float32Array => {
    const place = arena.float32(SIZE);
    for (let i = 0; i < SIZE; i++) place[i] = array[i]!;
    return place;
  };
  const expected = compute("wasm", (array) => array.slice());
  compute("wasm", make);
  arena.reset();
  expect(withoutMethods(() => compute("wasm", make))).toEqual(expected);
});
