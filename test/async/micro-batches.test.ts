// Asynchronous calls on micro-batches: the bits of the synchronous ones, their order among the calls of the layer, promises of
// the caller's functions, and how they end early.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  MicroBatches,
  type BackendRequest,
  type BatchNormOptions,
  type DType,
  type MicroBatch,
  type MicroBatchTotals,
} from "../../src/index.js";
import type { Data } from "../../src/base/types.js";
import { backendsUnderTest, hasNative } from "../support/backends.js";
import { drawn, expectSame, floats, is16Bit } from "../support/async-calls.js";

type Batch = MicroBatch<DType>;

interface Case {
  readonly name: string;
  readonly layer?: BatchNormOptions<DType>;
  readonly mode?: "eval" | "frozen";
  readonly shape: readonly number[];
  readonly channels: number;
  readonly more?: (dtype: DType, size: number, seed: number) => object;
}

const COUNT = 3;
const residual = (dtype: DType, size: number, seed: number): object => ({ residual: drawn(dtype, size, seed + 50) });
const weighted = (_: DType, size: number, seed: number): object => ({
  sampleWeights: drawn("float32", size / 8, seed + 60).map((value) => (value < 0 ? 0 : value)),
  maskedOutput: "zero",
});

const PLANES: Pick<Case, "shape" | "channels"> = { shape: [20, 8, 32, 30], channels: 8 };
const CASES: readonly Case[] = [
  { name: "training", ...PLANES },
  { name: "inference", mode: "eval", ...PLANES },
  { name: "frozen", mode: "frozen", ...PLANES },
  { name: "ReLU and a residual", layer: { activation: "relu" }, more: residual, ...PLANES },
  { name: "PReLU", layer: { activation: { type: "prelu", slope: Float32Array.of(0.2) } }, ...PLANES },
  { name: "weights, masked outputs of 0", more: weighted, ...PLANES },
  { name: "renormalization", layer: { renorm: { rMax: 1.1, dMax: 0.1 } }, ...PLANES },
  { name: "a mean over all batches", layer: { momentum: null }, ...PLANES },
  { name: "rows", shape: [9000, 16], channels: 16 },
  { name: "rows of short runs", shape: [6000, 8, 3], channels: 8, more: residual },
  { name: "groups in runs", shape: [2, 2, 65_000], channels: 2 },
  { name: "small ones", shape: [4, 8, 3], channels: 8, more: residual },
];

const shapeOf = ({ shape }: Case): readonly number[] => shape;
const sizeOf = ({ shape }: Case): number => shape.reduce((a, b) => a * b, 1);

function layerOf(one: Case, dtype: DType, backend: BackendRequest): BatchNorm<DType> {
  const bn = new BatchNorm<DType>(one.channels, { ...one.layer, dtype, backend });
  for (const table of [bn.weight, bn.bias, bn.runningMean]) table?.forEach((_, c) => (table[c] = 0.5 + 0.1 * c));
  if (one.mode === "eval") bn.eval();
  if (one.mode === "frozen") bn.frozen = true;
  return bn;
}

const reader =
  (one: Case, dtype: DType) =>
  (i: number): Batch => ({
    x: drawn(dtype, sizeOf(one), i + 1),
    shape: shapeOf(one),
    ...one.more?.(dtype, sizeOf(one), i),
  });

const gradient = (one: Case, dtype: DType, i: number): never => drawn(dtype, sizeOf(one), i + 20) as never;

/** All that comes of a forward and a backward. */
class Kept {
  readonly outputs: Data[] = [];
  readonly gradients: object[] = [];
  readonly keepOutput = (output: unknown, i: number): void => void (this.outputs[i] = (output as Data).slice());
  readonly keepGradients = (gradients: object, i: number): void => void (this.gradients[i] = { ...gradients });
}

const later = <T>(value: T): Promise<T> => new Promise((resolve) => setImmediate(() => resolve(value)));

async function check(one: Case, dtype: DType, backend: BackendRequest): Promise<void> {
  const [a, b] = [layerOf(one, dtype, backend), layerOf(one, dtype, backend)];
  const [sync, async] = [new Kept(), new Kept()];
  const read = reader(one, dtype);
  const first = new MicroBatches(a, COUNT, read);
  const second = new MicroBatches(b, COUNT, (i) => (i === 1 ? read(i) : later(read(i))));
  first.forward(sync.keepOutput);
  const totals: MicroBatchTotals<DType> = first.backward((i) => gradient(one, dtype, i), sync.keepGradients);
  await second.forwardAsync(async (output, i) => {
    await later(null);
    async.keepOutput(output, i);
  });
  expect(b.saved).toBe(null);
  const got = await second.backwardAsync((i) => later(gradient(one, dtype, i)), async.keepGradients);
  expectSame(async.outputs, sync.outputs, `${one.name}, outputs`);
  expectSame(async.gradients, sync.gradients, `${one.name}, gradients`);
  expectSame(got, totals, `${one.name}, parameters`);
  expectSame(b.stateDict(), a.stateDict(), `${one.name}, state`);
  expectSame(b.lastRenorm, a.lastRenorm, `${one.name}, renormalization`);
}

for (const { name, kernels, has16Bit } of backendsUnderTest) {
  if (!kernels) continue;
  describe(name, () => {
    const backend = name as BackendRequest;
    test.each(CASES)("$name", (one) => check(one, "float32", backend));
    const dtypes = (["float64", "float16", "bfloat16"] as const).filter((dtype) => has16Bit || !is16Bit(dtype));
    test.each(name === "oracle" ? [] : dtypes)("%s", async (dtype) => {
      for (const one of CASES.filter(({ name: of }) => ["training", "ReLU and a residual", "rows"].includes(of)))
        await check(one, dtype, backend);
      expect(floats(dtype)).toBe(dtype === "float64" ? "float64" : "float32");
    });
  });
}

const BACKENDS: readonly BackendRequest[] = [...(hasNative ? (["native"] as const) : []), "wasm"];
const ONE = CASES[0]!;
const read = reader(ONE, "float32");
const none = (): void => undefined;
const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (reason: unknown) => (reason as { code?: string } | null)?.code ?? reason,
  );

describe.each(BACKENDS)("%s", (backend) => {
  const make = (): [BatchNorm<DType>, MicroBatches<DType>] => {
    const bn = layerOf(ONE, "float32", backend);
    return [bn, new MicroBatches(bn, COUNT, read)];
  };

  test("it is one call of the layer, in the order of all of them", async () => {
    const [bn, batch] = make();
    const [other, same] = make();
    const x = drawn("float32", sizeOf(ONE), 90) as never;
    const order: string[] = [];
    const note = (what: string) => (): void => void order.push(what);
    const calls = [
      bn.forwardAsync(x, ONE.shape).then(note("before")),
      batch.forwardAsync(none).then(note("forward")),
      batch.backwardAsync((i) => gradient(ONE, "float32", i), none).then(note("backward")),
      bn.forwardAsync(x, ONE.shape).then(note("after")),
    ];
    bn.eval();
    expect(bn.pending).toBe(4);
    await Promise.all(calls);
    expect(order).toEqual(["before", "forward", "backward", "after"]);
    other.forward(x, ONE.shape);
    same.forward(none);
    same.backward((i) => gradient(ONE, "float32", i), none);
    other.forward(x, ONE.shape);
    expectSame(bn.stateDict(), other.stateDict(), "state");
    // The token of the layer is that of its own forward.
    expectSame(bn.saved, other.saved, "token");
  });

  test("what is wrong rejects the promise, and nothing moves", async () => {
    const [bn, batch] = make();
    const before = bn.stateDict();
    expect(await outcome(batch.forwardAsync(null as never))).toBe("ERR_BATCHNORM_TYPE");
    expect(await outcome(batch.forwardAsync(none, { sgnal: null } as never))).toBe("ERR_BATCHNORM_OPTION");
    expect(await outcome(batch.forwardAsync(none, { signal: {} } as never))).toBe("ERR_BATCHNORM_TYPE");
    expect(await outcome(batch.backwardAsync((i) => gradient(ONE, "float32", i), none))).toBe("ERR_BATCHNORM_SAVED");
    const thrown = new Error("mine");
    const reject = new MicroBatches(bn, COUNT, (i) => (i === 2 ? Promise.reject(thrown) : read(i)));
    expect(await outcome(reject.forwardAsync(none))).toBe(thrown);
    const throws = (_: unknown, i: number): void => {
      if (i === 1) throw thrown;
    };
    expect(await outcome(batch.forwardAsync(throws))).toBe(thrown);
    let calls = 0;
    const changing = new MicroBatches(bn, 2, (i) => (calls++ < 2 ? read(i) : { ...read(i), shape: [10, 8, 64, 30] }));
    expect(await outcome(changing.forwardAsync(none))).toBe("ERR_BATCHNORM_SHAPE");
    expectSame(bn.stateDict(), before, "state");
    expect(bn.pending).toBe(0);
    await batch.forwardAsync(none);
    expect(bn.numBatchesTracked).toBe(1);
    const short = new Float32Array(3) as never;
    expect(await outcome(batch.backwardAsync(() => Promise.resolve(short), none))).toBe("ERR_BATCHNORM_SHAPE");
    // The forward serves another backward, and no second one.
    await batch.backwardAsync((i) => gradient(ONE, "float32", i), none);
    expect(await outcome(batch.backwardAsync((i) => gradient(ONE, "float32", i), none))).toBe("ERR_BATCHNORM_SAVED");
  });

  test("a synchronous call takes no promise", () => {
    const [bn, batch] = make();
    const promised = new MicroBatches(bn, COUNT, (i) => Promise.resolve(read(i)));
    expect(() => promised.forward(none)).toThrow('"read(0)" expected an object, got a Promise: await it');
    batch.forward(none);
    expect(() => batch.backward((i) => Promise.resolve(gradient(ONE, "float32", i)) as never, none)).toThrow(
      '"gradOutput(0)" expected a Float32Array, got a Promise: await it',
    );
  });

  test("a signal ends it at any moment, and nothing moves", async () => {
    const [bn, batch] = make();
    const before = bn.stateDict();
    await expect(batch.forwardAsync(none, { signal: AbortSignal.abort("no") })).rejects.toBe("no");
    for (const end of [0, 1, 2, 3, 4, 5]) {
      const controller = new AbortController();
      let reads = 0;
      const aborting = new MicroBatches(bn, COUNT, (i) => {
        if (reads++ === end) controller.abort("enough");
        return read(i);
      });
      expect(await outcome(aborting.forwardAsync(none, { signal: controller.signal }))).toBe("enough");
      expectSame(bn.stateDict(), before, "state");
    }
    const waiting = new AbortController();
    const calls = [batch.forwardAsync(none), batch.forwardAsync(none, { signal: waiting.signal })].map(outcome);
    waiting.abort("dropped");
    expect(await Promise.all(calls)).toEqual(["fulfilled", "dropped"]);
    expect(bn.numBatchesTracked).toBe(1);
  });

  test("an array that goes away ends it", async () => {
    const [bn] = make();
    for (const delay of [0, 1, 3, 6]) {
      const lost = new MicroBatches(bn, COUNT, (i) => {
        const part = read(i);
        const { buffer } = part.x as Float32Array<ArrayBuffer>;
        const takeAway = (turns: number): void => {
          if (turns === 0) structuredClone(buffer, { transfer: [buffer] });
          else setImmediate(takeAway, turns - 1);
        };
        if (i === 1) setImmediate(takeAway, delay);
        return part;
      });
      expect(["fulfilled", "ERR_BATCHNORM_DETACHED"]).toContain(await outcome(lost.forwardAsync(none)));
    }
  });

  test("with reuse, outputs are lent", async () => {
    const bn = new BatchNorm<DType>(ONE.channels, { reuse: true, backend });
    const batch = new MicroBatches(bn, COUNT, read);
    const buffers = new Set<unknown>();
    await batch.forwardAsync((output) => {
      buffers.add(output.buffer);
      bn.release(output);
    });
    expect(buffers.size).toBe(1);
  });
});
