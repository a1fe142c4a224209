// Ghost batches: each virtual batch is a batch of its own, in whatever order its samples are.
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradSums,
  type BatchNormOptions,
  type Saved,
} from "../../src/index.js";
import { variance } from "../../src/math.js";
import { batchNormMoments } from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";
import { OPTION, SAVED, SINGLE_VALUE, TYPE, VALUE, expectRejected, range, type } from "../support/rejected.js";

type Options = BatchNormOptions<"float64">;
type Layer = BatchNorm<"float64">;

const C = 3;
const INNER = 5;
const EACH = C * INNER;
const next = random(21);
const values = (length: number): Float64Array => Float64Array.from({ length }, () => 4 * next() - 1);
const layer = (options: Options = {}): Layer => {
  const bn = new BatchNorm(C, { dtype: "float64", ...options });
  bn.weight!.set([0.5, 2, -1]);
  bn.bias!.set([1, 0, -2]);
  return bn;
};

/** The samples of each virtual batch. */
function cut(samples: number, size: number, isInterleaved: boolean): number[][] {
  const count = Math.ceil(samples / size);
  return Array.from({ length: count }, (_, g) =>
    Array.from({ length: samples }, (_, i) => i).filter((i) =>
      isInterleaved ? i % count === g : Math.floor(i / size) === g,
    ),
  );
}

const gather = (data: Float64Array, samples: readonly number[], each = EACH): Float64Array =>
  Float64Array.from(samples.flatMap((i) => [...data.subarray(i * each, (i + 1) * each)]));

function scatter(parts: readonly Float64Array[], groups: readonly number[][]): Float64Array {
  const whole = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  groups.forEach((samples, g) =>
    samples.forEach((i, at) => whole.set(parts[g]!.subarray(at * EACH, (at + 1) * EACH), i * EACH)),
  );
  return whole;
}

interface Problem {
  readonly samples: number;
  readonly size: number;
  readonly order: "contiguous" | "interleaved";
  readonly weighting: "none" | "mask" | "weights";
  readonly relu: boolean;
  readonly residual: boolean;
}

const problems = fc.record<Problem>({
  samples: fc.integer({ min: 1, max: 13 }),
  size: fc.integer({ min: 1, max: 14 }),
  order: fc.constantFrom("contiguous", "interleaved"),
  weighting: fc.constantFrom("none", "mask", "weights"),
  relu: fc.boolean(),
  residual: fc.boolean(),
});

describe("each virtual batch is a batch of its own", () => {
  test("outputs, gradients and statistics", () => {
    fc.assert(
      fc.property(problems, ({ samples, size, order, weighting, relu, residual }) => {
        const groups = cut(samples, size, order === "interleaved");
        const [x, dy, add] = [1, 2, 3].map(() => values(samples * EACH)) as [Float64Array, Float64Array, Float64Array];
        const w = Float64Array.from({ length: samples }, (_, i) =>
          i % 3 === 1 ? 0 : weighting === "mask" ? 1 : 1 + i,
        );
        const options: Options = { singleValue: "allow", ...(relu && { activation: "relu" as const }) };
        const given = (pick: readonly number[] | null): object => ({
          ...(weighting !== "none" && { sampleWeights: pick ? gather(w, pick, 1) : w }),
          ...(residual && { residual: pick ? gather(add, pick) : add }),
        });
        const bn = layer({ ...options, virtualBatchSize: size, virtualBatches: order });
        const y = bn.forward(x, [samples, C, INNER], given(null));
        const gradients = bn.backward(dy);

        const one = layer(options);
        const parts = groups.map((pick) => {
          const own = one.forward(gather(x, pick), [pick.length, C, INNER], given(pick));
          return { y: own, ...one.backward(gather(dy, pick)) };
        });
        expect(y).toEqual(
          scatter(
            parts.map((part) => part.y),
            groups,
          ),
        );
        expect(gradients.gradInput).toEqual(
          scatter(
            parts.map((part) => part.gradInput),
            groups,
          ),
        );
        if (residual)
          expect(gradients.gradResidual).toEqual(
            scatter(
              parts.map((part) => part.gradResidual!),
              groups,
            ),
          );
        for (const name of ["gradWeight", "gradBias"] as const) {
          const sum = [0, 1, 2].map((c) => parts.reduce((total, part) => total + part[name]![c]!, 0));
          expect([...gradients[name]!]).toEqual(sum);
        }
        if (order === "contiguous") expect(bn.stateDict()).toEqual(one.stateDict());
      }),
      { seed: 7, numRuns: 150 },
    );
  });

  test.each(backendsUnderTest.filter(({ kernels }) => kernels).map(({ name }) => name))(
    "the oracle's bits: %s",
    (name) => {
      const x = Float32Array.from(values(11 * EACH));
      const results = [name, "oracle"].map((backend) =>
        (["contiguous", "interleaved"] as const).map((virtualBatches) => {
          const bn = new BatchNorm(C, { virtualBatchSize: 4, virtualBatches, backend: backend as "oracle" });
          return [bn.forward(x, [11, C, INNER]), bn.backward(x), bn.stateDict()];
        }),
      );
      expect(results[0]).toEqual(results[1]);
    },
  );

  test("of the whole size they are plain batch normalization", () => {
    const x = values(6 * EACH);
    const plain = layer();
    const expected = [plain.forward(x, [6, C, INNER]), plain.backward(x), plain.stateDict()];
    for (const virtualBatchSize of [6, 100])
      for (const virtualBatches of ["contiguous", "interleaved"] as const) {
        const bn = layer({ virtualBatchSize, virtualBatches });
        expect([bn.forward(x, [6, C, INNER]), bn.backward(x), bn.stateDict()]).toEqual(expected);
      }
  });
});

test("interleaved, the running statistics move once, by the mean of those of the virtual batches", () => {
  const x = values(7 * EACH);
  const bn = layer({ virtualBatchSize: 3, virtualBatches: "interleaved", momentum: 0.25 });
  bn.forward(x, [7, C, INNER]);
  const moments = cut(7, 3, true).map((pick) => batchNormMoments(gather(x, pick), [pick.length, C, INNER]));
  for (let c = 0; c < C; c++) {
    const mean = moments.reduce((sum, each) => sum + each.mean[c]!, 0) / 3;
    const own = moments.reduce((sum, each) => sum + variance(each)[c]!, 0) / 3;
    expect(bn.runningMean![c]).toBeCloseTo(0.25 * mean, 12);
    expect(bn.runningVar![c]).toBeCloseTo(0.75 + 0.25 * own, 12);
  }
  expect(bn.numBatchesTracked).toBe(1);
});

describe("beside the other options", () => {
  const x = values(8 * EACH);
  const shape = [8, C, INNER];

  test("channels last, in place, and an output that is saved", () => {
    const data = values(8 * 5 * C);
    const plain = layer({ layout: "channels-last" });
    const halves = [0, 4].map((at) => plain.forward(data.slice(at * 15, (at + 4) * 15), [4, 5, C]));
    const bn = layer({ layout: "channels-last", virtualBatchSize: 4 });
    const out = data.slice();
    expect([...bn.forward(out, [8, 5, C], { out, save: "output" })]).toEqual(halves.flatMap((half) => [...half]));
    const dy = values(120);
    const ordinary = layer({ layout: "channels-last", virtualBatchSize: 4 });
    ordinary.forward(data, [8, 5, C]);
    const expected = ordinary.backward(dy).gradInput;
    bn.backward(dy).gradInput.forEach((value, p) => expect(value).toBeCloseTo(expected[p]!, 10));
  });

  test("gradients into gradOutput and into x", () => {
    for (const virtualBatches of ["contiguous", "interleaved"] as const) {
      const bn = layer({ virtualBatchSize: 3, virtualBatches });
      const dy = values(8 * EACH);
      bn.forward(x, shape);
      const expected = bn.backward(dy).gradInput;
      bn.forward(x, shape);
      const inPlace = dy.slice();
      expect(bn.backward(inPlace, { out: inPlace }).gradInput).toEqual(expected);
      expect(inPlace).toEqual(expected);
      const own = x.slice();
      bn.forward(own, shape);
      expect(bn.backward(dy, { out: own }).gradInput).toEqual(expected);
    }
  });

  test("renormalization: contiguous batches see what those before them moved", () => {
    const renorm = { rMax: 1.5, dMax: 0.5 };
    const [bn, one] = [layer({ virtualBatchSize: 4, renorm }), layer({ renorm })];
    const y = bn.forward(x, shape);
    const parts = [0, 4].map((at) => one.forward(x.slice(at * EACH, (at + 4) * EACH), [4, C, INNER]));
    expect([...y]).toEqual(parts.flatMap((part) => [...part]));
    expect(bn.lastRenorm).toEqual(one.lastRenorm);
    expect(bn.backward(x).gradWeight).toHaveLength(C);
  });

  test("updates that wait", () => {
    for (const virtualBatches of ["contiguous", "interleaved"] as const) {
      const [bn, now] = [1, 2].map(() => layer({ virtualBatchSize: 3, virtualBatches })) as [Layer, Layer];
      const before = bn.stateDict();
      bn.forward(x, shape, { updateRunningStats: "later" });
      expect(bn.stateDict()).toEqual(before);
      bn.commit(bn.saved!);
      now.forward(x, shape);
      expect(bn.stateDict()).toEqual(now.stateDict());
    }
  });

  test("after interleaved batches side by side, a batch as long as one of them", () => {
    const [bn, plain] = [layer({ virtualBatchSize: 4, virtualBatches: "interleaved" }), layer()];
    const data = values(8 * C * 20);
    bn.forward(data, [8, C, 20]);
    plain.loadStateDict(bn.stateDict());
    const part = data.slice(0, 4 * C * 20);
    expect(bn.eval().forward(part, [4, C, 20])).toEqual(plain.eval().forward(part, [4, C, 20]));
  });

  test("inference, a frozen layer and an empty batch are not cut", () => {
    const [bn, plain] = [layer({ virtualBatchSize: 3 }), layer()];
    for (const each of [bn, plain]) each.forward(new Float64Array(0), [0, C, INNER]);
    expect(bn.eval().forward(x, shape)).toEqual(plain.eval().forward(x, shape));
    bn.train().frozen = true;
    expect(bn.forward(x, shape)).toEqual(plain.forward(x, shape));
  });

  test("a last batch of one value follows singleValue, before anything is written", () => {
    const data = values(5 * C);
    const out = new Float64Array(5 * C);
    const bn = layer({ virtualBatchSize: 2 });
    const message =
      'Expected more than 1 value per channel when training, got shape [1, 3]; the option "singleValue" allows one';
    expectRejected(() => bn.forward(data, [5, C], { out }), [bn, out], range(SINGLE_VALUE, message));
    const skipping = layer({ virtualBatchSize: 2, singleValue: "skip" });
    skipping.forward(data, [5, C]);
    expect(skipping.numBatchesTracked).toBe(2);
    skipping.backward(data);
  });

  test("batches that are not finite", () => {
    const bad = x.slice();
    bad[3 * EACH] = NaN;
    const skipping = layer({ virtualBatchSize: 2, onNonFinite: "skip" });
    skipping.forward(bad, shape);
    expect(skipping.numBatchesTracked).toBe(3);
    const throwing = layer({ virtualBatchSize: 2, onNonFinite: "throw" });
    const out = new Float64Array(8 * EACH);
    const message = 'the mean or the variance of the batch is not finite in channel 0 ("onNonFinite" "throw")';
    const error = range("ERR_BATCHNORM_NOT_FINITE", message);
    expectRejected(() => throwing.forward(bad, shape, { out }), [throwing, out], error);
  });

  test("a layer that reuses its arrays, and a clone", () => {
    const bn = layer({ virtualBatchSize: 3, reuse: true, activation: "relu" });
    const plain = layer({ virtualBatchSize: 3, activation: "relu" });
    for (let step = 0; step < 3; step++) {
      for (const each of [bn, plain]) each.forward(x, shape);
      expect(bn.backward(x)).toEqual(plain.backward(x));
    }
    expect(bn.clone().forward(x, shape)).toEqual(plain.forward(x, shape));
  });
});

describe("tokens", () => {
  const x = values(8 * EACH);
  function token(virtualBatches: "contiguous" | "interleaved" = "contiguous"): Saved<"float64"> {
    const bn = layer({ virtualBatchSize: 3, virtualBatches });
    bn.forward(x, [8, C, INNER]);
    return bn.saved!;
  }

  test("the function without a layer takes them, and so do clones", () => {
    for (const order of ["contiguous", "interleaved"] as const) {
      const expected = batchNormBackward(x, token(order));
      const saved = token(order);
      const clone = structuredClone(saved);
      expect(batchNormBackward(x, saved)).toEqual(expected);
      expect(batchNormBackward(x, clone)).toEqual(expected);
      const used = range(SAVED, '"saved" was already used by a backward: run forward again');
      expectRejected(() => batchNormBackward(x, { ...saved }), [], used);
    }
  });

  test("the parts of a backward and the double backward refuse them", () => {
    const message = '"saved" expected a forward without "virtualBatchSize": only a backward takes virtual batches';
    const error = range(SAVED, message);
    const sums = { sumG: new Float64Array(C), sumGX: new Float64Array(C) };
    expectRejected(() => batchNormGradSums(x, token()), [], error);
    expectRejected(() => batchNormGradCoefficients(token(), sums), [], error);
    expectRejected(() => batchNormDoubleBackward(token(), x, { gradGradInput: x }), [], error);
  });

  test("forged ones", () => {
    const saved = token();
    const [first, second, third] = saved.virtualBatches!;
    const error = range(SAVED, '"saved.virtualBatches" do not fit the token that they are in');
    for (const list of [
      [first, second],
      [second, first, third],
      [first, second, third, third],
      [],
      [saved],
      [first, second, { ...third!, x: third!.x.slice() }],
    ]) {
      expectRejected(() => batchNormBackward(x, { ...saved, virtualBatches: list as Saved<"float64">[] }), [], error);
    }
  });
});

test("bad options", () => {
  const make = (options: object) => () => new BatchNorm(C, options);
  expectRejected(
    make({ virtualBatchSize: 0 }),
    [],
    range(VALUE, '"virtualBatchSize" expected a positive integer, got 0'),
  );
  expectRejected(make({ virtualBatchSize: "2" }), [], type(TYPE, '"virtualBatchSize" expected a number, got "2"'));
  const needs = range(OPTION, '"virtualBatches" needs "virtualBatchSize"');
  expectRejected(make({ virtualBatches: "contiguous" }), [], needs);
  const order = '"virtualBatches" expected one of "contiguous", "interleaved", got "mixed"';
  expectRejected(make({ virtualBatchSize: 2, virtualBatches: "mixed" }), [], range(VALUE, order));
  const first = new BatchNorm(C, { axis: 0, virtualBatchSize: 2 });
  const samples = '"virtualBatchSize" needs samples at the first axis of [3, 4], not channels';
  expectRejected(() => first.forward(new Float32Array(12), [C, 4]), [first], range(OPTION, samples));
});
