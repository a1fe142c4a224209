// Micro-batches: the bits of the whole batch where they end with groups, and its values elsewhere.
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import {
  BatchNorm,
  MicroBatches,
  type Activation,
  type BackendName,
  type BatchNormOptions,
  type ForwardFields,
  type MicroBatch,
} from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";
import { OPTION, SAVED, SHAPE, TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";

const next = random(77);
const values = (length: number): Float32Array => Float32Array.from({ length }, () => 4 * next() - 1);

type Options = BatchNormOptions<"float32">;
interface Case {
  readonly shape: readonly number[];
  readonly options?: Options;
  /** Of samples, or of positions. */
  readonly weights?: "samples" | "positions";
  readonly residual?: boolean;
  readonly maskedOutput?: "zero";
}

function layer(channels: number, options: Options): BatchNorm {
  const bn = new BatchNorm(channels, options);
  bn.weight!.set(bn.weight!.map((_, c) => 0.5 + (c % 3)));
  bn.bias!.set(bn.bias!.map((_, c) => (c % 4) - 1));
  bn.runningMean!.fill(0.25);
  return bn;
}

/** A batch, its gradient, and the results of the whole and of its cut at `cuts` samples. */
function results(
  { shape, options = {}, weights, residual, maskedOutput }: Case,
  cuts: readonly number[],
): { got: unknown[]; wanted: unknown[] } {
  const [samples = 0] = shape;
  const size = shape.reduce((a, b) => a * b);
  const channels = options.layout === "channels-last" ? shape.at(-1)! : shape[1]!;
  const given = { x: values(size), dy: values(size), r: values(size) };
  const count = weights === "positions" ? size / channels : samples;
  const w = weights && Float32Array.from({ length: count }, (_, i) => (i % 5 === 0 ? 0 : next()));
  const fields = (begin: number, end: number): ForwardFields<"float32"> & { residual?: Float32Array } => ({
    ...(residual && { residual: given.r.subarray((begin * size) / samples, (end * size) / samples) }),
    ...(w && { sampleWeights: w.subarray((begin * count) / samples, (end * count) / samples) }),
    ...(maskedOutput && { maskedOutput }),
  });
  const part = (data: Float32Array, [begin, end]: readonly [number, number]): Float32Array =>
    data.subarray((begin * size) / samples, (end * size) / samples);

  const whole = layer(channels, options);
  const y = whole.forward(given.x, shape, fields(0, samples) as object);
  const grads = whole.backward(given.dy);

  const bn = layer(channels, options);
  const ends = [...cuts, samples];
  const ranges = ends.map((end, i) => [i === 0 ? 0 : ends[i - 1]!, end] as const);
  const batch = new MicroBatches(bn, ranges.length, (i): MicroBatch<"float32"> => {
    const [begin, end] = ranges[i]!;
    return { x: part(given.x, ranges[i]!), shape: [end - begin, ...shape.slice(1)], ...fields(begin, end) };
  });
  const got = { y: new Float32Array(size), dx: new Float32Array(size), dr: new Float32Array(size) };
  batch.forward((output, i) => part(got.y, ranges[i]!).set(output));
  const parameters = batch.backward(
    (i) => part(given.dy, ranges[i]!),
    ({ gradInput, gradResidual }, i) => {
      part(got.dx, ranges[i]!).set(gradInput);
      if (gradResidual) part(got.dr, ranges[i]!).set(gradResidual);
    },
  );
  const state = (l: BatchNorm): unknown[] => [l.runningMean, l.runningVar, l.numBatchesTracked, l.lastRenorm];
  const noResidual = new Float32Array(size);
  return {
    got: [got.y, got.dx, got.dr, parameters.gradWeight, parameters.gradBias, parameters.gradSlope, ...state(bn)],
    wanted: [
      y,
      grads.gradInput,
      grads.gradResidual ?? noResidual,
      grads.gradWeight,
      grads.gradBias,
      grads.gradSlope,
      ...state(whole),
    ],
  };
}

const bits = (data: unknown): unknown =>
  data instanceof Float32Array ? Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1") : data;

const prelu = (channels: number): Activation => ({
  type: "prelu",
  slope: Float32Array.from({ length: channels }, (_, c) => c / 10 - 0.2),
});

/** Cuts where groups end: `unit` samples make one. */
const CASES: [string, number, Case][] = [
  ["planes of several runs in a block", 64, { shape: [200, 2, 1024] }],
  ["planes with a run in two blocks", 16, { shape: [40, 2, 4096] }],
  ["rows", 4096, { shape: [9000, 16] }],
  ["rows of short runs", 4096, { shape: [9000, 8, 3] }],
  ["few columns", 65536, { shape: [140_000, 3] }],
  ["channels last", 4096 / 64, { shape: [150, 8, 8, 17], options: { layout: "channels-last" } }],
  ["ReLU and a residual", 64, { shape: [200, 2, 1024], residual: true, options: { activation: "relu" } }],
  ["weights of samples", 64, { shape: [200, 2, 1024], weights: "samples" }],
  ["weights of samples in short runs", 4096, { shape: [9000, 8, 3], weights: "samples" }],
  ["weights of positions", 4096, { shape: [9000, 16], weights: "positions", maskedOutput: "zero" }],
  [
    "PReLU",
    64,
    { shape: [200, 2, 1024], options: { activation: { type: "prelu", slope: Float32Array.of(0.1, 0.3) } } },
  ],
  ["PReLU of short runs", 4096, { shape: [9000, 8, 3], residual: true, options: { activation: prelu(8) } }],
  ["hard swish", 4096, { shape: [9000, 16], options: { activation: "hard-swish" } }],
  ["a renormalization", 64, { shape: [200, 2, 1024], options: { renorm: { rMax: 1.1, dMax: 0.1 } } }],
  [
    "leaky ReLU, Keras",
    4096,
    { shape: [9000, 16], options: { convention: "keras", activation: { type: "leaky-relu" } } },
  ],
];

describe.each(backendsUnderTest.filter(({ kernels }) => kernels !== null))("$name", ({ name }) => {
  test.each(CASES)("%s: the bits of the whole batch", (_, unit, { options, ...rest }) => {
    const backend = name as BackendName;
    const { got, wanted } = results({ ...rest, options: { backend, ...options } }, [unit, 2 * unit]);
    got.forEach((result, i) => expect(bits(result)).toEqual(bits(wanted[i])));
  });
});

test("anywhere else up to rounding", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 0, max: 20 }),
      fc.constantFrom(1, 3, 20),
      (a, b, inner) => {
        const { got, wanted } = results(
          { shape: [21, 5, inner], residual: true, weights: "positions" },
          [...new Set([Math.min(a, b), a])].filter((cut) => cut > 0),
        );
        for (const [i, result] of got.entries()) {
          if (!(result instanceof Float32Array)) continue;
          const other = wanted[i] as Float32Array;
          result.forEach((value, j) =>
            expect(Math.abs(value - other[j]!)).toBeLessThanOrEqual(2e-5 * (1 + Math.abs(other[j]!))),
          );
        }
      },
    ),
    { numRuns: 30 },
  );
});

describe("a batch in parts", () => {
  const shape = [6, 2];
  const x = values(12);
  const read = (i: number): MicroBatch<"float32"> => ({ x: x.subarray(6 * i, 6 * i + 6), shape: [3, 2] });
  const ignore = (): void => undefined;

  test("moves the running statistics once, and after the last micro-batch", () => {
    const bn = new BatchNorm(2);
    const batch = new MicroBatches(bn, 2, read);
    batch.forward(() => expect(bn.numBatchesTracked).toBe(0));
    expect(bn.numBatchesTracked).toBe(1);
    const failing = new MicroBatches(bn, 2, (i) => (i === 1 ? { x, shape: [1, 2] } : read(i)));
    expectRejected(() => failing.forward(ignore), [bn], range(SHAPE, '"x" expected length 2, got 12'));
    expect(bn.numBatchesTracked).toBe(1);
  });

  test("is normalized with the running statistics in inference, and differentiated with them", () => {
    const bn = new BatchNorm(2).eval();
    const got: number[] = [];
    const grads: number[] = [];
    const batch = new MicroBatches(bn, 2, read);
    batch.forward((output) => got.push(...output));
    const parameters = batch.backward(
      (i) => x.subarray(6 * i, 6 * i + 6),
      ({ gradInput }) => grads.push(...gradInput),
    );
    const y = bn.forward(x, shape, { save: true });
    const wanted = bn.backward(x);
    expect([got, grads]).toEqual([[...y], [...wanted.gradInput]]);
    expect(parameters).toEqual({ gradWeight: wanted.gradWeight, gradBias: wanted.gradBias });
    expect(bn.numBatchesTracked).toBe(0);
  });

  test("may have micro-batches without samples, and none with any", () => {
    const empty = { x: new Float32Array(0), shape: [0, 2] };
    const bn = new BatchNorm(2);
    const lengths: number[] = [];
    new MicroBatches(bn, 3, (i) => (i === 1 ? empty : read(i / 2))).forward(({ length }) => lengths.push(length));
    const whole = new BatchNorm(2);
    whole.forward(x, shape);
    expect(lengths).toEqual([6, 0, 6]);
    expect(bn.runningMean![0]).toBeCloseTo(whole.runningMean![0]!, 6);
    const nothing = new MicroBatches(bn, 1, () => empty);
    nothing.forward(ignore);
    const zeros = new Float32Array(2);
    expect(nothing.backward(() => empty.x, ignore)).toEqual({ gradWeight: zeros, gradBias: zeros });
    expect(bn.numBatchesTracked).toBe(1);
  });

  test("leaves the layer's own token alone", () => {
    const bn = new BatchNorm(2);
    bn.forward(x, shape);
    const { saved } = bn;
    new MicroBatches(bn, 2, read).forward(ignore);
    expect(bn.saved).toBe(saved);
    const again = new BatchNorm(2);
    again.forward(x, shape);
    expect(bn.backward(x).gradInput).toEqual(again.backward(x).gradInput);
  });

  test("must have the same shape each time", () => {
    let reads = 0;
    const batch = new MicroBatches(new BatchNorm(2), 1, () => ({
      x: x.slice(0, reads++ ? 2 : 6),
      shape: [reads > 1 ? 1 : 3, 2],
    }));
    expectRejected(
      () => batch.forward(ignore),
      [],
      range(SHAPE, '"read(0).shape" expected [3, 2] as before, got [1, 2]'),
    );
  });

  test("takes a proxy of a layer", () => {
    const bn = new BatchNorm(2);
    new MicroBatches(new Proxy(bn, {}), 2, read).forward(ignore);
    expect(bn.numBatchesTracked).toBe(1);
  });

  test("refuses what it cannot use", () => {
    const bn = new BatchNorm(2);
    const make = (layer: unknown, count: unknown, of: unknown) => () =>
      new MicroBatches(layer as BatchNorm, count as number, of as typeof read);
    expectRejected(make({}, 2, read), [], type(TYPE, '"layer" expected a BatchNorm, got an object'));
    expectRejected(make(bn, 2, null), [], type(TYPE, '"read" expected a function, got null'));
    expectRejected(make(bn, 0, read), [], range(VALUE, '"count" expected a positive integer, got 0'));
    const cut = new BatchNorm(2, { virtualBatchSize: 2 });
    expectRejected(make(cut, 2, read), [], range(OPTION, 'micro-batches and "virtualBatchSize" exclude each other'));
    const batch = new MicroBatches(bn, 2, read);
    const saved = "a backward needs a forward of the micro-batches before it";
    expectRejected(() => batch.backward(() => x, ignore), [], range(SAVED, saved));
    expectRejected(() => batch.forward(null as never), [], type(TYPE, '"use" expected a function, got null'));
    const promised = new MicroBatches(bn, 1, () => Promise.resolve(read(0)));
    expectRejected(
      () => promised.forward(ignore),
      [],
      type(TYPE, '"read(0)" expected an object, got a Promise: await it'),
    );
    batch.forward(ignore);
    expectRejected(
      () => batch.backward(() => x, ignore),
      [],
      range(SHAPE, '"gradOutput(0)" expected length 6, got 12'),
    );
    batch.backward((i) => x.subarray(6 * i, 6 * i + 6), ignore);
    expectRejected(() => batch.backward(() => x, ignore), [], range(SAVED, saved));
  });
});

describe("a layer's forward with given moments", () => {
  const x = values(12);
  const moments = { count: 40, mean: new Float64Array([1, 2]), m2: new Float64Array([30, 50]) };

  test("normalizes with them, and moves the running statistics by them", () => {
    const bn = new BatchNorm(2, { eps: 0, momentum: 1 });
    const y = bn.forward(x, [6, 2], { moments });
    expect(y[0]).toBeCloseTo((x[0]! - 1) / Math.sqrt(30 / 40), 5);
    expect([...bn.runningMean!]).toEqual([1, 2]);
    expect(bn.runningVar![0]).toBeCloseTo(30 / 39, 6);
    expect(bn.saved!.isPart).toBe(true);
  });

  test("is refused where they have no meaning, and as outputs", () => {
    const forward = (bn: BatchNorm, options: object) => () => bn.forward(x, [6, 2], { moments, ...options });
    const inference = '"moments" and a forward with the running statistics exclude each other';
    expectRejected(forward(new BatchNorm(2).eval(), {}), [], range(OPTION, inference));
    expectRejected(forward(new BatchNorm(2), { statistics: "running" }), [], range(OPTION, inference));
    const cut = '"moments" and "virtualBatchSize" exclude each other';
    expectRejected(forward(new BatchNorm(2, { virtualBatchSize: 2 }), {}), [], range(OPTION, cut));
    const none = '"moments.count" expected a positive number, got 0';
    expectRejected(forward(new BatchNorm(2), { moments: { ...moments, count: 0 } }), [], range(VALUE, none));
    const three = '"moments.mean" expected length 3, got 2';
    expectRejected(() => new BatchNorm(3).forward(x, [4, 3], { moments }), [], range(SHAPE, three));
  });
});
