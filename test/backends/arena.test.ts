// createArena: what it hands out and refuses, and that calls on its arrays copy nothing.
import { afterEach, describe, expect, test, vi } from "vitest";
import { BackendUnavailableError, BatchNorm, createArena, type Arena } from "../../src/index.js";
import { isAvailable } from "../support/backends.js";
import { valuesCopied } from "../support/copies.js";
import { errorOf } from "../support/rejected.js";

const SHAPE = [4, 3, 32];
const LENGTH = 384;

function filled(array: Float32Array, seed: number): Float32Array {
  for (let i = 0; i < array.length; i++) array[i] = Math.fround(Math.sin(seed + i * 1.7) * 3);
  return array;
}

/** Forward and backward of one layer on arrays made by `make`; all results. */
function train(make: (length: number) => Float32Array): Float32Array[] {
  const layer = new BatchNorm(3, { backend: "wasm", activation: "relu" });
  const [x, y, residual, dy, dx, dresidual] = Array.from({ length: 6 }, (_, i) => filled(make(LENGTH), i));
  layer.forward(x!, SHAPE, { out: y!, residual: residual! });
  const { gradWeight, gradBias } = layer.backward(dy!, { out: dx!, residualOut: dresidual! });
  layer.eval();
  const prediction = layer.forward(x!, SHAPE, { out: make(LENGTH) });
  return [y!, dx!, dresidual!, gradWeight!, gradBias!, prediction];
}

vi.mock("../../src/base/arrays.js", async (original) =>
  (await import("../support/copies.js")).counted(await original()),
);

describe.skipIf(!isAvailable("wasm"))("createArena", () => {
  afterEach(() => vi.restoreAllMocks());

  test("arrays are zeros, aligned, apart, and inside of what was asked for", () => {
    const arena = createArena(1024);
    expect(arena.bytes).toBe(1024);
    const arrays = [arena.float32(3), arena.float64(5), arena.float32(0), arena.float32(16)];
    expect(arrays.map(({ byteOffset }) => byteOffset % 64)).toEqual([0, 0, 0, 0]);
    expect(arrays.map(({ length }) => length)).toEqual([3, 5, 0, 16]);
    for (const array of arrays) array.fill(NaN);
    expect([...arena.float32(16)]).toEqual(new Array(16).fill(0));
    expect(arena.free).toBe(1024 - 4 * 64);
    expect(arena.float32(192)).toHaveLength(192);
    expect(arena.free).toBe(0);
  });

  test("the last bytes can be had", () => {
    const arena = createArena(100);
    expect(arena.float32(25)).toHaveLength(25);
    expect(arena.free).toBe(0);
  });

  test("every size has its bytes, and kernels work on them to the last one", () => {
    const layer = new BatchNorm(1, { backend: "wasm" });
    for (let bytes = 65_536 - 256; bytes <= 2 * 65_536 + 256; bytes += 452) {
      const arena = createArena(bytes);
      const x = filled(arena.float32(bytes / 4), bytes);
      const expected = layer.clone().forward(x.slice(), [x.length, 1]);
      let y = x;
      expect(
        valuesCopied(() => (y = layer.forward(x, [x.length, 1], { out: x, save: false }))),
        String(bytes),
      ).toBe(0);
      expect(Buffer.from(y.slice().buffer).equals(Buffer.from(expected.buffer)), String(bytes)).toBe(true);
    }
  });

  test("the largest arena that its message promises is the largest", () => {
    const { message } = errorOf(() => createArena(2 ** 40)) as Error;
    const most = Number(/at most (\d+)/.exec(message)![1]);
    expect(most).toBeGreaterThan(4.28e9);
    const arena = createArena(most);
    arena.float64((arena.free - 1024) / 8);
    const last = filled(arena.float32(arena.free / 4), 1);
    const y = new BatchNorm(1, { backend: "wasm" }).forward(last, [last.length, 1], { out: last, save: false });
    expect([...y]).not.toContain(NaN);
    expect(errorOf(() => createArena(most + 1))).toMatchObject({ code: "ERR_BATCHNORM_VALUE" });
  });

  test.each(["float16", "bfloat16"] as const)("arrays of %s are their bits, and give the same results", (dtype) => {
    const arena = createArena(2 ** 16);
    const x = arena[dtype](LENGTH);
    expect([x.constructor, x.length, x.byteOffset % 64]).toEqual([Uint16Array, LENGTH, 0]);
    for (let i = 0; i < LENGTH; i++) x[i] = 0x3c00 + ((i * 7) % 512);
    const layer = new BatchNorm(3, { backend: "wasm", dtype });
    const expected = layer.clone().forward(x.slice(), SHAPE);
    expect(layer.forward(x, SHAPE, { out: arena[dtype](LENGTH) })).toEqual(expected);
  });

  test("calls on its arrays give the same bits and copy none of them", () => {
    const arena = createArena(2 ** 16);
    let expected: Float32Array[] = [];
    let got: Float32Array[] = [];
    expect(valuesCopied(() => (expected = train((length) => new Float32Array(length))))).toBeGreaterThan(LENGTH);
    expect(valuesCopied(() => (got = train((length) => arena.float32(length))))).toBe(0);
    expect(got.map((array) => [...array])).toEqual(expected.map((array) => [...array]));
  });

  test("an ordinary array among them, or one of another arena, is copied, with the same bits", () => {
    const arenas = [createArena(2 ** 16), createArena(2 ** 16)];
    const expected = train((length) => new Float32Array(length));
    let i = 0;
    for (const make of [
      (length: number) => (i++ % 3 === 0 ? new Float32Array(length) : arenas[0]!.float32(length)),
      (length: number) => arenas[i++ % 2]!.float32(length),
    ]) {
      expect(train(make).map((array) => [...array])).toEqual(expected.map((array) => [...array]));
    }
  });

  test("an array made by hand over all of the memory is an ordinary one", () => {
    const arena = createArena(2 ** 12);
    const { buffer } = arena.float32(1);
    const all = filled(new Float32Array(buffer), 1);
    const layer = new BatchNorm(1, { backend: "wasm" });
    const expected = layer.clone().forward(all.slice(), [all.length, 1]);
    layer.forward(all, [all.length, 1], { out: all, save: false });
    expect(Buffer.from(all.slice().buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });

  test("more columns than its control block has room for are copied", () => {
    const channels = 60_000;
    const arena = createArena(2 * 4 * 2 * channels);
    const x = filled(arena.float32(2 * channels), 3);
    const layer = new BatchNorm(channels, { backend: "wasm" });
    const expected = layer.clone().forward(x.slice(), [2, channels]);
    const y = layer.forward(x, [2, channels], { out: arena.float32(2 * channels) });
    expect(Buffer.from(y.slice().buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });

  test("disposed of: no more arrays; those there are still work", () => {
    const arena = createArena(2 ** 16);
    const expected = train((length) => new Float32Array(length));
    const made: Float32Array[] = Array.from({ length: 7 }, () => arena.float32(LENGTH));
    arena[Symbol.dispose]();
    expect(arena.free).toBe(0);
    expect(() => arena.float32(1)).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_STATE" }) as Error);
    expect(train(() => made.pop()!).map((array) => [...array])).toEqual(expected.map((array) => [...array]));
    arena.dispose();
  });

  test.each<[string, (arena: Arena) => unknown, ErrorConstructor, RegExp]>([
    [
      "too much",
      (arena) => arena.float32(257),
      RangeError,
      /^"length" expected at most 1024 bytes left of 1024, got 257/,
    ],
    ["too much at once", (arena) => arena.float64(2 ** 53 - 1), RangeError, /^"length" expected at most/],
    ["negative", (arena) => arena.float32(-1), RangeError, /^"length" expected a non-negative integer, got -1$/],
    ["a fraction", (arena) => arena.float64(1.5), RangeError, /^"length" expected a non-negative integer, got 1.5$/],
    ["a string", (arena) => arena.float32("1" as never), TypeError, /^"length" expected a number, got "1"$/],
    ["no bytes", () => createArena(0), RangeError, /^"bytes" expected a positive integer, got 0$/],
    ["undefined bytes", () => createArena(undefined as never), TypeError, /^"bytes" expected a number, got undefined$/],
    ["4 GiB", () => createArena(2 ** 32), RangeError, /^"bytes" expected at most \d+, got 4294967296$/],
  ])("%s is refused", (_, body, kind, message) => {
    const arena = createArena(1024);
    expect(() => body(arena)).toThrow(kind);
    expect(() => body(arena)).toThrow(message);
    expect(arena.free).toBe(1024);
  });

  test("memory that the engine does not have is a RangeError", () => {
    vi.spyOn(WebAssembly, "Memory").mockImplementation(function () {
      throw new RangeError("could not allocate memory");
    });
    expect(() => createArena(1024)).toThrow(/^"bytes" expected what the engine can set aside, got 1024: could not/);
  });
});

test("without WASM: unavailable, with the reason", async () => {
  vi.resetModules();
  vi.stubGlobal("WebAssembly", undefined);
  const { createArena: create } = await import("../../src/index.js");
  let error: unknown;
  try {
    create(1024);
  } catch (thrown) {
    error = thrown;
  }
  vi.unstubAllGlobals();
  expect(error).toMatchObject({ name: BackendUnavailableError.name, backend: "wasm" });
  expect((error as BackendUnavailableError).reason).toContain("no WebAssembly");
});
