// What is particular to asynchronous calls: order, back-pressure, signals, arrays that go away, and memory that is lent.
import { describe, expect, test, vi } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormBackwardAsync,
  batchNormInference,
  batchNormInferenceAsync,
  batchNormMoments,
  batchNormMomentsAsync,
  batchNormTraining,
  batchNormTrainingAsync,
  type BackendRequest,
} from "../../src/index.js";
import { hasNative, isAvailable } from "../support/backends.js";
import { CHANNELS, SHAPE, SIZE, bytesOf, drawn, expectSame, inShared, pair } from "../support/async-calls.js";

/** Those whose kernels run on another thread. */
const OFF_THREAD: readonly BackendRequest[] = [
  ...(hasNative ? (["native"] as const) : []),
  ...(isAvailable("wasm") ? (["wasm"] as const) : []),
];
const BACKENDS: readonly BackendRequest[] = [...OFF_THREAD, "oracle"];
const x = (seed = 1): Float32Array => drawn("float32", SIZE, seed) as Float32Array;
const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const error: unknown = await promise.then(
    () => "fulfilled",
    (reason: unknown) => reason,
  );
  return (error as { code?: unknown }).code ?? error;
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(BACKENDS)("%s", (backend) => {
  test("the event loop goes on between calls that are awaited one after another", async () => {
    const [, later] = pair({}, backend);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    for (let i = 0; i < 20; i++) await later!.forwardAsync(x(), SHAPE);
    for (let i = 0; i < 20; i++) await batchNormMomentsAsync(x(), SHAPE, { backend });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  test("an output that goes away at any moment", async () => {
    for (const turns of [0, 1, 2, 3, 5]) {
      const [, later] = pair({}, backend);
      const out = new Float32Array(SIZE);
      const call = later!.forwardAsync(x(), SHAPE, { out });
      for (let i = 0; i < turns; i++) await turn();
      structuredClone(out.buffer, { transfer: [out.buffer] });
      // It may have ended before.
      expect(["fulfilled", "ERR_BATCHNORM_DETACHED"]).toContain(await codeOf(call));
    }
  });

  test("the calls of a layer happen in the order in which they were made", async () => {
    const [sync, later] = pair({ momentum: null }, backend);
    const batches = [1, 2, 3, 4].map(x);
    const expected = batches.map((batch) => sync!.forward(batch, SHAPE));
    const ended: number[] = [];
    const calls = batches.map(async (batch, i) => {
      const y = await later!.forwardAsync(batch, SHAPE);
      ended.push(i);
      return y;
    });
    expect(later!.pending).toBe(4);
    expectSame(await Promise.all(calls), expected, "outputs");
    expect(ended).toEqual([0, 1, 2, 3]);
    expect(later!.pending).toBe(0);
    expectSame(later!.stateDict(), sync!.stateDict(), "state");
  });

  test("a backward takes the token of the forward that was asked for before it", async () => {
    const [sync, later] = pair({}, backend);
    const y = later!.forwardAsync(x(), SHAPE);
    const grads = later!.backwardAsync(x(2), {});
    expectSame(await y, sync!.forward(x(), SHAPE), "forward");
    expectSame(await grads, sync!.backward(x(2)), "backward");
  });

  test("the mode is that of the time of the call", async () => {
    const [sync, later] = pair({}, backend);
    const training = later!.forwardAsync(x(), SHAPE);
    later!.eval();
    const inference = later!.forwardAsync(x(2), SHAPE);
    expectSame(await training, sync!.forward(x(), SHAPE), "training");
    expectSame(await inference, sync!.eval().forward(x(2), SHAPE), "inference");
  });

  test("bad arguments reject the promise, and the layer goes on", async () => {
    const bn = new BatchNorm(CHANNELS, { backend });
    expect(await codeOf(bn.forwardAsync(new Float32Array(5), SHAPE))).toBe("ERR_BATCHNORM_SHAPE");
    expect(await codeOf(bn.forwardAsync(x(), SHAPE, { sgnal: null } as object))).toBe("ERR_BATCHNORM_OPTION");
    expect(await codeOf(bn.forwardAsync(x(), SHAPE, { signal: {} as AbortSignal }))).toBe("ERR_BATCHNORM_TYPE");
    expect(await codeOf(bn.forwardAsync(null as never, SHAPE))).toBe("ERR_BATCHNORM_TYPE");
    expect(await codeOf(bn.backwardAsync(x()))).toBe("ERR_BATCHNORM_SAVED");
    expect(await codeOf(batchNormTrainingAsync(x(), [3, 5]))).toBe("ERR_BATCHNORM_SHAPE");
    expect(await codeOf(batchNormInferenceAsync(x(), SHAPE, {} as never))).toBe("ERR_BATCHNORM_TYPE");
    expect(await codeOf(batchNormMomentsAsync(x(), [0.5]))).toBe("ERR_BATCHNORM_VALUE");
    expect(await codeOf(batchNormBackwardAsync(x(), null as never))).toBe("ERR_BATCHNORM_SAVED");
    expect(bn.numBatchesTracked).toBe(0);
    await bn.forwardAsync(x(), SHAPE);
    expect(bn.numBatchesTracked).toBe(1);
  });

  test("more calls than maxPending are rejected at once", async () => {
    const bn = new BatchNorm(CHANNELS, { backend, maxPending: 2 });
    const calls = [1, 2, 3].map((seed) => codeOf(bn.forwardAsync(x(seed), SHAPE)));
    expect(bn.pending).toBe(2);
    expect(await calls[2]).toBe("ERR_BATCHNORM_BUSY");
    expect(bn.pending).toBe(2);
    await Promise.all(calls);
    expect(bn.pending).toBe(0);
    expect(bn.numBatchesTracked).toBe(2);
    await bn.forwardAsync(x(), SHAPE);
  });

  test("a signal drops a call that waits, at once", async () => {
    const bn = new BatchNorm(CHANNELS, { backend });
    const controller = new AbortController();
    const first = bn.forwardAsync(x(), SHAPE);
    const order: string[] = [];
    const second = bn.forwardAsync(x(), SHAPE, { signal: controller.signal });
    const dropped = second.catch((reason: unknown) => (order.push("dropped"), reason));
    const third = bn.forwardAsync(x(3), SHAPE).then(() => order.push("third"));
    controller.abort(new Error("enough"));
    expect(bn.pending).toBe(2);
    expect(await dropped).toEqual(new Error("enough"));
    await Promise.all([first, third]);
    expect(order).toEqual(["dropped", "third"]);
    expect(bn.numBatchesTracked).toBe(2);
  });

  test("a signal that serves many calls has one listener, and none in the end", async () => {
    const { signal } = new AbortController();
    const [add, remove] = [vi.spyOn(signal, "addEventListener"), vi.spyOn(signal, "removeEventListener")];
    const bn = new BatchNorm(CHANNELS, { backend });
    const calls = Array.from({ length: 12 }, () => bn.forwardAsync(x(), SHAPE, { signal }));
    expect(add.mock.calls.length - remove.mock.calls.length).toBe(1);
    await Promise.all(calls);
    expect(add.mock.calls.length).toBe(remove.mock.calls.length);
  });

  test("a signal that was aborted before", async () => {
    const bn = new BatchNorm(CHANNELS, { backend });
    const signal = AbortSignal.abort("no");
    for (const call of [
      bn.forwardAsync(x(), SHAPE, { signal }),
      batchNormTrainingAsync(x(), SHAPE, { signal, backend }),
      batchNormMomentsAsync(x(), SHAPE, { signal, backend }),
    ])
      await expect(call).rejects.toBe("no");
    expect(bn.numBatchesTracked).toBe(0);
    expect(bn.saved).toBe(null);
  });

  test("with reuse, no two calls have one array until it is released", async () => {
    const bn = new BatchNorm(CHANNELS, { backend, reuse: true }).eval();
    const expected = [1, 2, 3].map((seed) => Float32Array.from(bn.forward(x(seed), SHAPE)));
    const outputs = await Promise.all([1, 2, 3].map((seed) => bn.forwardAsync(x(seed), SHAPE)));
    for (const [i, output] of outputs.entries()) expect(bytesOf(output).equals(bytesOf(expected[i]!))).toBe(true);
    expect(new Set(outputs.map(({ buffer }) => buffer)).size).toBe(3);
    bn.release(outputs[1]!);
    const again = await bn.forwardAsync(x(4), SHAPE);
    expect(again.buffer).toBe(outputs[1]!.buffer);
    expect(bytesOf(outputs[0]!).equals(bytesOf(expected[0]!))).toBe(true);
    for (const wrong of [outputs[1]!.slice(), new Float32Array(3)])
      expect(() => bn.release(wrong)).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_VALUE" }));
    bn.release(again);
    expect(() => bn.release(again)).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_VALUE" }));
    expect(() => bn.release(7 as never)).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_TYPE" }));
  });

  test("with reuse, gradInput is lent too, and a token ends with the memory that it refers to", async () => {
    const bn = new BatchNorm(CHANNELS, { backend, reuse: true });
    const y = await bn.forwardAsync(x(), SHAPE, { save: "output" });
    const { saved } = bn;
    bn.release(y);
    await bn.forwardAsync(x(2), SHAPE);
    expect(await codeOf(bn.backwardAsync(x(), { saved }))).toBe("ERR_BATCHNORM_SAVED");
    const { gradInput } = await bn.backwardAsync(x());
    bn.release(gradInput);
  });

  test("a token serves one backward, and another one while the first is on its way is refused", async () => {
    const bn = new BatchNorm(CHANNELS, { backend });
    await bn.forwardAsync(x(), SHAPE);
    const saved = bn.saved!;
    const calls = [0, 1].map(() => codeOf(batchNormBackwardAsync(x(2), saved, { backend })));
    const codes = await Promise.all(calls);
    expect(codes.filter((code) => code === "ERR_BATCHNORM_SAVED").length).toBe(1);
    expect(await codeOf(bn.backwardAsync(x(2), { saved }))).toBe("ERR_BATCHNORM_SAVED");
  });

  test("a synchronous call between the microtasks of a small one", async () => {
    const [first, second] = [new Float32Array(4 * CHANNELS).fill(2), new Float32Array(4 * CHANNELS).fill(5)];
    first[0] = second[1] = 7;
    const shape = [4, CHANNELS];
    const orders = [
      [first, second],
      [second, first],
    ].map((batches) => {
      const [bn] = pair({}, backend);
      for (const batch of batches) bn!.forward(batch, shape);
      return bytesOf(bn!.runningMean!).toString("hex");
    });
    for (let depth = 0; depth < 12; depth++) {
      const [bn] = pair({}, backend);
      const call = bn!.forwardAsync(first, shape);
      for (let i = 0; i < depth; i++) await Promise.resolve();
      bn!.forward(second, shape);
      await call;
      expect(orders).toContain(bytesOf(bn!.runningMean!).toString("hex"));
    }
  });

  test("a batch without elements, and small ones", async () => {
    const [sync, later] = pair({}, backend);
    for (const shape of [
      [0, CHANNELS, 5],
      [4, CHANNELS],
    ]) {
      const data = drawn(
        "float32",
        shape.reduce((a, b) => a * b, 1),
        1,
      ) as Float32Array;
      expectSame(await later!.forwardAsync(data, shape), sync!.forward(data, shape), "forward");
      expectSame(await later!.backwardAsync(data), sync!.backward(data), "backward");
    }
  });

  test("the functions", async () => {
    const [runningMean, runningVar] = [new Float32Array(CHANNELS).fill(0.3), new Float32Array(CHANNELS).fill(2)];
    const options = { runningMean, runningVar, activation: "relu", save: true, backend } as const;
    expectSame(
      await batchNormInferenceAsync(x(), SHAPE, options),
      batchNormInference(x(), SHAPE, options),
      "inference",
    );
    expectSame(await batchNormMomentsAsync(x(), SHAPE, { backend }), batchNormMoments(x(), SHAPE), "moments");
    const residual = x(2);
    const [a, b] = [
      batchNormTraining(x(), SHAPE, { residual }),
      await batchNormTrainingAsync(x(), SHAPE, { residual, backend }),
    ];
    expectSame(b, a, "training");
    const tensor = { data: x(3), dims: SHAPE };
    expectSame(
      await batchNormBackwardAsync(tensor, b.saved, { backend }),
      batchNormBackward(tensor, a.saved),
      "backward",
    );
  });
});

describe.each(OFF_THREAD)("%s on another thread", (backend) => {
  const layer = (): BatchNorm => new BatchNorm(CHANNELS, { backend });

  test("the event loop goes on", async () => {
    let turns = 0;
    let isOver = false;
    const [bn, input] = [layer(), inShared(x())];
    const call = (async () => {
      for (let i = 0; i < 10; i++) await bn.forwardAsync(input, SHAPE);
    })().finally(() => (isOver = true));
    while (!isOver) {
      await turn();
      turns++;
    }
    await call;
    // A call on another thread ends in a later turn than it began in.
    expect(turns).toBeGreaterThanOrEqual(10);
  });

  test("an array that goes away ends the call with a code, and nothing moves", async () => {
    const takeAway = (array: Float32Array): void => void structuredClone(array, { transfer: [array.buffer] });
    const bn = layer();
    for (const which of ["x", "out", "residual"] as const) {
      const arrays = { x: x(), out: x(2), residual: x(3) };
      const { out, residual } = arrays;
      const call = codeOf(bn.forwardAsync(arrays.x, SHAPE, { out, residual }));
      takeAway(arrays[which]);
      expect(await call, which).toBe("ERR_BATCHNORM_DETACHED");
    }
    expect(bn.numBatchesTracked).toBe(0);
    expect(bn.saved).toBe(null);
    await bn.forwardAsync(x(), SHAPE);
    const gradOutput = x(2);
    const call = codeOf(bn.backwardAsync(gradOutput));
    takeAway(gradOutput);
    expect(await call).toBe("ERR_BATCHNORM_DETACHED");
    // The token serves another one.
    expectSame((await bn.backwardAsync(x(2))).gradBias, (bn.forward(x(), SHAPE), bn.backward(x(2))).gradBias, "again");
  });

  test("an array that goes away at any moment", async () => {
    const bn = layer();
    const expected = Float32Array.from(layer().forward(x(), SHAPE));
    for (let turns = 0; turns < 12; turns++) {
      const data = x();
      const call = bn.forwardAsync(data, SHAPE).then(
        (y) => bytesOf(y).equals(bytesOf(expected)),
        (error: { code: string }) => error.code === "ERR_BATCHNORM_DETACHED",
      );
      for (let i = 0; i < turns; i++) await turn();
      structuredClone(data, { transfer: [data.buffer] });
      expect(await call).toBe(true);
    }
  });

  test("an array of a call that is made in parts, or of axes that lie apart, goes away at any moment", async () => {
    const tables = { bias: new Float32Array(SHAPE[0] * CHANNELS) };
    const calls = [
      { channels: 20, options: { axis: [1, 3] }, shape: [300, 4, 29, 5], more: {} },
      { channels: CHANNELS, options: { virtualBatchSize: 4 }, shape: SHAPE, more: {} },
      { channels: CHANNELS, options: {}, shape: SHAPE, more: tables },
    ] as const;
    const size = 300 * 4 * 29 * 5;
    for (const { channels, options, shape, more } of calls) {
      for (const which of ["x", "out"] as const) {
        for (let delay = 0; delay < 3; delay += 0.15) {
          const bn = new BatchNorm(channels, { ...options, backend });
          const length = shape === SHAPE ? SIZE : size;
          const arrays = { x: drawn("float32", length, 1) as Float32Array, out: new Float32Array(length) };
          const call = codeOf(bn.forwardAsync(arrays.x, shape, { out: arrays.out, ...more }));
          for (const end = performance.now() + delay; performance.now() < end;) await turn();
          structuredClone(arrays[which], { transfer: [arrays[which].buffer] });
          const code = await call;
          if (code === "ERR_BATCHNORM_DETACHED") expect(bn.numBatchesTracked).toBe(0);
          // It may have ended before.
          else expect(code).toBe("fulfilled");
        }
      }
    }
  });

  test("a signal ends a call that runs, and nothing moves", async () => {
    const bn = layer();
    const large = [64, CHANNELS, 100, 100];
    const data = inShared(drawn("float32", 64 * CHANNELS * 10_000, 1)) as Float32Array;
    for (let turns = 0; turns < 8; turns++) {
      const controller = new AbortController();
      const call = bn.forwardAsync(data, large, { signal: controller.signal });
      const ended = call.then(
        () => "fulfilled",
        (reason: unknown) => reason,
      );
      for (let i = 0; i < turns; i++) await turn();
      const before = bn.numBatchesTracked;
      controller.abort("enough");
      const outcome = await ended;
      expect(["fulfilled", "enough"]).toContain(outcome);
      expect(bn.numBatchesTracked - before).toBe(
        outcome === "fulfilled" && before === 0 ? 1 : bn.numBatchesTracked - before,
      );
      if (outcome === "enough") expect(bn.numBatchesTracked).toBe(before);
    }
    const [sync, later] = [layer(), layer()];
    const controller = new AbortController();
    const aborted = later.forwardAsync(data, large, { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toThrow(/abort/);
    expectSame(await later.forwardAsync(data, large), sync.forward(data, large), "afterwards");
    expectSame(later.stateDict(), sync.stateDict(), "state");
  });

  test("synchronous calls come in between and disturb nothing", async () => {
    const [sync, later] = pair({}, backend);
    later!.eval();
    sync!.eval();
    const call = later!.forwardAsync(x(), SHAPE);
    for (let i = 0; i < 5; i++) {
      expectSame(later!.forward(x(2), SHAPE), sync!.forward(x(2), SHAPE), "synchronous");
      await turn();
    }
    expectSame(await call, sync!.forward(x(), SHAPE), "asynchronous");
  });

  test("many layers at once", async () => {
    const layers = Array.from({ length: 10 }, layer);
    const expected = layer().forward(x(), SHAPE);
    for (const y of await Promise.all(layers.map((bn, i) => bn.forwardAsync(i % 2 ? inShared(x()) : x(), SHAPE))))
      expect(bytesOf(y).equals(bytesOf(expected))).toBe(true);
  });

  test("outputs are ordinary arrays that can be transferred", async () => {
    const y = await layer().forwardAsync(x(), SHAPE);
    expect(y.buffer).toBeInstanceOf(ArrayBuffer);
    const copy = structuredClone(y, { transfer: [y.buffer] });
    expect(copy.length).toBe(SIZE);
    expect(y.length).toBe(0);
  });
});
