// The fuzzer's asynchronous calls: what is drawn, that faults of such calls are found, and some cases of each run of the tests.
import { afterEach, describe, expect, test, vi } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { DTYPES, type Data } from "../../src/base/types.js";
import { isExhaustive, seed as runSeed } from "../support/sample.js";
import { compareAsyncCase } from "./async/compare.js";
import { PLACES, type AsyncCase, type Track } from "./async/case.js";
import { FEWEST, drawAsyncCase, largestOf } from "./async/draw.js";
import { contenders } from "./compare.js";
import { again, isAsync } from "./options.js";

const SEEDS = Array.from({ length: 400 }, (_, i) => i);
const CASES = SEEDS.map(drawAsyncCase);
const TRACKS = CASES.flatMap(({ tracks }) => tracks);

describe("a case", () => {
  test("is the same for the same seed", () => {
    for (const seed of [0, 1, 2 ** 31 - 2]) expect(drawAsyncCase(seed)).toEqual(drawAsyncCase(seed));
  });

  test("may have any choice of everything", () => {
    const calls = TRACKS.flatMap((track) => track.calls);
    const seen = (values: readonly unknown[]): unknown[] => [...new Set(values)].sort();
    expect(seen(TRACKS.map(({ form }) => form))).toEqual(["functions", "layer", "ranks", "sync"]);
    expect(seen(TRACKS.map(({ one }) => one.dtype))).toEqual([...DTYPES].sort());
    expect(seen(TRACKS.map(({ one }) => one.traversal))).toHaveLength(3);
    expect(seen(TRACKS.map(({ maxPending }) => maxPending))).toEqual([1, 2, 3, undefined]);
    expect(seen(calls.map(({ kind }) => kind))).toEqual(["backward", "commit", "forward", "sync"]);
    expect(seen(calls.flatMap(({ places }) => places))).toEqual([...PLACES].sort());
    expect(seen(calls.map(({ disturbance }) => disturbance?.kind))).toEqual(["abort", "grow", "take", undefined]);
    expect(seen(calls.map(({ gap }) => gap))).toEqual([0, 1, 4, "all"]);
    const ofReuse = TRACKS.filter(({ form, one }) => form === "layer" && one.reuse).flatMap((track) => track.calls);
    expect(seen(ofReuse.map(({ releases }) => releases))).toHaveLength(2);
  });

  test("has tensors that other threads work on, mostly", () => {
    const large = CASES.filter((one) => largestOf(one) >= FEWEST).length;
    expect(large).toBeGreaterThan(0.8 * CASES.length);
    expect(large).toBeLessThan(CASES.length);
  });
});

type Forward = (x: Data, shape: readonly number[], options: { signal?: AbortSignal }) => Promise<Data>;

/** Asynchronous forwards with a fault. `right` is what they should do. */
const FAULTS: Readonly<Record<string, (right: Forward, layer: BatchNorm, ...args: Parameters<Forward>) => unknown>> = {
  "statistics that move twice": async (right, layer, ...args) => {
    const y = await right(...args);
    if (layer.runningMean && layer.numBatchesTracked) layer.runningMean[0]! += 1;
    return y;
  },
  "an operand that changes": (right, _, x, ...others) => {
    const copy = x.slice();
    copy[0] = 1 - copy[0]!;
    return right(copy, ...others);
  },
  "a write beside an array": async (right, _, x, ...others) => {
    const y = await right(x, ...others);
    new Uint8Array(x.buffer, x.byteOffset - 1, 1)[0] = 0;
    return y;
  },
  "a call that goes on": (right, _, x, shape, { signal, ...options }) => (void signal, right(x, shape, options)),
  "an end that moves the statistics": async (right, _, x, shape, { signal, ...options }) => {
    const y = await right(x, shape, options);
    signal?.throwIfAborted();
    return y;
  },
};

describe("the comparison finds", () => {
  afterEach(() => void vi.restoreAllMocks());

  /** Of the first call alone. A call that is aborted was so before. */
  function caseWith(isAborted: boolean): AsyncCase {
    const fits = ({ form, one, calls }: Track): boolean =>
      form === "layer" &&
      one.dtype === "float32" &&
      one.mode === "training" &&
      ["gaussian", "smooth", "primeCycle", "zeroWeight", "smoothRelu"].includes(one.kind) &&
      one.trackRunningStats &&
      one.forwardInPlace === "no" &&
      Object.keys({ ...one.asked, ...one.cut }).length === 0 &&
      one.weighting === "none" &&
      calls[0]!.kind === "forward";
    const track = TRACKS.find(fits)!;
    const disturbance = isAborted
      ? ({ kind: "abort", victim: 0, turns: -1, milliseconds: 0, microtasks: 0 } as const)
      : null;
    const call = { ...track.calls[0]!, places: ["ordinary"] as const, disturbance };
    return { seed: 0, tracks: [{ ...track, maxPending: undefined, calls: [call] }] };
  }

  const faultsOf = async (isAborted: boolean): Promise<readonly string[]> =>
    (await compareAsyncCase(caseWith(isAborted), [{ name: "oracle", lacks: [] }])).faults;

  test("nothing where nothing is wrong", async () => {
    for (const isAborted of [false, true]) expect(await faultsOf(isAborted)).toEqual([]);
  });

  test.each([
    ["statistics that move twice", false, /afterwards: running mean\[0\] expected/],
    ["an operand that changes", false, /call 0, forward: output\[0\] expected/],
    ["a write beside an array", false, /call 0, forward: memory beside an array was written/],
    ["a call that goes on", true, /call 0, forward was made although its signal was aborted before/],
    ["an end that moves the statistics", true, /afterwards: running mean/],
  ])("%s", async (name, isAborted, fault) => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with a layer
    const forwardAsync = BatchNorm.prototype.forwardAsync as unknown as Forward;
    vi.spyOn(BatchNorm.prototype, "forwardAsync").mockImplementation(function (this: BatchNorm, ...args: unknown[]) {
      const right: Forward = (...own) => forwardAsync.call(this, ...own);
      return FAULTS[name]!(right, this, ...(args as Parameters<Forward>)) as never;
    });
    expect((await faultsOf(isAborted)).join("\n")).toMatch(fault);
  });
});

test("the command of a failure makes the same case", () => {
  for (const seed of SEEDS) {
    const [, share] = /--async (\d+)$/.exec(again(seed, 5))!;
    expect(isAsync(seed, Number(share))).toBe(isAsync(seed, 5));
  }
});

test("cases of this run are equal on every backend", async () => {
  const count = isExhaustive ? 30 : 6;
  console.log(`fuzz: ${count} cases of asynchronous calls from seed ${runSeed}`);
  const others = contenders();
  for (let seed = runSeed; seed < runSeed + count; seed++) {
    const { faults } = await compareAsyncCase(drawAsyncCase(seed), others);
    expect(faults, `npm run fuzz -- --seed ${seed} --async 100`).toEqual([]);
  }
});
