// Batch renormalization (Ioffe 2017): by its formula, its gradients by finite differences, and its limits.
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormDoubleBackward, type BatchNormOptions, type Renorm } from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";
import { OPTION, SAVED, TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";

const [N, C] = [6, 3];
const SHAPE = [N, C];
const next = random(11);
const x = Float64Array.from({ length: N * C }, () => 3 * next() + 2);
const dy = Float64Array.from({ length: N * C }, () => next());

type Layer = BatchNorm<"float64">;

function layer(renorm: Renorm | undefined, options: BatchNormOptions<"float64"> = {}): Layer {
  const bn = new BatchNorm(C, { dtype: "float64", renorm, ...options });
  bn.weight!.set([0.5, 2, -1]);
  bn.bias!.set([0.25, -1, 3]);
  bn.runningMean!.set([1, 2.5, 4]);
  bn.runningVar!.set([1, 4, 0.5]);
  return bn;
}

const clip = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high);

/** r and d by the paper, of the statistics that are given. */
function constants(bn: Layer, rMax: number, dMax: number): { r: number[]; d: number[]; mean: number[]; s: number[] } {
  const channel = (c: number): number[] => Array.from({ length: N }, (_, i) => x[i * C + c]!);
  const mean = [0, 1, 2].map((c) => channel(c).reduce((sum, value) => sum + value) / N);
  const s = mean.map((m, c) => Math.sqrt(channel(c).reduce((sum, value) => sum + (value - m) ** 2, 0) / N + bn.eps));
  const running = [...bn.runningVar!].map((value) => Math.sqrt(value + bn.eps));
  const r = s.map((value, c) => clip(value / running[c]!, 1 / rMax, rMax));
  const d = mean.map((value, c) => clip((value - bn.runningMean![c]!) / running[c]!, -dMax, dMax));
  return { r, d, mean, s };
}

test.each([
  [3, 5],
  [1.1, 0.2],
  [1, 0],
  [Infinity, Infinity],
])("y = γ·(x̂·r + d) + β with rMax %d and dMax %d", (rMax, dMax) => {
  const bn = layer({ rMax, dMax });
  const { r, d, mean, s } = constants(bn, rMax, dMax);
  const y = bn.forward(x, SHAPE);
  y.forEach((value, p) => {
    const c = p % C;
    const normalized = (x[p]! - mean[c]!) / s[c]!;
    expect(value).toBeCloseTo(bn.weight![c]! * (normalized * r[c]! + d[c]!) + bn.bias![c]!, 12);
  });
});

test("without limits training gives the outputs of inference", () => {
  const bn = layer({ rMax: Infinity, dMax: Infinity });
  const inference = bn.clone().eval().forward(x, SHAPE);
  bn.forward(x, SHAPE).forEach((value, p) => expect(value).toBeCloseTo(inference[p]!, 12));
  expect(bn.lastRenorm).toEqual({ rMax: Infinity, dMax: Infinity, rClipped: 0, dClipped: 0 });
});

describe.each(backendsUnderTest.filter(({ kernels }) => kernels))("on $name", ({ name }) => {
  const backend = name as "oracle";

  test("limits of 1 and 0 are batch normalization, bit for bit", () => {
    for (const dtype of ["float32", "float64"] as const) {
      const both = [undefined, { rMax: 1, dMax: 0 }].map((renorm) => new BatchNorm(C, { dtype, renorm, backend }));
      const data = dtype === "float32" ? Float32Array.from(x) : x;
      const results = both.map((bn) => [
        bn.forward(data as Float64Array<ArrayBuffer>, SHAPE),
        bn.backward(data as Float64Array<ArrayBuffer>),
        bn.stateDict(),
      ]);
      expect(results[1]).toEqual(results[0]);
    }
  });

  test("the bits of the oracle", () => {
    const results = [backend, "oracle" as const].map((each) => {
      const bn = layer({ rMax: 1.5, dMax: 0.5 }, { backend: each });
      return [bn.forward(x, SHAPE), bn.backward(dy)];
    });
    expect(results[0]).toEqual(results[1]);
  });
});

describe("gradients are the loss's differences, with r and d constant", () => {
  const renorm = { rMax: 1.5, dMax: 0.5 };
  const { r, d } = constants(layer(renorm), 1.5, 0.5);

  /** The loss Σdy·y with given r and d, written out. */
  function loss(data: Float64Array, weight: Float64Array, bias: Float64Array, eps: number): number {
    let sum = 0;
    for (let c = 0; c < C; c++) {
      const values = Array.from({ length: N }, (_, i) => data[i * C + c]!);
      const mean = values.reduce((a, b) => a + b) / N;
      const s = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / N + eps);
      values.forEach((value, i) => {
        sum += dy[i * C + c]! * (weight[c]! * (((value - mean) / s) * r[c]! + d[c]!) + bias[c]!);
      });
    }
    return sum;
  }

  function slopes(array: Float64Array, of: () => number): number[] {
    return [...array].map((value, i) => {
      const [above, below] = [1e-5, -1e-5].map((step) => {
        array[i] = value + step;
        return of();
      });
      array[i] = value;
      return (above! - below!) / 2e-5;
    });
  }

  test.each([{}, { save: "output" as const }])("%j", (options) => {
    const bn = layer(renorm);
    bn.forward(x, SHAPE, options);
    const { gradInput, gradWeight, gradBias } = bn.backward(dy);
    const [data, weight, bias] = [x.slice(), bn.weight!.slice(), bn.bias!.slice()];
    const of = (): number => loss(data, weight, bias, bn.eps);
    const close = (got: Float64Array, expected: number[]): void =>
      expected.forEach((value, i) => expect(Math.abs(got[i]! - value)).toBeLessThan(1e-8));
    close(gradInput, slopes(data, of));
    close(gradWeight!, slopes(weight, of));
    close(gradBias!, slopes(bias, of));
  });
});

test("r and d are those of before the batch, which then moves the running statistics as ever", () => {
  const [bn, plain] = [layer({ rMax: 3, dMax: 5 }), layer(undefined)];
  bn.forward(x, SHAPE);
  plain.forward(x, SHAPE);
  expect(bn.stateDict()).toEqual(plain.stateDict());
  const later = layer({ rMax: 3, dMax: 5 });
  const [first, again] = [1, 2].map(() => later.forward(x, SHAPE, { updateRunningStats: false }));
  expect(again).toEqual(first);
});

test("inference and frozen layers do not renormalize", () => {
  const [bn, plain] = [layer({ rMax: 3, dMax: 5 }).eval(), layer(undefined).eval()];
  expect(bn.forward(x, SHAPE)).toEqual(plain.forward(x, SHAPE));
  bn.train().frozen = true;
  expect(bn.forward(x, SHAPE)).toEqual(plain.forward(x, SHAPE));
  expect(bn.lastRenorm).toBe(null);
});

test("a schedule, and the shares that were limited", () => {
  const asked: number[] = [];
  const bn = layer((batch) => (asked.push(batch), batch === 1 ? { rMax: 1, dMax: 0 } : { rMax: 100, dMax: 0.01 }));
  bn.forward(x, SHAPE);
  expect(bn.lastRenorm).toEqual({ rMax: 1, dMax: 0, rClipped: 1, dClipped: 1 });
  bn.forward(x, SHAPE);
  expect(bn.lastRenorm).toEqual({ rMax: 100, dMax: 0.01, rClipped: 0, dClipped: 1 });
  expect(asked).toEqual([1, 2]);
});

test("masks: the batch's statistics are those of the positions that count; without any, r = 1 and d = 0", () => {
  const bn = layer({ rMax: 3, dMax: 5 });
  const mask = Uint8Array.of(1, 1, 1, 1, 0, 0);
  const y = bn.clone().forward(x, SHAPE, { mask });
  const part = bn.clone().forward(x.slice(0, 4 * C), [4, C]);
  part.forEach((value, p) => expect(y[p]).toBeCloseTo(value, 12));
  const none = bn.forward(x, SHAPE, { mask: new Uint8Array(N) });
  none.forEach((value, p) => expect(value).toBe(bn.bias![p % C]));
});

test("without ε and variance, equal ones have the ratio 1", () => {
  const bn = layer({ rMax: 3, dMax: 5 }, { eps: 0 });
  bn.runningVar!.fill(0);
  bn.runningMean!.fill(7);
  const y = bn.forward(new Float64Array(N * C).fill(7), SHAPE);
  y.forEach((value, p) => expect(value).toBe(bn.bias![p % C]));
});

test("what it cannot be used with, and bad limits", () => {
  const make = (options: object) => () => new BatchNorm(C, options);
  const refused = (options: object, error: Parameters<typeof expectRejected>[2]): void =>
    expectRejected(make(options), [], error);
  refused(
    { renorm: { rMax: 3, dMax: 5 }, trackRunningStats: false },
    range(OPTION, '"renorm" needs "trackRunningStats"'),
  );
  refused({ renorm: 3 }, type(TYPE, '"renorm" expected { rMax, dMax }, got 3'));
  refused(
    { renorm: { rMax: 0.5, dMax: 0 } },
    range(VALUE, '"renorm.rMax" expected a number in [1, Infinity], got 0.5'),
  );
  refused({ renorm: { rMax: 1 } }, type(TYPE, '"renorm.dMax" expected a number, got undefined'));
  refused(
    { renorm: { rMax: 1, dMax: NaN } },
    range(VALUE, '"renorm.dMax" expected a number in [0, Infinity], got NaN'),
  );
  const bn = layer(() => ({ rMax: 0, dMax: 0 }));
  const error = range(VALUE, '"renorm(1).rMax" expected a number in [1, Infinity], got 0');
  expectRejected(() => bn.forward(x, SHAPE), [bn], error);
  const good = layer({ rMax: 3, dMax: 5 });
  good.forward(x, SHAPE);
  const constant = range(SAVED, '"saved" expected a forward without "renorm", whose r and d are constants');
  expectRejected(() => batchNormDoubleBackward(good.saved!, dy, { gradGradInput: dy }), [], constant);
});
