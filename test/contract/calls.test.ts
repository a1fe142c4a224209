// Whole calls of the package on its oracle against the specification: what stands above the kernels. Masked outputs, backward
// from the output, fixed and given statistics, ε = 0, double backward and running statistics.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormGradCoefficients,
  batchNormGradInput,
  batchNormGradSums,
  batchNormInference,
  batchNormTraining,
  type BackendOptions,
  type Saved,
} from "../../src/index.js";
import { allocate, floatTypeOf, type Data, type Floats } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import { backend, dataOf, drawOf, numbersOf, optionsOf, packageOptions, spoil } from "./calls.js";
import { doubleBackward } from "./double-backward.js";
import {
  backward,
  forward,
  fromOutput,
  moments,
  runningVariance,
  updateRunning,
  type DType,
  type Extent,
  type Numbers,
} from "./specification.js";

const DTYPES: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];
const EXTENTS: readonly Extent[] = [
  { outer: 2, channels: 3, inner: 19 },
  { outer: 3, channels: 1, inner: 2051 },
  { outer: 131, channels: 9, inner: 2 },
  { outer: 5, channels: 2, inner: 3 },
  { outer: 2050, channels: 2, inner: 1 },
];

function expectSame(name: string, dtype: DType, got: Numbers | null | undefined, expected: Numbers): void {
  const numbers = numbersOf(dtype, got!);
  const at = numbers.findIndex((v, i) => !Object.is(v, expected[i]));
  expect(at, `${name}[${at}]: package ${numbers[at]}, specification ${expected[at]}`).toBe(-1);
}

/** What a backward returns, by name. */
type Named = Partial<Record<"gradInput" | "gradWeight" | "gradBias" | "gradSlope" | "gradResidual", Data | null>>;

/** The backward of a token. That of a part is made of its parts, here with the sums of this part alone. */
function backwardOf(dy: Data, saved: Saved, given: BackendOptions["backend"]): Named {
  const options = { backend: given };
  if (!saved.isPart) return batchNormBackward(dy, saved, options) as Named;
  const { sumG, sumGX, ...local } = batchNormGradSums(dy, saved, options);
  const coefficients = batchNormGradCoefficients(saved, { sumG, sumGX });
  return { ...local, ...batchNormGradInput(dy, saved, coefficients, options) } as Named;
}

type Statistics = "batch" | "given" | "fixed";

/** A forward, its backward, and where there may be one a double backward. */
function compare(dtype: DType, extent: Extent, statistics: Statistics, seed: number): void {
  const draw = drawOf(seed);
  const { next, normal, one } = draw;
  const size = extent.outer * extent.channels * extent.inner;
  const [isConstant, level] = [next() < 0.3, one(0, 100)];
  const tensor = (value: () => number): Data => dataOf(dtype, Array.from({ length: size }, value));
  const x = tensor(() => (isConstant ? 1.5 : level + normal()));
  const dy = tensor(normal);
  const options = optionsOf(dtype, extent, draw);
  // What has no weight may be anything; with zeros it reaches nothing.
  if (options.w) spoil([x, dy], options, next);
  const keepsY =
    statistics !== "given" && !options.curve && options.slope !== 0 && options.residual === null && next() < 0.5;
  const type = floatTypeOf(dtype);
  const table = (value: () => number): Floats => allocate(type, extent.channels).map(value);
  const [runningMean, runningVar] = [table(normal), table(() => one(0, next()))];
  const shape = [extent.outer, extent.channels, extent.inner];
  const called: object = { ...packageOptions(options), save: keepsY ? "output" : true };

  if (statistics === "fixed") {
    options.isFixed = true;
    options.given = Array.from(runningMean, (mean, c) => ({ count: 1, mean, m2: runningVar[c]! }));
  }
  if (statistics === "given") {
    const own = moments(dtype, extent, numbersOf(dtype, x), options.w);
    options.given = own.map(({ count, mean, m2 }) => ({ count: 2 * count, mean: mean + 0.1, m2: 2 * m2 }));
    const [mean, m2] = [options.given.map((one) => one.mean), options.given.map((one) => one.m2)];
    const count = options.given[0]!.count;
    Object.assign(called, { moments: { count, mean: Float64Array.from(mean), m2: Float64Array.from(m2) } });
  }
  const result =
    statistics === "fixed"
      ? batchNormInference(x, shape, { ...called, runningMean, runningVar } as never)
      : batchNormTraining(x, shape, called as never);
  const { affine, y } = forward(numbersOf(dtype, x), options);
  expectSame("y", dtype, result.output, y);

  const dyNumbers = numbersOf(dtype, dy);
  const xNumbers = numbersOf(dtype, x);
  const isLinear = !options.curve || ["clamp", "hard-sigmoid"].includes(options.curve.name);
  if (!keepsY && isLinear && options.w === null && statistics !== "given") {
    const given = { ddx: one(null, tensor(normal)), ddresidual: options.residual && one(null, tensor(normal)) };
    const tables = {
      ddgamma: options.gamma && one(null, table(normal)),
      ddbeta: options.beta && one(null, table(normal)),
    };
    const double = batchNormDoubleBackward(
      result.saved!,
      dy as never,
      {
        gradGradInput: given.ddx,
        gradGradResidual: given.ddresidual,
        gradGradWeight: tables.ddgamma,
        gradGradBias: tables.ddbeta,
      },
      { backend },
    );
    const asNumbers = (data: Data | null): number[] | null => data && numbersOf(dtype, data);
    const incoming = { ...tables, ddx: asNumbers(given.ddx), ddresidual: asNumbers(given.ddresidual) };
    const spec = doubleBackward(xNumbers, dyNumbers, incoming, affine, options);
    expectSame("double dx", dtype, double.gradInput, spec.dx);
    expectSame("double ddy", dtype, double.gradGradOutput, spec.ddy);
    if (options.gamma)
      expectSame(
        "double dgamma",
        type,
        double.gradWeight,
        spec.dgamma.map((v) => (type === "float32" ? Math.fround(v) : v)),
      );
  }
  const gradients = backwardOf(dy, result.saved!, backend);
  const [z, stats] = keepsY ? fromOutput(y, affine, options) : [xNumbers, affine];
  const expected = backward(z, keepsY ? y : null, dyNumbers, stats, options);
  if (options.gamma)
    expectSame(
      "dgamma",
      type,
      gradients.gradWeight,
      expected.channels.map((c) => c.dgamma),
    );
  if (options.beta)
    expectSame(
      "dbeta",
      type,
      gradients.gradBias,
      expected.channels.map((c) => c.dbeta),
    );
  if (options.curve?.name === "prelu") {
    const sums = expected.channels.map(({ slopeSum }) => slopeSum);
    const totals = options.curve.slopes.length === 1 ? [sums.reduce((a, b) => a + b, 0)] : sums;
    expectSame(
      "dslope",
      type,
      gradients.gradSlope,
      totals.map((v) => (type === "float32" ? Math.fround(v) : v)),
    );
  }
  expectSame("dx", dtype, gradients.gradInput, expected.dx);
  if (options.residual) expectSame("dresidual", dtype, gradients.gradResidual, expected.dresidual);
}

describe.each(DTYPES)("%s", (dtype) => {
  describe.each(["batch", "given", "fixed"] as const)("%s statistics", (statistics) => {
    test.each(EXTENTS.map((extent) => [Object.values(extent).join("×"), extent] as const))("%s", (_, extent) => {
      for (let seed = 1; seed <= 12; seed++) compare(dtype, extent, statistics, seed);
    });
  });

  test.each([0.1, 1, null])("running statistics, momentum %s", (momentum) => {
    const extent: Extent = { outer: 4, channels: 3, inner: 5 };
    const layer = new BatchNorm(3, { dtype, momentum, backend });
    const normal = gaussian(random(3));
    const type = floatTypeOf(dtype);
    const [mean, variance] = [
      [0, 0, 0],
      [1, 1, 1],
    ];
    for (let batch = 1; batch <= 4; batch++) {
      const x = dataOf(dtype, Array.from({ length: 60 }, normal));
      layer.forward(x as never, [4, 3, 5]);
      moments(dtype, extent, numbersOf(dtype, x), null).forEach((stats, c) => {
        mean[c] = updateRunning(type, mean[c]!, stats.mean, momentum ?? 1 / batch);
        variance[c] = updateRunning(type, variance[c]!, runningVariance(stats, stats.count), momentum ?? 1 / batch);
      });
    }
    expectSame("mean", type, layer.runningMean, mean);
    expectSame("variance", type, layer.runningVar, variance);
  });
});
