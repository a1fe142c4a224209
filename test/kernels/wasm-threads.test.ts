// WASM on several threads: how calls are divided, the bits of one thread for any number of them, and workers that begin, end
// and are refused.
import { afterAll, describe, expect, test } from "vitest";
import { BatchNorm, backends, createArena, warmUp } from "../../src/index.js";
import { columnsOf, traversalOf, type Extent } from "../../src/kernels/control.js";
import { Traversal } from "../../src/kernels/layout.js";
import { partOf, stepsOf, type Share, type Step } from "../../src/backends/wasm/shares.js";
import { MOST_SHARES } from "../../src/backends/wasm/worker/seats.js";
import { cases, type Case } from "../../src/verify/cases.js";
import { referenceOf } from "../../src/verify/case-reference.js";
import { lengthOf, shapes } from "../../bench/shapes.js";
import { isAvailable, threadedWasm } from "../support/backends.js";
import { runCase } from "../support/kernel-runner.js";
import { sampleCases } from "../support/sampled-cases.js";

const COUNTS = [2, 3, 7] as const;
const GRAIN = 300_000;

const extentOf = ({ shape: [outer, channels, ...rest] }: (typeof shapes)[number], isLast = false): Extent => {
  const inner = rest.reduce((product, size) => product * size, 1);
  return isLast ? { outer: outer * inner, channels, inner: 1 } : { outer, channels, inner };
};

const sizeOf = ({ outer, channels, inner }: Extent): number => outer * channels * inner;

function divided(kernel: Parameters<typeof stepsOf>[0], extent: Extent, threads: number, grain = GRAIN): Step[] | null {
  const whole = { extent, traversal: traversalOf(extent), threads, grain, mostColumns: 9000, valueBytes: 4 };
  return stepsOf(kernel, whole);
}

/** Values that a share goes over. */
const valuesOf = (extent: Extent, share: Share): number =>
  sizeOf(extent) * partOf({ extent, traversal: traversalOf(extent) }, share);

describe("the division", () => {
  const extents = [
    ...new Set(cases.map(({ extent }) => extent)),
    ...shapes.flatMap((shape) => [extentOf(shape), extentOf(shape, true)]),
  ].filter((extent) => sizeOf(extent) > 0);

  test.each([2, 3, 4, 7, 8, 16])("on %i threads no element is missing, and none is there twice", (threads) => {
    let count = 0;
    for (const grain of [0, GRAIN]) {
      for (const extent of extents) {
        for (const kernel of ["moments", "gradInput", "forward", "backward"] as const) {
          for (const { shares, output, groups } of divided(kernel, extent, threads, grain) ?? []) {
            count++;
            expect(shares.length).toBeLessThanOrEqual(MOST_SHARES);
            const all = shares.reduce((sum, share) => sum + valuesOf(extent, share), 0);
            expect(Math.abs(all / sizeOf(extent) - 1), JSON.stringify({ kernel, extent, grain })).toBeLessThan(1e-9);
            const seen = new Set(shares.map(({ o, c, i, group }) => [o, c, i, group].join()));
            expect(seen.size).toBe(shares.length);
            if (groups > 0) expect(Math.max(...shares.map(({ groupEnd }) => groupEnd))).toBe(groups);
            else if (output === 0) expect(shares.every(({ extent: { outer } }) => outer === extent.outer)).toBe(true);
          }
        }
      }
    }
    expect(count).toBeGreaterThan(100);
  });

  test("in the rows traversals no share has more columns than its scratch", () => {
    const extent = { outer: 64, channels: 30_000, inner: 1 };
    expect(divided("forward", extent, 4)).toBeNull();
    const [step] = divided("moments", extent, 4)!;
    expect(Math.max(...step!.shares.map((share) => columnsOf(share.extent, Traversal.rows)))).toBeLessThanOrEqual(9000);
  });

  const large = shapes.filter(({ name }) => ["A", "B", "E", "I", "L"].includes(name));
  const balances = large.flatMap((shape) =>
    [2, 4, 8].flatMap((threads) =>
      (["forward", "backward"] as const).map((kernel) => ({ name: shape.name, shape, threads, kernel })),
    ),
  );

  test.each(balances)(
    "$name, $kernel, on $threads threads: 5 % at most are waited for",
    ({ shape, threads, kernel }) => {
      const extent = extentOf(shape);
      for (const { shares } of divided(kernel, extent, threads)!) {
        // Threads take shares in order, as soon as they have done one.
        const busy = new Array<number>(threads).fill(0);
        for (const share of shares) {
          const next = busy.indexOf(Math.min(...busy));
          busy[next] = busy[next]! + valuesOf(extent, share);
        }
        expect(Math.max(...busy) / (sizeOf(extent) / threads)).toBeLessThan(1.05);
      }
    },
  );
});

const available = await threadedWasm(COUNTS);

describe.skipIf(available.length === 0)("the bits", () => {
  afterAll(async () => (await warmUp({ backend: "wasm" })).dispose());

  const compared = sampleCases("cases of WASM on several threads", cases, 120);
  // All numbers of threads on each case: the oracle's results, which take longer than the rest, are computed once.
  test(`${available.map(({ name }) => name).join(", ")}: ${compared.length} cases`, () => {
    const faultsOn = (one: Case): string[] => {
      const reference = referenceOf(one);
      return available.flatMap(({ name, kernels }) =>
        runCase(kernels!, reference).faults.map((fault) => `${name}: ${fault}`),
      );
    };
    expect(compared.flatMap(faultsOn).slice(0, 10)).toEqual([]);
    // The calls were divided: a fault in that would have been found first, and all would run on one thread.
    expect(backends().find((backend) => backend.name === "wasm")).not.toHaveProperty("oneThread");
  });

  const layouts = ["channels-first", "channels-last"] as const;
  const all = shapes.filter(({ name }) => ["A", "B", "E", "H", "J", "L"].includes(name));
  const named = all.flatMap((shape) => layouts.map((layout) => ({ name: shape.name, shape, layout })));

  test.each(named)("$name, $layout: those of one thread, and workers work", ({ name, shape, layout }) => {
    const [n, channels, ...rest] = shape.shape;
    const dims = layout === "channels-first" ? [n, channels, ...rest] : [n, ...rest, channels];
    const length = lengthOf(shape);
    const arena = createArena(4 * 4 * length + 4096, { shared: true });
    expect(arena.shared).toBe(true);
    const [x, y, dy, dx] = [0, 1, 2, 3].map(() => arena.float32(length)) as [
      Float32Array,
      ...Float32Array[],
    ] as never as [Float32Array<ArrayBuffer>, Float32Array, Float32Array<ArrayBuffer>, Float32Array];
    for (let i = 0; i < length; i++) x[i] = ((i * 7919) % 1009) / 64 - 5;
    for (let i = 0; i < length; i++) dy[i] = 3 - x[i]!;
    const run = (threads: number): { results: Uint8Array[]; used: number } => {
      const layer = new BatchNorm(channels, { layout, backend: "wasm", threads, activation: "relu" });
      layer.forward(x, dims, { out: y });
      const used = layer.threads;
      const { gradWeight, gradBias } = layer.backward(dy, { out: dx });
      const results = [y, dx, gradWeight!, gradBias!, layer.runningMean!, layer.runningVar!];
      const bytes = results.map(({ buffer, byteOffset, byteLength }) =>
        new Uint8Array(buffer, byteOffset, byteLength).slice(),
      );
      return { results: bytes, used: Math.max(used, layer.threads) };
    };
    const one = run(1);
    expect(one.used).toBe(1);
    let most = 1;
    for (let i = 0; i < 200 && most < 2; i++) {
      const several = run(2 + (i % 3));
      most = Math.max(most, several.used);
      several.results.forEach((bytes, j) => expect(Buffer.compare(bytes, one.results[j]!)).toBe(0));
    }
    // On a busy machine a worker may come too late to all calls of a short one.
    if (["A", "E"].includes(name)) expect(most).toBeGreaterThan(1);
    arena.dispose();
  });
});

describe.skipIf(!isAvailable("wasm"))("workers", () => {
  test("begin with warmUp, end with dispose, and begin again", async () => {
    const first = await warmUp({ backend: "wasm", threads: 3 });
    expect(first).toMatchObject({ backend: "wasm", threads: 3 });
    first.dispose();
    const { threads } = await warmUp({ backend: "wasm", threads: 2 });
    expect(threads).toBe(2);
    expect(backends().find(({ name }) => name === "wasm")).not.toHaveProperty("oneThread");
  });

  test("a small tensor, and an arena that is not shared, have one thread", async () => {
    await warmUp({ backend: "wasm", threads: 2 });
    const layer = new BatchNorm(16, { backend: "wasm", threads: 2 });
    const small = createArena(1 << 16, { shared: true }).float32(8192);
    layer.forward(small, [8, 16, 8, 8]);
    expect(layer.threads).toBe(1);
    layer.forward(createArena(1 << 23).float32(2 ** 20), [256, 16, 256]);
    expect(layer.threads).toBe(1);
  });
});
