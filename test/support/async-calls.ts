// Calls that are made twice, synchronously and asynchronously, on layers that are alike.
import { expect } from "vitest";
import { BatchNorm, type BackendRequest, type BatchNormOptions, type DType, type Saved } from "../../src/index.js";
import { isStoredIn16Bits, type Data } from "../../src/base/types.js";
import { narrow } from "../../src/base/storage.js";
import { random } from "../../src/verify/data.js";

/** More elements than a call on the calling thread has. */
export const SHAPE = [9, 20, 29, 29] as const;
export const CHANNELS = 20;
export const SIZE = 9 * 20 * 29 * 29;

/** The kind of memory that arrays of a call are in. */
export type Memory = "ordinary" | "shared";

/** Numbers of a seed as elements of a type. */
export function drawn(dtype: DType, length: number, seed: number, memory: Memory = "ordinary"): Data {
  const next = random(seed);
  const floats = Float32Array.from({ length }, () => 2 * next() - 0.7);
  const data = dtype === "float32" ? floats : dtype === "float64" ? Float64Array.from(floats) : narrow(dtype, floats);
  return memory === "shared" ? inShared(data) : data;
}

export function inShared<T extends Data>(data: T): T {
  const shared = new SharedArrayBuffer(data.byteLength);
  const copy = new (data.constructor as new (buffer: SharedArrayBuffer) => T)(shared);
  copy.set(data);
  return copy;
}

export const bytesOf = (array: ArrayBufferView): Buffer =>
  Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

/** All typed arrays in a value, by their paths, as bytes; other values as they are. */
export function flat(value: unknown, path = ""): [string, unknown][] {
  if (ArrayBuffer.isView(value)) return [[path, bytesOf(value).toString("base64")]];
  if (typeof value !== "object" || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([key, field]) => flat(field, `${path}.${key}`));
}

/** Compares two results to the bit. */
export function expectSame(got: unknown, expected: unknown, what: string): void {
  const [a, b] = [flat(got), flat(expected)];
  expect(
    a.map(([path]) => path),
    what,
  ).toEqual(b.map(([path]) => path));
  // No diff of megabytes.
  for (const [i, [path, value]] of a.entries()) if (value !== b[i]![1]) expect.fail(`${what}: ${path} differs`);
}

/** What a layer is after a call. */
export const stateOf = (bn: BatchNorm<DType>): unknown => ({
  state: bn.stateDict(),
  saved: bn.saved,
  lastRenorm: bn.lastRenorm,
  threads: bn.threads > 0,
});

/** Two layers with the same options and parameters. */
export function pair(options: BatchNormOptions, backend: BackendRequest, channels = CHANNELS): BatchNorm<DType>[] {
  return [0, 1].map(() => {
    const bn = new BatchNorm<DType>(channels, { ...options, backend });
    for (const table of [bn.weight, bn.bias, bn.runningMean]) table?.forEach((_, c) => (table[c] = 0.5 + 0.1 * c));
    bn.runningVar?.forEach((_, c) => (bn.runningVar![c] = 1 + 0.2 * c));
    return bn;
  });
}

export const floats = (dtype: DType): "float32" | "float64" => (dtype === "float64" ? "float64" : "float32");
export const is16Bit = isStoredIn16Bits;
export type Token = Saved;
