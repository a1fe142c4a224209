// What a synchronized layer is beside a layer: options, modes, local gradients, copies, and calls that do not fit.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormGradSums, backwardPart, forwardPart, type DType } from "../../src/index.js";
import {
  GroupError,
  SyncBatchNorm,
  convertSyncBatchNorm,
  gatherAsync,
  singleGroup,
  type Group,
  type SyncBatchNormOptions,
} from "../../src/sync.js";
import { random } from "../../src/verify/data.js";
import { OPTION, SHAPE, SINGLE_VALUE, TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";
import { fakeGroups, type Traffic } from "../support/sync/fake-group.js";

const next = random(5);
const values = (length: number): Float32Array => Float32Array.from({ length }, () => 4 * next() - 1);
const GROUP = "ERR_BATCHNORM_GROUP";

type Layer = SyncBatchNorm<DType>;
type Options = Omit<SyncBatchNormOptions, "group">;

/** A layer on each of `size` ranks, and what they send. */
function layersOf(size: number, options: Options = {}, channels = 2): { layers: Layer[]; traffic: Traffic } {
  const traffic = { gathers: 0, numbers: 0 };
  const layers = fakeGroups(size, traffic).map(
    (group) => new SyncBatchNorm<DType>(channels, { ...options, group } as SyncBatchNormOptions),
  );
  return { layers, traffic };
}

/** What each rank's call came to: its result, or its error. */
async function outcomes(calls: readonly (() => Promise<unknown>)[]): Promise<unknown[]> {
  const settled = await Promise.allSettled(calls.map((call) => call()));
  return settled.map((one) => (one.status === "fulfilled" ? "done" : (one.reason as unknown)));
}

describe("options", () => {
  const group = singleGroup();
  const make = (options: unknown) => () => new SyncBatchNorm(2, options as SyncBatchNormOptions<"float32">);
  const BAD: [unknown, ReturnType<typeof type>][] = [
    [undefined, type(TYPE, '"options" expected an object, got undefined')],
    [{}, type(TYPE, '"group" expected a Group, got undefined')],
    [{ group: 3 }, type(TYPE, '"group" expected a Group, got 3')],
    [{ group: {} }, type(TYPE, '"group.size" expected a number, got undefined')],
    [{ group: { ...group, size: 0 } }, range(VALUE, '"group.size" expected a positive integer, got 0')],
    [{ group: { ...group, rank: 1 } }, range(VALUE, '"group.rank" expected a rank below 1, got 1')],
    [{ group: { ...group, allGather: 1 } }, type(TYPE, '"group.allGather" expected a function, got 1')],
    [{ group, exact: 1 }, type(TYPE, '"exact" expected a boolean, got 1')],
    [{ group, parameterGrads: "all" }, range(VALUE, '"parameterGrads" expected one of "local", "global", got "all"')],
    [{ group, timeout: "1" }, type(TYPE, '"timeout" expected a number, got "1"')],
    [{ group, timeout: 0 }, range(VALUE, '"timeout" expected milliseconds greater than 0, got 0')],
    [{ group, timeout: NaN }, range(VALUE, '"timeout" expected milliseconds greater than 0, got NaN')],
    [{ group, name: 5 }, type(TYPE, '"name" expected a string, got 5')],
    [{ group, eps: -1 }, range(VALUE, '"eps" expected a finite number ≥ 0, got -1')],
    [{ group, virtualBatchSize: 2 }, range(OPTION, '"virtualBatchSize" and "group" exclude each other')],
  ];
  test.each(BAD)("%j", (options, expected) => expectRejected(make(options), [], expected));

  test("one that nobody knows", () => expect(make({ group, grup: 1 })).toThrow(/unknown option "grup"/));

  test("of a conversion", () => {
    const bn = new BatchNorm(2);
    const convert = (layer: unknown, options?: unknown) => () =>
      convertSyncBatchNorm(layer as BatchNorm, group, options as object);
    expectRejected(convert({}), [], type(TYPE, '"layer" expected a BatchNorm, got an object'));
    expectRejected(convert(bn, { eps: 1 }), [bn], type(OPTION, 'unknown option "eps"'));
    const cut = new BatchNorm(2, { virtualBatchSize: 2 });
    expectRejected(convert(cut), [], range(OPTION, '"virtualBatchSize" and "group" exclude each other'));
  });
});

describe("a layer and its copies", () => {
  test("a group of one rank has the results of a layer, and calls no transport", () => {
    const x = values(12);
    const alone: Group = { ...singleGroup(), allGather: () => expect.unreachable() };
    const [sync, plain] = [new SyncBatchNorm(2, { group: alone }), new BatchNorm(2)];
    expect(sync.forward(x, [6, 2])).toEqual(plain.forward(x, [6, 2]));
    expect(sync.backward(x)).toEqual(plain.backward(x));
    expect(sync.runningVar).toEqual(plain.runningVar);
  });

  test("a conversion takes over options, state and modes", () => {
    const bn = new BatchNorm(2, { eps: 0.25, momentum: 0.5, activation: "relu", dtype: "float64" });
    bn.forward(Float64Array.from(values(12)), [6, 2]);
    bn.eval().frozen = true;
    const group = singleGroup();
    const sync = convertSyncBatchNorm(bn, group, { name: "bn1" });
    expect(sync).toBeInstanceOf(BatchNorm);
    expect([sync.eps, sync.momentum, sync.dtype, sync.training, sync.frozen]).toEqual([
      0.25,
      0.5,
      "float64",
      false,
      true,
    ]);
    expect(sync.stateDict()).toEqual(bn.stateDict());
    expect(sync.runningMean).not.toBe(bn.runningMean);
    expect([sync.group, sync.clone().group, sync.convert("keras", { correction: 1 }).group]).toEqual([
      group,
      group,
      group,
    ]);
    expect(sync.clone()).toBeInstanceOf(SyncBatchNorm);
    expect(sync.clone().stateDict()).toEqual(bn.stateDict());
  });

  test("its text names the rank", () => {
    const [, second] = layersOf(3, { backend: "oracle" }).layers;
    expect(String(second)).toBe("SyncBatchNorm(2, eps=1e-05, momentum=0.1, oracle, rank 1 of 3)");
    expect(SyncBatchNorm.name).toBe("SyncBatchNorm");
  });

  test("a proxy of it works", async () => {
    const { layers } = layersOf(2);
    const x = values(12);
    const proxies = layers.map((layer) => new Proxy(layer, {}));
    await Promise.all(proxies.map((layer) => layer.forwardAsync(x, [6, 2])));
    const [first] = await Promise.all(proxies.map((layer) => layer.backwardAsync(x)));
    expect(first!.gradInput).toHaveLength(12);
    expect(layers[0]!.numBatchesTracked).toBe(1);
  });
});

describe("what is exchanged", () => {
  const x = values(12);
  const forward = (layers: readonly Layer[], options = {}): Promise<unknown> =>
    Promise.all(layers.map((layer) => layer.forwardAsync(x, [6, 2], options)));
  const backward = (layers: readonly Layer[], options = {}): Promise<unknown> =>
    Promise.all(layers.map((layer) => layer.backwardAsync(x, options)));

  test("two gathers in a forward and two in a backward, of these lengths", async () => {
    const { layers, traffic } = layersOf(3);
    await forward(layers);
    expect(traffic).toEqual({ gathers: 2, numbers: 8 + 2 + 1 + 4 });
    await backward(layers);
    expect(traffic).toEqual({ gathers: 4, numbers: 8 + 2 + 1 + 4 + 8 + 1 + 4 });
  });

  test("nothing in inference, in a frozen layer, or where no gradient depends on the others", async () => {
    const { layers, traffic } = layersOf(2);
    await forward(layers);
    const before = { ...traffic };
    await backward(layers, { need: { input: false } });
    layers.forEach((layer) => layer.eval());
    await forward(layers, { save: true });
    await backward(layers);
    layers.forEach((layer) => (layer.train().frozen = true));
    await forward(layers);
    await backward(layers);
    expect(traffic).toEqual(before);
  });

  test('after eval(), only with `statistics` "batch"', async () => {
    const { layers, traffic } = layersOf(2, { trackRunningStats: false });
    layers.forEach((layer) => layer.eval());
    await forward(layers);
    expect(traffic.gathers).toBe(0);
    await forward(layers, { statistics: "batch" });
    expect(traffic.gathers).toBe(2);
  });

  test("moments that are given are not exchanged", async () => {
    const { layers, traffic } = layersOf(2);
    await forward(layers, { moments: { count: 40, mean: new Float64Array(2), m2: Float64Array.of(40, 40) } });
    expect(traffic.gathers).toBe(0);
  });

  test("several calls at once are exchanged in their order", async () => {
    const { layers } = layersOf(2);
    const { layers: others } = { layers: layers.map((layer) => new SyncBatchNorm<DType>(3, { group: layer.group })) };
    const y = values(18);
    const all = layers.map((layer, rank) => [
      layer.forwardAsync(x, [6, 2]),
      others[rank]!.forwardAsync(y, [6, 3]),
      layer.forwardAsync(y.subarray(0, 12), [6, 2]),
    ]);
    const results = await Promise.all(all.flat());
    expect(results.map((result) => (result as Float32Array).length)).toEqual([12, 18, 12, 12, 18, 12]);
    expect(layers[0]!.runningMean).toEqual(layers[1]!.runningMean);
  });
});

describe("local gradients of parameters", () => {
  test("are those of this part, whose sum over the ranks is that of the batch", async () => {
    const [x, dy] = [values(40), values(40)];
    const plain = new BatchNorm<DType>(2, { dtype: "float32" });
    plain.forward(x, [20, 2]);
    const wanted = plain.backward(dy);
    const { layers } = layersOf(2);
    const part = (data: Float32Array, rank: number): Float32Array => data.subarray(20 * rank, 20 * rank + 20);
    await Promise.all(layers.map((layer, rank) => layer.forwardAsync(part(x, rank), [10, 2])));
    const own = layers.map((layer, rank) => {
      const { gradWeight, gradBias } = batchNormGradSums(part(dy, rank), layer.saved!);
      return { gradWeight, gradBias };
    });
    const got = await Promise.all(layers.map((layer, rank) => layer.backwardAsync(part(dy, rank))));
    got.forEach(({ gradWeight, gradBias }, rank) => expect({ gradWeight, gradBias }).toEqual(own[rank]));
    for (let c = 0; c < 2; c++)
      expect(got[0]!.gradWeight![c]! + got[1]!.gradWeight![c]!).toBeCloseTo(wanted.gradWeight![c]!, 4);
  });
});

describe("conditional batch normalization", () => {
  const part = (data: Float32Array, rank: number): Float32Array =>
    data.subarray((data.length / 2) * rank, (data.length / 2) * (rank + 1));

  /** Forwards of two ranks, whose options are halves of these. */
  async function forwards(
    x: Float32Array,
    whole: Readonly<Record<string, Float32Array>>,
    options: Options,
  ): Promise<{ layers: Layer[]; outputs: ArrayLike<number>[] }> {
    const { layers } = layersOf(2, options);
    const outputs = await Promise.all(
      layers.map((layer, rank) => {
        const own = Object.fromEntries(Object.entries(whole).map(([name, data]) => [name, part(data, rank)]));
        return layer.forwardAsync(part(x, rank), [4, 2, 3], own);
      }),
    );
    return { layers, outputs };
  }

  test("has the gradients of the samples, and gradInput through all parts", async () => {
    const [x, dy] = [values(48), values(48)];
    const rows = values(16);
    const plain = new BatchNorm(2, { affine: false });
    const y = plain.forward(x, [8, 2, 3], { weight: rows, bias: rows });
    const wanted = plain.backward(dy);
    const { layers, outputs } = await forwards(x, { weight: rows, bias: rows }, { affine: false });
    const got = await Promise.all(layers.map((layer, rank) => layer.backwardAsync(part(dy, rank))));
    const close = (data: ArrayLike<number>, other: ArrayLike<number>, offset: number): void =>
      Array.from(data).forEach((value, i) => expect(value).toBeCloseTo(other[offset + i]!, 4));
    for (const rank of [0, 1]) {
      close(outputs[rank]!, y, 24 * rank);
      close(got[rank]!.gradInput, wanted.gradInput, 24 * rank);
      close(got[rank]!.gradWeight!, wanted.gradWeight!, 8 * rank);
    }
  });

  test.each([true, false])(
    "the gradient of the residual is that of the samples' γ and β; gradInput: %s",
    async (input) => {
      const [x, dy, residual, rows] = [values(48), values(48), values(48), values(16)];
      const options = { affine: false, activation: "relu" } as const;
      const plain = new BatchNorm(2, options);
      const y = plain.forward(x, [8, 2, 3], { weight: rows, bias: rows, residual });
      const wanted = dy.map((value, i) => (y[i]! > 0 ? value : 0));
      expect(plain.backward(dy, { need: { input } }).gradResidual).toEqual(wanted);
      const { layers } = await forwards(x, { weight: rows, bias: rows, residual }, options);
      const got = await Promise.all(
        layers.map((layer, rank) => layer.backwardAsync(part(dy, rank), { need: { input } })),
      );
      for (const rank of [0, 1]) expect(got[rank]!.gradResidual).toEqual(part(wanted, rank));
    },
  );
});

describe("a call that does not fit", () => {
  const x = values(12);

  test("of another kind: all ranks throw, name the call, and move nothing", async () => {
    const { layers } = layersOf(3, { name: "bn1" });
    await Promise.all(layers.map((layer) => layer.forwardAsync(x, [6, 2])));
    const moved = layers.map((layer) => layer.stateDict());
    const errors = await outcomes([
      () => layers[0]!.backwardAsync(x),
      () => layers[1]!.forwardAsync(x, [6, 2]),
      () => layers[2]!.backwardAsync(x),
    ]);
    const text = "rank 1 is at call 2, forward of 2 channels, where others are at call 2, backward of 2 channels";
    for (const [rank, error] of (errors as GroupError[]).entries()) {
      expect(error).toBeInstanceOf(GroupError);
      expect({ ...error, message: error.message }).toMatchObject({ code: GROUP, ranks: [1], name: "GroupError" });
      expect(error.message).toBe(`${text}, in ${rank === 1 ? "forward" : "backward"} of "bn1" (call 2)`);
    }
    layers.forEach((layer, rank) => expect(layer.stateDict()).toEqual(moved[rank]));
  });

  const differing: [string, Options, string][] = [
    [
      "another eps",
      { eps: 0.5 },
      "rank 1 has a layer with other options or another mode at call 1, forward of 2 channels",
    ],
    [
      "merged moments",
      { exact: false },
      "rank 1 has a layer with other options or another mode at call 1, forward of 2 channels",
    ],
    ["another name", { name: "bn2" }, "rank 1 has a layer with another name at call 1, forward of 2 channels"],
  ];
  test.each(differing)("%s", async (_, options, text) => {
    const groups = fakeGroups(3);
    const layers = groups.map(
      (group, rank) => new SyncBatchNorm<DType>(2, { ...(rank === 1 && options), group } as never),
    );
    const errors = await outcomes(layers.map((layer) => () => layer.forwardAsync(x, [6, 2])));
    for (const error of errors) expect((error as Error).message).toContain(text);
  });

  test("on several ranks", async () => {
    const layers = fakeGroups(4).map((group, rank) => new SyncBatchNorm<DType>(rank % 2 ? 2 : 3, { group }));
    const shapeOf = (rank: number): number[] => (rank % 2 ? [6, 2] : [4, 3]);
    const errors = (await outcomes(
      layers.map((layer, rank) => () => layer.forwardAsync(x, shapeOf(rank))),
    )) as GroupError[];
    for (const { message, ranks } of errors) {
      expect(ranks).toEqual([1, 3]);
      expect(message).toContain(
        "forward of 2 channels, where others are at call 1, forward of 3 channels; ranks 1 and 3 differ",
      );
    }
  });

  test("a gather among the calls of layers", async () => {
    const { layers } = layersOf(2);
    const calls = [() => layers[0]!.forwardAsync(x, [6, 2]), () => gatherAsync(layers[1]!.group, new Float64Array(3))];
    for (const error of await outcomes(calls))
      expect((error as Error).message).toMatch(/is at call 1, gather, where others/);
  });

  test("leaves the group usable", async () => {
    const { layers } = layersOf(2);
    const errors = await outcomes([() => layers[0]!.forwardAsync(x, [1, 2]), () => layers[1]!.forwardAsync(x, [6, 2])]);
    expect(errors[0]).toMatchObject({ code: SHAPE, message: '"x" expected length 2, got 12' });
    expect(errors[1]).toMatchObject({ code: GROUP, ranks: [0] });
    expect((errors[1] as Error).message).toBe(
      'rank 0 failed before the gather: "x" expected length 2, got 12, in forward (call 1)',
    );
    await Promise.all(layers.map((layer) => layer.forwardAsync(x, [6, 2])));
    expect(
      await outcomes([() => layers[0]!.backwardAsync(x.subarray(1)), () => layers[1]!.backwardAsync(x)]),
    ).toMatchObject([{ code: SHAPE }, { code: GROUP }]);
    await Promise.all(layers.map((layer) => layer.backwardAsync(x)));
    expect(layers.map(({ numBatchesTracked }) => numBatchesTracked)).toEqual([1, 1]);
  });

  test("an error of inference is nobody else's", async () => {
    const { layers, traffic } = layersOf(2);
    layers.forEach((layer) => layer.eval());
    const [error] = await outcomes([() => layers[0]!.forwardAsync(x, [1, 2])]);
    expect(error).toMatchObject({ code: SHAPE });
    expect(traffic.gathers).toBe(0);
  });

  test("a blocking call on a group that does not block", () => {
    const { layers } = layersOf(2);
    expect(() => layers[0]!.forward(x, [6, 2])).toThrow(
      "this group does not block: use forwardAsync and backwardAsync",
    );
    expect(() => layers[0]!.forward(x, [6, 2])).toThrow("the group cannot be used any more: this group does not block");
  });

  test("a blocking call while another is under way", async () => {
    const { layers } = layersOf(2);
    const pending = layers.map((layer) => layer.forwardAsync(x, [6, 2]));
    expect(() => layers[0]!.backward(x, { saved: layers[0]!.saved })).toThrow(/no token|expected the token|under way/);
    expect(() => layers[0]!.forward(x, [6, 2])).toThrow("an asynchronous call is still under way");
    await Promise.all(pending);
  });
});

describe("single values, and nothing", () => {
  test("one value on each rank is a batch, and one in all is refused on all ranks", async () => {
    const { layers } = layersOf(2);
    const one = values(2);
    await Promise.all(layers.map((layer) => layer.forwardAsync(one, [1, 2])));
    const none = new Float32Array(0);
    const errors = await outcomes([
      () => layers[0]!.forwardAsync(one, [1, 2]),
      () => layers[1]!.forwardAsync(none, [0, 2]),
    ]);
    for (const error of errors) expect(error).toMatchObject({ code: SINGLE_VALUE });
    expect(layers[1]!.numBatchesTracked).toBe(1);
  });

  test("no samples on any rank give empty outputs, and move nothing", async () => {
    const { layers } = layersOf(2);
    const none = new Float32Array(0);
    expect(await Promise.all(layers.map((layer) => layer.forwardAsync(none, [0, 2])))).toEqual([none, none]);
    const [first] = await Promise.all(layers.map((layer) => layer.backwardAsync(none)));
    const { gradWeight, gradInput } = first!;
    expect([gradWeight, gradInput]).toEqual([new Float32Array(2), none]);
    expect(layers[0]!.numBatchesTracked).toBe(0);
  });
});

describe("a transport of a user", () => {
  const x = values(12);
  const make = (allGather: Group["allGather"], more: Partial<Group> = {}): SyncBatchNorm =>
    new SyncBatchNorm(2, { group: { rank: 0, size: 2, allGather, ...more }, timeout: 50 });
  const twice = (data: Float64Array): Float64Array => Float64Array.of(...data, ...data);

  test("needs three members", () => {
    const bn = make(twice);
    expect(bn.forward(x, [6, 2])).toHaveLength(12);
    expect(bn.backward(x).gradInput).toHaveLength(12);
    expect(bn.numBatchesTracked).toBe(1);
  });

  test("that returns something else, or throws, breaks the group", () => {
    const short = make((data) => data.slice());
    expect(() => short.forward(x, [6, 2])).toThrow("the transport returned 8 elements in the place of 16 elements");
    let reason = "";
    const failing = make(
      () => {
        throw new Error("cable");
      },
      { abort: (text) => void (reason = text) },
    );
    const text = "the transport failed: cable, in forward (call 1)";
    expect(() => failing.forward(x, [6, 2])).toThrow(text);
    expect(reason).toBe(text);
    expect(() => failing.forward(x, [6, 2])).toThrow(`the group cannot be used any more: ${text}`);
    expect(failing.numBatchesTracked).toBe(0);
  });

  test("that never answers is given up after the time limit", async () => {
    const bn = make(() => new Promise<Float64Array>(() => undefined));
    await expect(bn.forwardAsync(x, [6, 2])).rejects.toMatchObject({ code: GROUP });
    await expect(bn.forwardAsync(x, [6, 2])).rejects.toThrow(/did not come within 50 ms/);
  });
});

describe("the parts of a layer alone", () => {
  test("give what a layer gives, in two halves", () => {
    const x = values(24);
    const [layer, plain] = [new BatchNorm(2), new BatchNorm(2)];
    const part = forwardPart(layer, x, [6, 2, 2]);
    expect(part.isShared).toBe(true);
    expect(part.finish(part.groups())).toEqual(plain.forward(x, [6, 2, 2]));
    const back = backwardPart(layer, x);
    const own = back.sums();
    expect([back.isShared, back.finish(own, own)]).toEqual([true, plain.backward(x)]);
    expect(layer.runningVar).toEqual(plain.runningVar);
  });

  test("refuse what a layer refuses, and virtual batches", () => {
    const bn = new BatchNorm(2, { virtualBatchSize: 2 });
    const x = values(12);
    const cut = 'a part of a batch and "virtualBatchSize" exclude each other';
    expectRejected(() => forwardPart(bn, x, [6, 2]), [bn], range(OPTION, cut));
    const wrong = (): unknown => forwardPart({} as BatchNorm, x, [6, 2]);
    expectRejected(wrong, [], type(TYPE, '"layer" expected a BatchNorm, got an object'));
  });
});
