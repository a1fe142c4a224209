// The example's network (examples/digits/network): the same trained bits on every backend, its gradients, its data and its
// arithmetic.
import { backends } from "batchnorm";
import { beforeAll, describe, expect, it, test } from "vitest";
import { loadDigits } from "../../examples/digits/data.js";
import { percentiles } from "../../examples/digits/network/evaluate.js";
import { exp, log, tanh } from "../../examples/digits/network/exp.js";
import { plainProducts } from "../../examples/digits/network/matrix.js";
import { Network, type NetworkOptions } from "../../examples/digits/network/network.js";
import { gaussian, uniform } from "../../examples/digits/network/random.js";
import { batches, first, split, type Digits, type Samples } from "../../examples/digits/network/samples.js";
import { settings } from "../../examples/digits/settings.js";
import { train, type Result } from "../../examples/digits/train.js";
import type { Training } from "../../examples/digits/training.js";

const SHORT: Training = { ...settings.shift, steps: 30, look: 10, seed: 1, normalized: true };
let digits: Digits;

beforeAll(() => {
  const all = loadDigits(1);
  digits = { training: all.training, heldOut: first(all.heldOut, 100) };
});

describe("a short training gives the oracle's bits", () => {
  const short = (training: Partial<Training>): Result =>
    train({ ...SHORT, ...training }, digits, training.normalized === false ? [] : ["algorithm", "trap"]);
  let expected: Result;
  beforeAll(() => {
    expected = short({ backend: "oracle" });
  });

  for (const { name, status, reason } of backends()) {
    const works = status === "in use" || status === "available";
    it.skipIf(!works)(works ? name : `${name}: ${reason}`, () => {
      const result = short({ backend: name });
      expect(result.hash).toBe(expected.hash);
      expect(result.points).toEqual(expected.points);
      expect(result.probed).toEqual(expected.probed);
    });
  }

  test("and another seed, or no normalization, gives others", () => {
    expect(short({ seed: 2 }).hash).not.toBe(expected.hash);
    expect(short({ normalized: false }).hash).not.toBe(expected.hash);
  });

  test("statistics of one digit give every digit the same answer", () => {
    expect(expected.probed.trap?.own).toMatchObject({ distinctAnswers: 1, distinctOutputs: 1 });
    expect(expected.probed.trap?.running.accuracy).toBe(expected.points.at(-1)?.accuracy);
    expect(expected.probed.algorithm?.deviation).toBeLessThan(0.01);
  });

  test("a diverged network is told, and trains no further", () => {
    const result = short({ normalized: false, activation: "relu", rate: 1e6 });
    expect(result).toMatchObject({ diverged: 10, probed: {} });
    expect(result.points.map(({ step }) => step)).toEqual([0]);
  });
});

describe("gradients are the loss's differences", () => {
  const small: NetworkOptions = { inputs: 5, units: [4, 3], activation: "tanh", norm: null };
  const random = uniform(3, 0);
  const samples: Samples = {
    count: 6,
    images: Float32Array.from({ length: 30 }, random),
    labels: Uint8Array.from([0, 1, 2, 3, 9, 1]),
  };
  const cases: Record<string, Partial<NetworkOptions>> = {
    "without normalization": {},
    "before the activation": { norm: {} },
    "after the activation": { norm: {}, placement: "after" },
    "sigmoid and σ": { norm: {}, activation: "sigmoid", initialStd: 1 },
    ReLU: { norm: {}, activation: "relu" },
  };

  test.each(Object.entries(cases))("%s", (_, options) => {
    const network = new Network({ ...small, ...options }, uniform(1, 1));
    for (const { value, gradient } of network.gradients(samples)) {
      const expected = [...gradient];
      expected.forEach((slope, i) => {
        const [start, step] = [value[i]!, 2 ** -10];
        const [above, below] = [step, -step].map((change) => {
          value[i] = start + change;
          return network.loss(samples);
        });
        value[i] = start;
        expect(Math.abs((above! - below!) / (2 * step) - slope)).toBeLessThan(2e-3);
      });
    }
  });

  test("the dense map has a bias unless a normalization follows it at once", () => {
    const hasBias = (options: Partial<NetworkOptions>): boolean[] =>
      new Network({ ...small, ...options }, uniform(1, 1)).hidden.map(({ dense }) => dense.bias !== null);
    expect(hasBias({})).toEqual([true, true]);
    expect(hasBias({ norm: {} })).toEqual([false, false]);
    expect(hasBias({ norm: {}, placement: "after" })).toEqual([true, true]);
  });

  // What is drawn at random is drawn again by a network whose generator starts again.
  test.each([{ dropout: 0.5 }, { noise: { mean: 0.5, std: 1.5 } }])("with %j", (disturbance) => {
    const options = { ...small, norm: {}, ...disturbance };
    const network = new Network(options, uniform(1, 1));
    const { value, gradient } = network.gradients(samples)[0]!;
    const start = network.hidden[0]!.dense.weight.slice();
    expect(value).toEqual(start);
    [0, 7, 19].forEach((i) => {
      const [above, below] = [2 ** -8, -(2 ** -8)].map((change) => {
        const again = new Network(options, uniform(1, 1));
        again.hidden[0]!.dense.weight[i]! += change;
        return again.loss(samples);
      });
      expect(Math.abs((above! - below!) / 2 ** -7 - gradient[i]!)).toBeLessThan(2e-3);
    });
    expect(network.loss(samples)).not.toBe(network.loss(samples));
    network.inEvaluation(() => expect(network.loss(samples)).toBe(network.loss(samples)));
  });

  test("weight decay shrinks weights and leaves biases", () => {
    const [plain, decayed] = [0, 0.1].map((weightDecay) => {
      const network = new Network(small, uniform(1, 1));
      network.step(samples, 0.5, { weightDecay });
      return network.output;
    });
    const initial = new Network(small, uniform(1, 1)).output.weight;
    expect(decayed!.bias).toEqual(plain!.bias);
    decayed!.weight.forEach((w, i) => expect(w).toBeCloseTo(plain!.weight[i]! - 0.05 * initial[i]!, 6));
  });
});

describe("data", () => {
  test("the split is disjoint, whole, and the seed's own", () => {
    const { training, heldOut } = split(10_000, 2000, 1);
    expect([training.length, heldOut.length]).toEqual([8000, 2000]);
    expect(new Set([...training, ...heldOut]).size).toBe(10_000);
    expect(split(10_000, 2000, 1)).toEqual({ training, heldOut });
    expect(split(10_000, 2000, 2).heldOut).not.toEqual(heldOut);
  });

  test("every digit occurs, pixels in [0, 1]", () => {
    expect(new Set(digits.training.labels).size).toBe(10);
    expect(digits.training.images.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
  });

  test("an epoch has every sample once", () => {
    const few = { count: 10, images: Float32Array.from({ length: 10 }, (_, i) => i), labels: new Uint8Array(10) };
    const source = batches(few, 5, 1);
    const epoch = [0, 1].flatMap(() => [...source.next().value.images]);
    expect(epoch.sort((a, b) => a - b)).toEqual([...few.images]);
    expect(() => batches(few, 11, 1).next()).toThrow("a mini-batch has 1 to 10 of the samples, got 11");
  });
});

describe("arithmetic", () => {
  test("exp, log and tanh are within a few units in the last place", () => {
    const random = uniform(1, 0);
    const error = (ours: number, exact: number): number => Math.abs((ours - exact) / exact);
    const worst = { exp: 0, log: 0, tanh: 0 };
    for (let i = 0; i < 20_000; i++) {
      const x = (2 * random() - 1) * (i % 2 ? 708 : 2);
      worst.exp = Math.max(worst.exp, error(exp(x), Math.exp(x)));
      worst.log = Math.max(worst.log, error(log(exp(x)), Math.log(exp(x))));
      worst.tanh = Math.max(worst.tanh, error(tanh(x), Math.tanh(x)));
    }
    expect(worst.exp).toBeLessThan(2 * 2 ** -52);
    expect(worst.log).toBeLessThan(3 * 2 ** -52);
    expect(worst.tanh).toBeLessThan(2 ** -25);
  });

  test("exp and log at the ends of their ranges", () => {
    for (const x of [0, -0, 709.78, 710, -708.5, -745, -745.13, -746, 1e300, Infinity, -Infinity, NaN]) {
      expect(exp(x)).toBe(Math.exp(x));
    }
    for (const x of [0, 1, Infinity, -1, NaN, Number.MIN_VALUE]) expect(log(x)).toBe(Math.log(x));
  });

  test("gaussian numbers have mean 0 and standard deviation 1", () => {
    const random = uniform(1, 0);
    const values = Array.from({ length: 20_000 }, () => gaussian(random));
    const average = values.reduce((a, b) => a + b) / values.length;
    expect(Math.abs(average)).toBeLessThan(0.03);
    expect(values.reduce((sum, value) => sum + value ** 2, 0) / values.length).toBeCloseTo(1, 1);
  });

  test("percentiles interpolate", () => {
    const fractions = [0, 0.15, 0.5, 0.85, 1];
    percentiles([4, 0, 1, 3, 2], fractions).forEach((value, i) => expect(value).toBeCloseTo(4 * fractions[i]!, 12));
    expect(percentiles([7], [0.15])).toEqual([7]);
    expect(percentiles([], [0.5])).toEqual([NaN]);
  });

  test.each([1, 3, 4, 9])("the three products, with %i inputs", (inputs) => {
    const size = { rows: 3, inputs, outputs: 2 };
    const x = Float32Array.from({ length: 3 * inputs }, (_, p) => (p % 3) - 1);
    const w = Float32Array.from({ length: inputs * 2 }, (_, p) => p + 1);
    const dy = Float32Array.from({ length: 6 }, (_, p) => 2 * p - 5);
    const sum = (count: number, term: (k: number) => number): number =>
      Array.from({ length: count }, (_, k) => term(k)).reduce((a, b) => a + b, 0);
    const computed = (length: number, compute: (result: Float32Array) => void): number[] => {
      const result = new Float32Array(length).fill(NaN);
      compute(result);
      return [...result];
    };
    expect(computed(6, (y) => plainProducts.forward(size, x, w, y))).toEqual(
      [0, 1, 2].flatMap((i) => [0, 1].map((j) => sum(inputs, (k) => x[i * inputs + k]! * w[k * 2 + j]!))),
    );
    expect(computed(3 * inputs, (dx) => plainProducts.gradInput(size, dy, w, dx))).toEqual(
      [...x].map((_, p) => sum(2, (j) => dy[Math.floor(p / inputs) * 2 + j]! * w[(p % inputs) * 2 + j]!)),
    );
    expect(computed(inputs * 2, (dw) => plainProducts.gradWeight(size, x, dy, dw))).toEqual(
      [...w].map((_, p) => sum(3, (i) => x[i * inputs + Math.floor(p / 2)]! * dy[i * 2 + (p % 2)]!)),
    );
  });
});
