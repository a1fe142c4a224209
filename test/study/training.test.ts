// What the study trains and follows, on tiny data.
import { updateStatistics } from "batchnorm";
import { expect, describe, test } from "vitest";
import { hash } from "../../examples/digits/hash.js";
import { plainProducts } from "../../examples/digits/network/matrix.js";
import { uniform } from "../../examples/digits/network/random.js";
import { batches, type Samples } from "../../examples/digits/network/samples.js";
import { Convolution } from "../../study/training/convolution.js";
import { ConvolutionalNetwork } from "../../study/training/convolutional-network.js";
import type { Settings } from "../../study/experiments/plan.js";
import { denseNetwork, scheduleOf } from "../../study/training/model.js";
import { accuracy } from "../../study/training/evaluate.js";
import { byUpdate } from "../../study/training/population.js";
import { drift, predictiveness } from "../../study/training/shift.js";
import { StatisticsFollower } from "../../study/training/statistics.js";
import { train } from "../../study/training/train.js";
import { twoClassBatches } from "../../study/training/two-classes.js";
import { digits, settings } from "./tiny.js";

const planned = { experiment: "tiny", label: "a", seed: 1, settings };

describe("a training", () => {
  test("depends on the seed and the settings alone", async () => {
    const one = await train(planned, digits, plainProducts);
    const { seconds, shortestStep, ...again } = await train(planned, digits, plainProducts);
    expect(one).toMatchObject(again);
    expect(shortestStep).toBeLessThanOrEqual(1000 * (seconds + 0.05));
    expect(one.curve.steps).toEqual([4, 8, 12]);
    expect((await train({ ...planned, seed: 2 }, digits, plainProducts)).hash).not.toBe(one.hash);
  });

  test("ends where a parameter becomes infinite or NaN", async () => {
    const wild = { ...settings, norm: null, rate: 1e30, steps: 300, evaluations: 100 };
    const { diverged, steps, accuracy } = await train({ ...planned, settings: wild }, digits, plainProducts);
    expect(diverged).toBe(true);
    expect(steps).toBeLessThan(30);
    // Of NaNs the first is the answer: every digit is called 0.
    expect(accuracy).toBe(0.1);
  });

  test("follows all that it is asked to", async () => {
    const follow = ["training", "percentiles", "drift", "gradients", "statistics"] as const;
    const followed = { ...planned, settings: { ...settings, follow } };
    const { curve, byStatistics } = await train(followed, digits, plainProducts);
    for (const values of Object.values(curve)) expect(values).toHaveLength(3);
    expect(curve.percentiles![0]!.map((unit) => unit.length)).toEqual([3, 3, 3]);
    expect(curve.meanDrift![0]).toHaveLength(3);
    expect(Object.keys(byStatistics!)).toEqual(["running", "cumulative", "population", "batch"]);
  });

  test("of few digits uses those of its seed", async () => {
    const few = { ...settings, digits: 20, follow: ["training"] as const, steps: 200 };
    const { curve } = await train({ ...planned, settings: few }, digits, plainProducts);
    expect(curve.training!.at(-1)).toBe(1);
  });
});

describe("the population", () => {
  const follow = ["population"] as const;
  const trainWith = (more: Partial<Settings>): ReturnType<typeof train> =>
    train({ ...planned, settings: { ...settings, ...more, follow } }, digits, plainProducts);

  test("has statistics of its own, which need no momentum, and leaves the network as it was", async () => {
    const still = await trainWith({ steps: 20, norm: { momentum: 0 } });
    const moving = await trainWith({ steps: 20, norm: { momentum: 0.5 } });
    expect(Object.keys(still.byUpdate!)).toEqual(["running", "together", "inOrder", "batch"]);
    expect(still.byUpdate!.running).toBe(still.accuracy);
    expect(still.byUpdate).toMatchObject({ ...moving.byUpdate, running: still.accuracy });
    expect(still.accuracy).toBeLessThan(moving.accuracy);
    expect(still.byUpdate!.inOrder).toBe(1);
  });

  test("is that of updateStatistics, and the network is the same afterwards", async () => {
    const network = denseNetwork(settings, 1, plainProducts);
    const source = batches(digits.training, 4, 1);
    for (let i = 0; i < 15; i++) network.step(source.next().value, 0.1);
    const before = hash(network);
    const batchesOf = (samples: Samples): ReturnType<typeof batches> => batches(samples, 4, 2);
    const found = await byUpdate(network, { ...digits, batch: 4, batchesOf });
    expect(hash(network)).toBe(before);
    expect(found.running).toBe(accuracy(network, digits.heldOut));
    const all = (): Samples[] => {
      const endless = batchesOf(digits.training);
      return Array.from({ length: 25 }, () => structuredClone(endless.next().value));
    };
    const forward = ({ images, count }: Samples): unknown => network.forward(images, count);
    await updateStatistics(network.norms, all, forward, { passes: "together" });
    expect(found.together).toBe(accuracy(network, digits.heldOut));
    await updateStatistics(network.norms, all, forward, { passes: "in order" });
    expect(found.inOrder).toBe(accuracy(network, digits.heldOut));
    expect(new Set(Object.values(found)).size).toBe(4);
  });

  test("is followed after renormalization and with ghost batches too, which change the training", async () => {
    const renorm = { from: 2, rMax: 3, rUntil: 12, dMax: 5, dUntil: 8 };
    const hashes = await Promise.all(
      [{}, { renorm }, { virtualBatchSize: 4 }].map(async (norm) => {
        const { byUpdate, hash: own } = await trainWith({ norm });
        expect(Object.values(byUpdate!).every((share) => share >= 0 && share <= 1)).toBe(true);
        return own;
      }),
    );
    expect(new Set(hashes).size).toBe(3);
  });
});

test("the limits of a renormalization grow evenly, each until its own batch", () => {
  const renorm = { from: 10, rMax: 3, rUntil: 50, dMax: 5, dUntil: 30 };
  const limitsOf = scheduleOf(renorm);
  expect([1, 10].map(limitsOf)).toEqual([
    { rMax: 1, dMax: 0 },
    { rMax: 1, dMax: 0 },
  ]);
  expect(limitsOf(20)).toEqual({ rMax: 1.5, dMax: 2.5 });
  expect([50, 1000].map(limitsOf)).toEqual([
    { rMax: 3, dMax: 5 },
    { rMax: 3, dMax: 5 },
  ]);
  const network = denseNetwork({ ...settings, norm: { renorm: { ...renorm, from: 0 } } }, 1, plainProducts);
  network.step(batches(digits.training, 10, 1).next().value, 0.1);
  expect(network.norms[0]!.lastRenorm).toMatchObject({ rMax: 1.04, dMax: 5 / 30 });
});

test.each([
  ["running", 0.1],
  ["cumulative", null],
] as const)("the %s statistics are those of the library's own momentum", (kind, momentum) => {
  const [followed, own] = [denseNetwork(settings, 1, plainProducts), denseNetwork(settings, 1, plainProducts)];
  for (const norm of own.norms) norm.momentum = momentum;
  const follower = new StatisticsFollower(followed);
  const [one, other] = [batches(digits.training, 10, 1), batches(digits.training, 10, 1)];
  for (let i = 0; i < 20; i++) {
    followed.step(one.next().value, 0.1);
    follower.follow();
    own.step(other.next().value, 0.1);
  }
  follower.use(kind);
  followed.norms.forEach((norm, i) => {
    for (const name of ["runningMean", "runningVar"] as const) {
      const expected = own.norms[i]![name]!;
      norm[name]!.forEach((value, c) => expect(value).toBeCloseTo(expected[c]!, 5));
    }
  });
});

test("a batch of two classes has two classes, and others next time", () => {
  const source = twoClassBatches(digits.training, 16, 1);
  const pairs = Array.from({ length: 20 }, () => [...new Set(source.next().value.labels)].sort().join());
  expect(pairs.every((pair) => pair.split(",").length === 2)).toBe(true);
  expect(new Set(pairs).size).toBeGreaterThan(5);
});

describe("the shift", () => {
  const network = denseNetwork(settings, 1, plainProducts);
  const batch = batches(digits.training, 20, 1).next().value;

  test("is 0 without a step, and the measure leaves the network as it was", () => {
    const before = hash(network);
    expect(drift(network, digits.heldOut, () => {})).toEqual({ mean: [0, 0, 0], deviation: [0, 0, 0] });
    predictiveness(network, batch, 0.1);
    expect(hash(network)).toBe(before);
    expect(network.norms.map(({ momentum }) => momentum)).toEqual([0.1, 0.1, 0.1]);
  });

  test("of a mean that moves by its deviation is 1", () => {
    const moved = drift(network, digits.heldOut, () => network.norms[2]!.bias!.fill(1));
    expect(moved.mean[0]).toBe(0);
    expect(moved.mean[2]).toBeCloseTo(1, 3);
  });
});

describe("the convolution", () => {
  const random = uniform(1, 5);
  const array = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random() - 1);
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

  test("is the sum over 3×3 places at every second place", () => {
    const convolution = new Convolution(1, 1, 4, random);
    convolution.weight.set([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const x = Float32Array.from({ length: 16 }, (_, i) => i);
    // The window at the top left has a border above and to the left: 5·0 + 6·1 + 8·4 + 9·5. At the bottom right there is
    // none: 1·5 + 2·6 + 3·7 + 4·9 + 5·10 + 6·11 + 7·13 + 8·14 + 9·15.
    expect([...convolution.forward(x, 1)]).toEqual([83, 178, 330, 528]);
  });

  test("has gradients that finite differences confirm; it is linear, so any step will do", () => {
    const convolution = new Convolution(2, 3, 6, random);
    const x = array(2 * 2 * 36);
    const dy = array(2 * 3 * 9);
    const loss = (): number => dot(convolution.forward(x, 2), dy);
    loss();
    const dx = convolution.backward(dy, 2);
    for (const [values, gradient] of [
      [convolution.weight, convolution.gradWeight.slice()],
      [x, dx],
    ] as const) {
      values.forEach((value, i) => {
        values[i] = value + 1;
        const above = loss();
        values[i] = value - 1;
        const below = loss();
        values[i] = value;
        expect((above - below) / 2).toBeCloseTo(gradient[i]!, 4);
      });
    }
  });

  test.each([
    ["with", { reuse: true }],
    ["without", null],
  ])("network, %s normalization, descends as fast as its gradient says", (_, norm) => {
    const network = new ConvolutionalNetwork(norm, uniform(1, 1));
    const samples = batches(digits.training, 20, 1).next().value;
    const trained = network.gradients(samples);
    const gradients = trained.map(({ gradient }) => gradient.slice());
    const start = trained.map(({ value }) => value.slice());
    const squared = gradients.reduce((sum, gradient) => sum + dot(gradient, gradient), 0);
    const lossAt = (length: number): number => {
      trained.forEach(({ value }, i) => value.set(start[i]!.map((v, p) => v + length * gradients[i]![p]!)));
      return network.loss(samples);
    };
    const step = 1e-3 / Math.sqrt(squared);
    const slope = (lossAt(step) - lossAt(-step)) / (2 * step);
    expect(slope / squared).toBeCloseTo(1, 1);
  });
});
