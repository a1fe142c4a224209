// Channel axes that do not touch: the bits of a caller who transposes by hand.
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormInference,
  batchNormMoments,
  batchNormTraining,
  toBfloat16Bits,
  toFloat16Bits,
  type BatchNormOptions,
  type Gradients,
  type Saved,
} from "../../src/index.js";
import { copyFromOrder, copyToOrder, orderOf } from "../../src/base/axis-order.js";
import { floatTypeOf, type Data, type DType } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";
import { sizeOf } from "../support/reference.js";
import { SAVED, SHAPE, expectRejected, range, type Loose } from "../support/rejected.js";
import { handOrder, indicesOf, restored, transposed } from "../support/transposed.js";

const next = random(31);
const values = (length: number): Float64Array => Float64Array.from({ length }, () => 4 * next() - 1);
const as = (dtype: DType, data: Float64Array): Data =>
  dtype === "float64"
    ? data
    : dtype === "float32"
      ? Float32Array.from(data)
      : (dtype === "float16" ? toFloat16Bits : toBfloat16Bits)(Float32Array.from(data));

interface Problem {
  readonly shape: readonly number[];
  /** In ascending order. They may touch, or be apart. */
  readonly axes: readonly number[];
  readonly dtype: DType;
  readonly weighting: "none" | "mask" | "weights" | "of samples";
  readonly zeroed: boolean;
  readonly residual: boolean;
  readonly activation: "none" | "relu";
  readonly save: true | false | "output";
  /** What the output takes the place of. */
  readonly place: "new" | "out" | "x" | "residual";
  readonly backwardPlace: "new" | "dy" | "x" | "out";
  readonly conditional: boolean;
  readonly options: BatchNormOptions;
  readonly isEval: boolean;
}

const problemsOf = (dtypes: readonly DType[]): fc.Arbitrary<Problem> =>
  fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 3, maxLength: 5 }).chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      axes: fc
        .subarray(
          shape.map((_, axis) => axis),
          { minLength: 2, maxLength: shape.length },
        )
        .filter((axes) => axes.length < shape.length),
      dtype: fc.constantFrom(...dtypes),
      weighting: fc.constantFrom("none", "mask", "weights", "of samples"),
      zeroed: fc.boolean(),
      residual: fc.boolean(),
      activation: fc.constantFrom("none", "relu"),
      save: fc.constantFrom<Problem["save"]>(true, true, false, "output"),
      place: fc.constantFrom("new", "out", "x", "residual"),
      backwardPlace: fc.constantFrom("new", "dy", "x", "out"),
      conditional: fc.boolean(),
      options: fc.constantFrom(
        {},
        { renorm: { rMax: 1.5, dMax: 0.5 } },
        { virtualBatchSize: 2 },
        { virtualBatchSize: 2, virtualBatches: "interleaved" as const },
        { onNonFinite: "throw" as const },
        { reuse: true },
      ),
      isEval: fc.boolean(),
    }),
  );

/** What one layer gives: each array in the order of `back`. */
function run(problem: Problem, isByHand: boolean, backend: string): unknown {
  const { shape, axes, dtype, weighting, conditional, options } = problem;
  const order = handOrder(shape.length, axes);
  const indices = indicesOf(shape, order);
  const ordered = <T extends Data>(data: T): T => (isByHand ? transposed(data, indices) : data.slice()) as T;
  const back = (data: Data | null | undefined): unknown => (data && isByHand ? restored(data, indices) : data);
  const channels = sizeOf(axes.map((axis) => shape[axis]!));
  const [size, first] = [sizeOf(shape), axes[0]!];
  const hasSamples = first > 0;
  const canUndo = !problem.residual && problem.activation === "none" && !(conditional && hasSamples);
  const save = problem.save === "output" ? canUndo && "output" : problem.save;
  const seeded = random(size * 31 + channels);
  const draw = (length: number): Float64Array => Float64Array.from({ length }, () => 4 * seeded() - 1);
  const data = (): Data => ordered(as(dtype, draw(size)));
  const table = (length: number): Data => as(floatTypeOf(dtype), draw(length));
  const [x, dy, residual] = [data(), data(), problem.residual ? data() : null];
  const count = weighting === "of samples" && hasSamples ? shape[0]! : size / channels;
  const weights = as(
    floatTypeOf(dtype),
    Float64Array.from({ length: count }, (_, i) => (i % 3 === 1 ? 0 : 1 + (i % 2))),
  );

  const own = isByHand ? axes.map((_, i) => first + i) : axes;
  const bn = new BatchNorm<DType>(channels, {
    axis: own,
    dtype,
    backend,
    activation: problem.activation,
    singleValue: "allow",
    ...(hasSamples ? options : {}),
  } as never);
  bn.weight!.set(table(channels));
  bn.bias!.set(table(channels));
  if (problem.isEval) bn.eval();
  const place = { new: undefined, out: x.slice(), x: save === true ? undefined : x, residual: residual ?? undefined };
  const given = {
    save,
    ...(residual && { residual }),
    ...(place[problem.place] && { out: place[problem.place] }),
    ...(weighting === "mask" && { mask: weights.map((weight) => Number(weight > 0)) }),
    ...(["weights", "of samples"].includes(weighting) && { sampleWeights: weights }),
    ...(weighting !== "none" && { maskedOutput: problem.zeroed ? "zero" : "normalize" }),
    ...(conditional && hasSamples && { weight: table(channels * shape[0]!) }),
  };
  const tensor = { data: x, shape: isByHand ? order.map((axis) => shape[axis]!) : shape };
  const y = ((bn.forward as Loose).call(bn, tensor, given) as { data: Data }).data;
  const output = back(y.slice());
  if (given.out) expect(y).toBe(given.out);
  if (save === false) return { output, state: bn.stateDict() };
  const places = { new: undefined, dy, x, out: dy.slice() };
  const out = places[problem.backwardPlace];
  const gradients = (bn.backward as Loose).call(bn, dy, out ? { out } : {}) as Gradients<DType>;
  if (out) expect(gradients.gradInput).toBe(out);
  return {
    output,
    state: bn.stateDict(),
    gradInput: back(gradients.gradInput as Data),
    gradResidual: back(gradients.gradResidual as Data | undefined),
    gradWeight: gradients.gradWeight,
    gradBias: gradients.gradBias,
  };
}

const usable = backendsUnderTest.filter(({ kernels }) => kernels);

test.each(usable.map(({ name, has16Bit }) => [name, has16Bit] as const))("%s: as by hand", (backend, has16Bit) => {
  const dtypes: readonly DType[] = has16Bit
    ? ["float32", "float64", "float16", "bfloat16"]
    : (["float32", "float64"] as const);
  fc.assert(
    fc.property(problemsOf(dtypes), (problem) => {
      expect(run(problem, false, backend)).toEqual(run(problem, true, backend));
    }),
    { seed: 12, numRuns: 120 },
  );
});

describe("functions", () => {
  const shape = [3, 2, 4, 5];
  const indices = indicesOf(shape, handOrder(4, [1, 3]));
  const hand = [3, 2, 5, 4];
  const [x, dy, ddx] = [values(120), values(120), values(120)];
  const [byX, byDy, byDdx] = [x, dy, ddx].map((data) => transposed(data, indices)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const parameters = { weight: values(10), bias: values(10) };
  const apart = { axis: [1, 3], ...parameters };
  const touching = { axis: [1, 2], ...parameters };

  test("training, moments, inference and backward", () => {
    const [one, other] = [batchNormTraining(x, shape, apart), batchNormTraining(byX, hand, touching)];
    expect(one.output).toEqual(restored(other.output, indices));
    expect(one.moments).toEqual(other.moments);
    expect(batchNormMoments(x, shape, { axis: [1, 3] })).toEqual(other.moments);
    const [got, expected] = [batchNormBackward(dy, one.saved), batchNormBackward(byDy, other.saved)];
    expect(got).toEqual({ ...expected, gradInput: restored(expected.gradInput, indices) });
    const running = { runningMean: values(10), runningVar: values(10).map((value) => value + 2) };
    const inference = batchNormInference(x, shape, { ...apart, ...running }).output;
    expect(inference).toEqual(restored(batchNormInference(byX, hand, { ...touching, ...running }).output, indices));
  });

  test("the parts of a backward, and the double backward", () => {
    const results = [
      { token: batchNormTraining(x, shape, apart).saved, gradient: dy, incoming: ddx },
      { token: batchNormTraining(byX, hand, touching).saved, gradient: byDy, incoming: byDdx },
    ].map(({ token, gradient, incoming }) => {
      const twice = batchNormDoubleBackward(token, gradient, { gradGradInput: incoming });
      const sums = batchNormGradSums(gradient, token);
      return { twice, sums, ...batchNormGradInput(gradient, token, batchNormGradCoefficients(token, sums)) };
    });
    const [got, expected] = results as [(typeof results)[0], (typeof results)[0]];
    expect(got.sums).toEqual(expected.sums);
    expect(got.gradInput).toEqual(restored(expected.gradInput, indices));
    expect(got.twice.gradInput).toEqual(restored(expected.twice.gradInput, indices));
    expect(got.twice.gradGradOutput).toEqual(restored(expected.twice.gradGradOutput, indices));
    expect(got.twice.gradWeight).toEqual(expected.twice.gradWeight);
  });

  test("tokens that were copied, and forged ones", () => {
    const { saved } = batchNormTraining(x, shape, apart);
    expect(saved.apartAxes).toEqual([1, 3]);
    const expected = batchNormBackward(dy, structuredClone(saved));
    expect(batchNormBackward(dy, { ...saved })).toEqual(expected);
    const fresh = batchNormTraining(x, shape, apart).saved;
    for (const apartAxes of [[1, 2], [3, 1], [1, 9], [], [0, 3]])
      expectRejected(
        () => batchNormBackward(dy, { ...fresh, apartAxes } as Saved<"float64">),
        [dy],
        range(SAVED, '"saved.apartAxes" do not fit the token that they are in'),
      );
  });

  test("gradInput into the copy of x that the token has", () => {
    const { saved } = batchNormTraining(x, shape, apart);
    const expected = batchNormBackward(dy, batchNormTraining(x, shape, apart).saved).gradInput;
    expect(batchNormBackward(dy, saved, { out: saved.x }).gradInput).toBe(saved.x);
    expect(saved.x).toEqual(expected);
  });

  test("a backend that cannot be used is found before anything is written", () => {
    const out = new Float64Array(120);
    const running = { runningMean: values(10), runningVar: values(10).map((value) => value + 2) };
    const { saved } = batchNormTraining(x, shape, apart);
    const missing = process.arch === "arm64" ? "native/sse2" : "native/neon";
    const layer = new BatchNorm(10, { dtype: "float64", axis: [1, 3], backend: missing }).eval();
    for (const call of [
      () => batchNormInference(x, shape, { ...apart, ...running, out, backend: missing }),
      () => layer.forward(x, shape, { out }),
      () => batchNormBackward(dy, saved, { out, backend: missing }),
    ])
      expect(call).toThrow(expect.objectContaining({ code: "ERR_BATCHNORM_BACKEND" }));
    expect(out).toEqual(new Float64Array(120));
  });

  test("x may change after the forward, and is not written by a backward", () => {
    const own = x.slice();
    const { saved } = batchNormTraining(own, shape, apart);
    own.fill(0);
    expect(batchNormBackward(dy, saved)).toEqual(batchNormBackward(dy, batchNormTraining(x, shape, apart).saved));
    expect(own).toEqual(new Float64Array(120));
  });
});

describe("shapes", () => {
  test("an axis of one index keeps nothing apart, and no copy is made", () => {
    const x = values(24);
    const { saved } = batchNormTraining(x, [4, 2, 1, 3], { axis: [1, 3] });
    expect([saved.apartAxes, saved.x]).toEqual([null, x]);
    expect(saved.x).toBe(x);
  });

  test("no elements", () => {
    const bn = new BatchNorm(6, { axis: [1, 3] });
    expect(bn.forward(new Float32Array(0), [0, 2, 5, 3])).toEqual(new Float32Array(0));
    expect(bn.backward(new Float32Array(0)).gradWeight).toEqual(new Float32Array(6));
    expect(bn.numBatchesTracked).toBe(0);
  });

  test("negative axes, and a channel axis at the first place", () => {
    const x = values(24);
    expect(batchNormMoments(x, [2, 3, 4], { axis: [0, -1] })).toEqual(
      batchNormMoments(transposed(x, indicesOf([2, 3, 4], [0, 2, 1])), [2, 4, 3], { axis: [0, 1] }),
    );
    const message = '"axis" expected axes in ascending order, got 2, 0 of rank 3: [2, 3, 4]';
    expectRejected(() => batchNormMoments(x, [2, 3, 4], { axis: [-1, 0] }), [x], range(SHAPE, message));
  });
});

test.each<readonly [shape: readonly number[], axis: readonly number[]]>([
  // Many small blocks, one block for each channel, runs that stay together, and no axis outside of those that change places.
  [
    [70, 9, 5, 8],
    [1, 3],
  ],
  [
    [3, 5, 80, 70],
    [1, 3],
  ],
  [
    [4, 3, 6, 5, 70],
    [1, 3],
  ],
  [
    [2, 300, 3, 100],
    [1, 3],
  ],
  [
    [1, 300, 50],
    [0, 2],
  ],
])("%j with channels at %j, in training and inference, into new arrays and in place", (shape, axis) => {
  const channels = sizeOf(axis.map((at) => shape[at]!));
  const order = handOrder(shape.length, axis);
  const indices = indicesOf(shape, order);
  const [x, dy] = [1, 2].map(() => Float32Array.from(values(sizeOf(shape)))) as [Float32Array, Float32Array];
  const layer = (own: readonly number[]): BatchNorm => new BatchNorm(channels, { axis: own, activation: "relu" });
  const apart = layer(axis);
  const hand = layer(axis.map((_, i) => axis[0]! + i));
  const byHand = order.map((at) => shape[at]!);
  const expected = restored(hand.forward(transposed(x, indices), byHand), indices);
  const gradients = hand.backward(transposed(dy, indices));
  const gradInput = restored(gradients.gradInput, indices);
  for (const isInPlace of [false, true]) {
    const out = isInPlace ? dy.slice() : new Float32Array(dy.length);
    expect(apart.forward(x, shape, { out: new Float32Array(x.length) })).toEqual(expected);
    const got = apart.backward(isInPlace ? out : dy, { out });
    expect(got.gradInput).toBe(out);
    expect(got).toEqual({ ...gradients, gradInput });
  }
  apart.loadStateDict(hand.stateDict());
  for (const bn of [apart, hand]) bn.eval();
  const inference = restored(hand.forward(transposed(x, indices), byHand), indices);
  const place = x.slice();
  expect(apart.forward(x, shape)).toEqual(inference);
  expect(apart.forward(place, shape, { out: place })).toEqual(inference);
});

test("strided copies: every order of the axes of random shapes, there and back", () => {
  fc.assert(
    fc.property(
      fc
        .array(fc.constantFrom(1, 2, 3, 33, 70), { minLength: 1, maxLength: 4 })
        .filter((shape) => sizeOf(shape) < 40_000)
        .chain((shape) =>
          fc.record({
            shape: fc.constant(shape),
            order: fc.shuffledSubarray(
              shape.map((_, axis) => axis),
              { minLength: shape.length },
            ),
            array: fc.constantFrom(Float32Array, Float64Array, Uint16Array),
          }),
        ),
      ({ shape, order, array: View }) => {
        const from = new View(sizeOf(shape)).map((_, i) => i) as Data;
        const to = new View(from.length) as Data;
        copyToOrder(from, to, orderOf(shape, order));
        expect(to).toEqual(transposed(from, indicesOf(shape, order)));
        const again = new View(from.length) as Data;
        copyFromOrder(to, again, orderOf(shape, order));
        expect(again).toEqual(from);
      },
    ),
    { seed: 4, numRuns: 150 },
  );
});
