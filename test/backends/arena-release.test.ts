// Arrays that an arena takes back: one of them, or all.
import { describe, expect, test } from "vitest";
import { createArena, type Arena } from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { isAvailable } from "../support/backends.js";
import { errorOf } from "../support/rejected.js";
import { seed } from "../support/sample.js";

const BYTES = 64 * 64;
const align = (bytes: number): number => 64 * Math.ceil(bytes / 64);

/** The most bytes of an arena that lie together and belong to no array. */
function largestGap(first: number, arrays: readonly Float32Array[]): number {
  const taken = arrays
    .filter(({ length }) => length > 0)
    .map(({ byteOffset, byteLength }) => [byteOffset - first, byteOffset - first + align(byteLength)] as const)
    .sort(([a], [b]) => a - b);
  let end = 0;
  let largest = 0;
  for (const [begin, next] of [...taken, [BYTES, BYTES] as const]) {
    largest = Math.max(largest, begin - end);
    end = next;
  }
  return largest;
}

describe.skipIf(!isAvailable("wasm"))("arrays taken back", () => {
  test("a released array's bytes are handed out again, as zeros", () => {
    const arena = createArena(1024);
    const [a, b, c] = [arena.float32(64), arena.float32(64), arena.float32(128)];
    expect(arena.free).toBe(0);
    b.fill(NaN);
    arena.release(b);
    expect(arena.free).toBe(256);
    const again = arena.float64(32);
    expect(again.byteOffset).toBe(b.byteOffset);
    expect([...again]).toEqual(new Array(32).fill(0));
    a.fill(1);
    c.fill(1);
    expect([...again]).toEqual(new Array(32).fill(0));
  });

  test("`free` is the largest array that fits, and neighbours become one piece", () => {
    const arena = createArena(1024);
    const [a, b, c, d] = Array.from({ length: 4 }, () => arena.float32(64));
    arena.release(a!);
    arena.release(c!);
    expect(arena.free).toBe(256);
    expect(() => arena.float32(65)).toThrow(/^"length" expected at most 256 bytes left of 1024, got 65/);
    arena.release(b!);
    expect(arena.free).toBe(768);
    arena.release(d!);
    expect(arena.float32(256)).toHaveLength(256);
  });

  test("reset takes all of them back", () => {
    const arena = createArena(1024);
    const first = arena.float32(100).fill(7);
    arena.float32(0);
    arena.float64(70).fill(7);
    arena.reset();
    expect(arena.free).toBe(1024);
    const whole = arena.float32(256);
    expect(whole.byteOffset).toBe(first.byteOffset);
    expect(whole.every((value) => value === 0)).toBe(true);
  });

  test.each<[string, (arena: Arena, array: Float32Array) => unknown, object]>([
    ["a view", (arena, array) => arena.release(array.subarray(0)), { code: "ERR_BATCHNORM_VALUE" }],
    ["another arena's", (arena) => arena.release(createArena(64).float32(1)), { code: "ERR_BATCHNORM_VALUE" }],
    ["an ordinary array", (arena) => arena.release(new Float32Array(4)), { code: "ERR_BATCHNORM_VALUE" }],
    ["no array", (arena) => arena.release([1] as never), { code: "ERR_BATCHNORM_TYPE", name: "TypeError" }],
    ["nothing", (arena) => arena.release(undefined as never), { code: "ERR_BATCHNORM_TYPE", name: "TypeError" }],
    ["one twice", (arena, array) => [arena.release(array), arena.release(array)], { code: "ERR_BATCHNORM_VALUE" }],
    ["one of before a reset", (arena, array) => [arena.reset(), arena.release(array)], { code: "ERR_BATCHNORM_VALUE" }],
    ["after dispose", (arena, array) => [arena.dispose(), arena.release(array)], { code: "ERR_BATCHNORM_STATE" }],
    ["a reset after dispose", (arena) => [arena.dispose(), arena.reset()], { code: "ERR_BATCHNORM_STATE" }],
  ])("%s is refused", (_, body, expected) => {
    const arena = createArena(1024);
    const array = arena.float32(4);
    expect(errorOf(() => body(arena, array))).toMatchObject(expected);
  });

  test(`any order of takes, releases and resets: no two arrays meet, all are zeros (BATCHNORM_SEED=${seed})`, () => {
    const next = random(seed);
    const below = (limit: number): number => Math.floor(next() * limit);
    const arena = createArena(BYTES);
    const first = arena.float32(0).byteOffset;
    let arrays: Float32Array[] = [];
    for (let step = 0; step < 3000; step++) {
      expect(arena.free).toBe(largestGap(first, arrays));
      const bytes = below(BYTES / 8);
      if (below(200) === 0) {
        arena.reset();
        arrays = [];
      } else if (arrays.length > 0 && below(2) === 0) {
        arena.release(arrays.splice(below(arrays.length), 1)[0]!);
      } else if (bytes <= arena.free) {
        const array = arena.float32(Math.floor(bytes / 4));
        expect(array.every((value) => value === 0)).toBe(true);
        arrays.push(array.fill(1 + step));
      }
      const values = arrays.map((array) => array[0]);
      expect(arrays.every((array, i) => array.every((value) => value === values[i]))).toBe(true);
    }
  });
});
