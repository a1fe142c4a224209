// The workers that run the kernels of asynchronous calls on WebAssembly: what happens where there are none, and where one dies.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isAvailable } from "../support/backends.js";
import { CHANNELS, SHAPE, SIZE, drawn, expectSame } from "../support/async-calls.js";
import { boxesIn, boxesOf, portionsOf } from "../../src/backends/wasm/tiles.js";
import type * as Library from "../../src/index.js";
import type * as Workers from "../../src/backends/wasm/workers.js";

/** What is made in place of the next workers: a program, or an error. The real one follows when the list is empty. */
const next = vi.hoisted(() => ({ programs: [] as (string | Error)[], made: 0, ended: 0 }));
vi.mock("../../src/backends/wasm/workers.js", async (original) => {
  const real = await original<typeof Workers>();
  const makeWorker: typeof real.makeWorker = (program, listener) => {
    next.made++;
    const planned = next.programs.shift() ?? program;
    if (planned instanceof Error) throw planned;
    const ended = (): void => {
      next.ended++;
      listener.ended?.();
    };
    return real.makeWorker(planned, { ...listener, ended });
  };
  return { ...real, makeWorker };
});

const x = (seed = 1): Float32Array => drawn("float32", SIZE, seed) as Float32Array;
const BEGINS = 'const { parentPort } = process.getBuiltinModule("node:worker_threads");';
const onSecond = (what: string): string =>
  `${BEGINS} let heard = 0; parentPort.on("message", () => heard++ ? ${what} : parentPort.postMessage("ready"));`;

describe("the portions of a call", () => {
  test("have each box once, begin where sums do, and leave nobody without work", () => {
    let count = 0;
    for (const [outer, channels, inner] of [
      [8, 5, 100],
      [1, 7, 4000],
      [3000, 4, 1],
      [2, 1, 9000],
    ] as const) {
      for (const step of [
        { outer, channels: 2, inner },
        { outer: 1, channels: 1, inner: 500 },
        { outer: 100, channels, inner: 1 },
      ]) {
        const boxes = boxesOf({ outer, channels, inner }, step);
        for (const sums of [false, true]) {
          for (const threads of [1, 2, 3, 7]) {
            const portions = portionsOf(boxes, sums, threads);
            expect(portions.flatMap(([begin, end]) => boxes.slice(begin, end))).toEqual(boxes);
            expect(portions.every(([begin, end]) => end > begin)).toBe(true);
            const own = portions.map((portion) => boxesIn(boxes, portion));
            expect(own.every((list) => list[0]!.first && list.at(-1).last)).toBe(true);
            if (sums) expect(own.flat()).toEqual(boxes);
            else expect(portions.length).toBe(Math.min(threads, boxes.length));
            count++;
          }
        }
      }
    }
    expect(count).toBe(96);
  });
});

let library: typeof Library;
let expected: Float32Array;

beforeEach(async () => {
  vi.resetModules();
  next.programs = [];
  next.made = next.ended = 0;
  library = await import("../../src/index.js");
  expected = new library.BatchNorm(CHANNELS, { backend: "oracle" }).forward(x(), SHAPE);
});
afterEach(() => void vi.useRealTimers());

const noWorker = (): string | undefined => library.backends().find(({ name }) => name === "wasm")?.noWorker;
const layer = (): Library.BatchNorm => new library.BatchNorm(CHANNELS, { backend: "wasm" });

describe.skipIf(!isAvailable("wasm"))("workers of calls", () => {
  test("one serves calls one after another", async () => {
    const bn = layer();
    for (let i = 0; i < 4; i++) expectSame(await bn.forwardAsync(x(), SHAPE), expected, "output");
    expect(next.made).toBe(1);
    expect(noWorker()).toBe(undefined);
  });

  test.each<[string, string | Error, RegExp]>([
    ["is refused", new Error("no workers today"), /^no workers today$/],
    ["fails before it begins", "throw new Error('not here')", /^a worker cannot run: not here$/],
  ])("where one %s, calls run on the calling thread, and the reason is told", async (_, program, reason) => {
    next.programs = [program];
    const bn = layer();
    const calls = [bn.forwardAsync(x(), SHAPE), layer().forwardAsync(x(), SHAPE)];
    for (const y of await Promise.all(calls)) expectSame(y, expected, "output");
    expect(noWorker()).toMatch(reason);
    expectSame(await layer().forwardAsync(x(), SHAPE), expected, "output");
    expect(next.made).toBeLessThanOrEqual(2);
  });

  test("one that never begins is not waited for", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    next.programs = [`${BEGINS} parentPort.on("message", () => undefined)`];
    const call = layer().forwardAsync(x(), SHAPE);
    for (let i = 0; i < 100 && noWorker() === undefined; i++) {
      vi.advanceTimersByTime(1000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expectSame(await call, expected, "output");
    expect(noWorker()).toBe("a worker cannot run: it has not begun within 10 seconds");
  });

  test.each([
    ["dies", "(() => { throw new Error('gone'); })()", "a kernel failed in a worker: gone"],
    ["ends", "process.exit()", "a kernel failed in a worker: it has ended"],
    ["has a fault", "parentPort.postMessage({ fault: 'unreachable' })", "a kernel failed in a worker: unreachable"],
  ])(
    "where one %s in a call, the call is rejected, nothing moves, and the next one has a new worker",
    async (...row) => {
      const [, program, message] = row;
      next.programs = [onSecond(program)];
      const bn = layer();
      await expect(bn.forwardAsync(x(), SHAPE)).rejects.toThrow(message);
      expect([bn.numBatchesTracked, bn.saved, bn.pending]).toEqual([0, null, 0]);
      expectSame(await bn.forwardAsync(x(), SHAPE), expected, "output");
      expect(next.made).toBe(2);
      expect(noWorker()).toBe(undefined);
    },
  );

  test("one that has died meanwhile is not used", async () => {
    next.programs = [`${BEGINS} parentPort.on("message", () => (parentPort.postMessage("ready"), process.exit()))`];
    const bn = layer();
    await bn.forwardAsync(x(), SHAPE).catch(() => undefined);
    await vi.waitUntil(() => next.ended > 0, { timeout: 60_000 });
    expectSame(await bn.forwardAsync(x(), SHAPE), expected, "output");
  });

  test("one that dies while another one of its call begins: the call is rejected, and the next one has new workers", async () => {
    const dying = `${BEGINS} let heard = 0; parentPort.on("message", () => {
      if (heard++ === 0) parentPort.postMessage("ready"); else process.exit();
    });`;
    const [shape, out] = [[12, 20, 70, 70], drawn("float32", 1_176_000, 4, "shared") as Float32Array];
    const large = drawn("float32", 1_176_000, 1, "shared") as Float32Array;
    next.programs = [`${BEGINS} parentPort.postMessage("ready"); setTimeout(() => process.exit(), 100);`];
    const warmth = await library.warmUp({ backend: "wasm", threads: 1 });
    // The first worker dies meanwhile.
    next.programs = [`const end = Date.now() + 300; while (Date.now() < end); ${dying}`, dying];
    const bn = new library.BatchNorm(20, { backend: "wasm", threads: 3 });
    await expect(bn.forwardAsync(large, shape, { out })).rejects.toMatchObject({ code: "ERR_BATCHNORM_BACKEND" });
    const sync = new library.BatchNorm(20, { backend: "oracle" });
    expectSame(await bn.forwardAsync(large, shape, { out }), sync.forward(large, shape), "output");
    expect(noWorker()).toBe(undefined);
    warmth.dispose();
  });

  test("if another one cannot begin, the call has those that can", async () => {
    await library.warmUp({ backend: "wasm", threads: 1 });
    next.programs = [new Error("no memory"), "throw new Error('no memory')"];
    const [shape, out] = [[12, 20, 70, 70], drawn("float32", 1_176_000, 4, "shared") as Float32Array];
    const large = drawn("float32", 1_176_000, 1, "shared") as Float32Array;
    const bn = new library.BatchNorm(20, { backend: "wasm", threads: 3 });
    await bn.forwardAsync(large, shape, { out });
    expect([bn.threads, noWorker()]).toEqual([1, undefined]);
    await bn.forwardAsync(large, shape, { out });
    expect(bn.threads).toBe(3);
  });

  test.each([[[12, 20, 70, 70]], [[2, 20, 300, 300]], [[50_000, 24]], [[400_000, 3]], [[1, 3, 700, 700]]])(
    "three share a call on shared arrays of %j: the bits of one",
    async (shape) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const [x, dy, residual] = [1, 2, 3].map((seed) => drawn("float32", size, seed, "shared") as Float32Array);
      const options = { activation: "leaky-relu", backend: "wasm" } as const;
      const [sync, later] = [{}, { threads: 3, reuse: true }].map(
        (more) => new library.BatchNorm(shape[1]!, { ...options, ...more }),
      );
      expectSame(await later!.forwardAsync(x!, shape, { residual }), sync!.forward(x!, shape, { residual }), "forward");
      const threads = [later!.threads];
      const out = drawn("float32", size, 4, "shared") as Float32Array;
      const residualOut = drawn("float32", size, 5, "shared") as Float32Array;
      expectSame(await later!.backwardAsync(dy!, { out, residualOut }), sync!.backward(dy!, {}), "backward");
      expect([...threads, later!.threads]).toEqual([3, 3]);
      expectSame(later!.stateDict(), sync!.stateDict(), "state");
      expect(next.made).toBe(3);
    },
  );

  test("they end after some time without a call, or with dispose()", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const bn = layer();
    await bn.forwardAsync(x(), SHAPE);
    vi.advanceTimersByTime(30_000);
    await bn.forwardAsync(x(), SHAPE);
    expect(next.made).toBe(2);
    const warmth = await library.warmUp({ backend: "wasm", threads: 1 });
    warmth.dispose();
    expectSame(await bn.forwardAsync(x(), SHAPE), expected, "output");
    expect(next.made).toBe(3);
  });
});
