// Arenas in a memory of the caller's: arrays in place, other bytes as they were, memories that grow, and refusals.
import { describe, expect, test, vi } from "vitest";
import { BatchNorm, createArena, type ArenaRange, type WebAssemblyMemory } from "../../src/index.js";
import { loadedModule } from "../../src/backends/wasm/wasm.js";
import { isAvailable } from "../support/backends.js";
import { valuesCopied } from "../support/copies.js";
import { errorOf } from "../support/rejected.js";

vi.mock("../../src/base/arrays.js", async (original) =>
  (await import("../support/copies.js")).counted(await original()),
);

const PAGE = 65_536;
const SHAPE = [4, 3, 32];
const LENGTH = 384;

const memoryOf = (pages: number): WebAssembly.Memory => new WebAssembly.Memory({ initial: pages, maximum: pages + 4 });
const values = (seed: number): Float32Array => Float32Array.from({ length: LENGTH }, (_, i) => ((i * seed) % 97) - 40);

/** Forward and backward on arrays that `make` makes of given values; all results. */
function train(make: (values: Float32Array) => Float32Array): number[][] {
  const layer = new BatchNorm(3, { backend: "wasm", activation: "relu" });
  const [x, y, residual, dy, dx, dresidual] = [5, 7, 11, 13, 17, 19].map((seed) => make(values(seed)));
  layer.forward(x!, SHAPE, { out: y!, residual: residual! });
  const { gradWeight, gradBias } = layer.backward(dy!, { out: dx!, residualOut: dresidual! });
  return [y!, dx!, dresidual!, gradWeight!, gradBias!].map((array) => [...array]);
}

/** Makes arrays by hand, one behind the other. */
function byHand(memory: WebAssembly.Memory, begin: number): (values: Float32Array) => Float32Array {
  let at = begin;
  return (given) => {
    const array = new Float32Array(memory.buffer, at, given.length);
    at += given.byteLength;
    array.set(given);
    return array;
  };
}

/** Bytes that belong to other modules. */
function mark(memory: WebAssembly.Memory, begin: number, end: number): () => void {
  const at = (i: number): number => (i * 31) % 251;
  new Uint8Array(memory.buffer, begin, end - begin).forEach((_, i, bytes) => (bytes[i] = at(i)));
  return () => {
    const bytes = new Uint8Array(memory.buffer, begin, end - begin);
    expect(bytes.findIndex((byte, i) => byte !== at(i))).toBe(-1);
  };
}

describe.skipIf(!isAvailable("wasm"))("an arena in a memory of the caller's", () => {
  const expected = train((given) => given);

  test("the module's own data take 128 KiB at most, as the documentation says", () => {
    expect(loadedModule().ownBytes).toBeLessThanOrEqual(2 * PAGE);
  });

  test("all of the memory: arrays are in it, and calls copy nothing", () => {
    const memory = memoryOf(8);
    const arena = createArena(memory);
    expect(arena.bytes).toBeGreaterThan(5 * PAGE);
    const make = (given: Float32Array): Float32Array => {
      const array = arena.float32(given.length);
      expect(array.buffer).toBe(memory.buffer);
      array.set(given);
      return array;
    };
    let got: number[][] = [];
    expect(valuesCopied(() => (got = train(make)))).toBe(0);
    expect(got).toEqual(expected);
    const { free } = arena;
    expect(arena.float32(Math.floor(free / 4)).byteLength).toBeGreaterThan(free - 4);
  });

  test("a part of it: the other bytes stay, and calls work in place on arrays made by hand there too", () => {
    const memory = memoryOf(16);
    const [begin, end] = [4 * PAGE + 12, 9 * PAGE];
    const checks = [mark(memory, 0, 2 * PAGE), mark(memory, 3 * PAGE, begin), mark(memory, end, 16 * PAGE)];
    const arena = createArena(memory, { begin, end });
    arena.float64(Math.floor(arena.free / 8)).fill(3);
    expect(arena.free).toBeLessThan(8);
    let got: number[][] = [];
    expect(valuesCopied(() => (got = train(byHand(memory, 2 * PAGE))))).toBe(0);
    expect(got).toEqual(expected);
    for (const check of checks) check();
  });

  test("arrays at the very beginning are worked on in place, those at the very end are copied", () => {
    const memory = memoryOf(8);
    const arena = createArena(memory, { begin: 2 * PAGE, end: 7 * PAGE });
    for (const [begin, isCopied] of [
      [0, false],
      [8 * PAGE - 6 * 4 * LENGTH, true],
    ] as const) {
      let got: number[][] = [];
      expect(valuesCopied(() => (got = train(byHand(memory, begin)))) > 0).toBe(isCopied);
      expect(got).toEqual(expected);
    }
    arena.dispose();
  });

  test("after the memory has grown, arrays at the old places work in place", () => {
    const memory = memoryOf(8);
    const arena = createArena(memory);
    const { byteOffset } = arena.float32(6 * LENGTH);
    memory.grow(1);
    let got: number[][] = [];
    expect(valuesCopied(() => (got = train(byHand(memory, byteOffset))))).toBe(0);
    expect(got).toEqual(expected);
    expect(arena.float32(4).byteOffset).toBe(byteOffset + 24 * LENGTH);
    expect([...arena.float32(4)]).toEqual([0, 0, 0, 0]);
  });

  test("old bytes of the memory become zeros when they are handed out", () => {
    const memory = memoryOf(8);
    const arena = createArena(memory, { begin: 3 * PAGE });
    const first = arena.float32(1).byteOffset;
    arena.dispose();
    mark(memory, first, 8 * PAGE);
    const again = createArena(memory, { begin: 3 * PAGE });
    expect(again.float32(1000).every((value) => value === 0)).toBe(true);
  });

  test("one arena at a time; a disposed one leaves the memory to the next", () => {
    const memory = memoryOf(8);
    const arena = createArena(memory);
    train((given) => (arena.float32(given.length).set(given), arena.float32(given.length)));
    expect(errorOf(() => createArena(memory, { begin: PAGE }))).toMatchObject({ code: "ERR_BATCHNORM_STATE" });
    arena.dispose();
    expect(createArena(memory).bytes).toBe(arena.bytes);
  });

  test.each<[string, () => unknown, ArenaRange | undefined, string, RegExp]>([
    ["no memory", () => ({ buffer: new ArrayBuffer(PAGE) }), undefined, "TYPE", /^"memory" expected a WebAssembly/],
    [
      "a proxy of a memory",
      () => new Proxy(memoryOf(8), {}),
      undefined,
      "TYPE",
      /expected a WebAssembly.Memory, got an obj/,
    ],
    [
      "what claims to be a memory",
      () => ({ buffer: new ArrayBuffer(8 * PAGE), [Symbol.toStringTag]: "WebAssembly.Memory" }),
      undefined,
      "TYPE",
      /expected a WebAssembly.Memory, got an object$/,
    ],
    ["a range of an arena's own memory", () => PAGE, { begin: 5 }, "OPTION", /^"range" needs a memory of your own/],
    ["an array", () => new Float32Array(4), undefined, "TYPE", /got a Float32Array$/],
    [
      "a shared memory",
      () => new WebAssembly.Memory({ initial: 8, maximum: 8, shared: true }),
      undefined,
      "TYPE",
      /got a shared one$/,
    ],
    ["a memory that is too small", () => memoryOf(2), undefined, "VALUE", /ends at \d+ or later, got 131072$/],
    ["a part that is too small", () => memoryOf(8), { begin: 7 * PAGE }, "VALUE", /ends at \d+ or later, got 524288$/],
    ["a part past the end", () => memoryOf(8), { end: 8 * PAGE + 1 }, "VALUE", /at most the memory's 524288 bytes/],
    ["a negative begin", () => memoryOf(8), { begin: -1 }, "VALUE", /^"range.begin" expected a non-negative integer/],
    ["an unknown option", () => memoryOf(8), { size: 1 } as never, "OPTION", /^unknown option "size"/],
    [
      "the data of another module at its beginning",
      () => {
        const memory = memoryOf(8);
        new Uint8Array(memory.buffer)[1024] = 1;
        return memory;
      },
      undefined,
      "VALUE",
      /^"memory" expected zeros in its first \d+ bytes, got other data: say where/,
    ],
  ])("%s is refused", (_, make, range, code, message) => {
    const error = errorOf(() => createArena(make() as WebAssemblyMemory, range)) as Error;
    expect(error).toMatchObject({ code: `ERR_BATCHNORM_${code}` });
    expect(error.message).toMatch(message);
  });
});
