// Names on Object.prototype, as a polluted program has them, change no call: options and fields are the caller's own.
import { afterEach, expect, test } from "vitest";
import * as library from "../../src/index.js";
import { normals } from "../support/reference.js";
import { errorOf, snapshot } from "../support/rejected.js";

const SHAPE = [4, 3, 2];
const table = (value: number): Float32Array => new Float32Array(3).fill(value);
const victim = new Float32Array(24).fill(7);

const NAMES: Readonly<Record<string, unknown>> = {
  ...{ out: victim, residual: victim, residualOut: victim, data: victim, save: false, mask: [1, 0, 1, 1] },
  ...{ sampleWeights: Float32Array.of(1, 2, 3, 4), maskedOutput: "zero", backend: "oracle", threads: 1e6, eps: 1e3 },
  ...{ momentum: 1, decay: 0.5, affine: false, weight: false, bias: false, layout: "channels-last", axis: 0 },
  ...{ dtype: "float64", activation: "relu", type: "leaky-relu", slope: 5, singleValue: "allow", reuse: true },
  ...{ trackRunningStats: false, saved: {}, accumulate: { gradWeight: table(0), gradBias: table(0) } },
  ...{
    need: { input: false },
    input: false,
    moments: { count: 5, mean: new Float64Array(3), m2: new Float64Array(3) },
  },
  ...{ runningMean: table(9), runningVar: table(9), shape: [1, 3, 8], dims: [1, 3, 8], offset: 4, strides: [9, 9, 9] },
  ...{
    stride: [1],
    gradGradWeight: table(1),
    sumSquaredWeights: 1,
    kernels: null,
    reason: "polluted",
    fault: "polluted",
  },
  ...{
    get: () => 1,
    unavailable: "polluted",
    name: "polluted",
    again: true,
    expected: "float64",
    contract_version: 99,
  },
  ...{ num_batches_tracked: 5, pages: 1, tileBytes: 1, cause: 1, 0: 5 },
};

function program(): unknown[] {
  const { BatchNorm, batchNormBackward, batchNormInference, batchNormMoments, batchNormTraining, mergeMoments } =
    library;
  const x = normals("float32", 24, 1);
  const dy = normals("float32", 24, 2);
  const bn = new BatchNorm(3);
  const plain = [bn.forward(x, SHAPE), bn.backward(dy), bn.stateDict()];
  const given = [bn.forward(x, SHAPE, {}), bn.backward(dy, {}), new BatchNorm(3, {}).numFeatures];
  const tensor = bn.forward({ data: x, shape: SHAPE });
  const { output, saved, moments } = batchNormTraining(x, SHAPE, {});
  const gradients = batchNormBackward(dy, saved);
  const double = library.batchNormDoubleBackward(saved, dy, { gradGradInput: dy });
  const statistics = { runningMean: table(0), runningVar: table(1) };
  const inference = batchNormInference(x, SHAPE, statistics).output;
  const leaky = new BatchNorm(3, { activation: { type: "leaky-relu" } }).forward(x, SHAPE);
  const copy = bn.clone();
  copy.loadStateDict(bn.stateDict());
  const merged = mergeMoments(moments, batchNormMoments(x, SHAPE));
  const names = library.backends().map(({ name, status }) => [name, status]);
  return [
    plain,
    given,
    tensor,
    output,
    gradients,
    double,
    inference,
    leaky,
    copy.stateDict(),
    merged,
    names,
    x,
    victim,
  ];
}

/** Own fields alone: what the polluted name adds to every object does not count. */
const results = (): unknown => snapshot(program());
const expected = results();

afterEach(() => {
  for (const name of Object.keys(NAMES)) Reflect.deleteProperty(Object.prototype, name);
});

for (const [name, value] of Object.entries(NAMES)) {
  test.each(["enumerable", "hidden"])(`${name}, %s`, (kind) => {
    const descriptor = { value, writable: true, configurable: true, enumerable: kind === "enumerable" };
    Object.defineProperty(Object.prototype, name, descriptor);
    let got: unknown;
    const error = errorOf(() => (got = results()));
    Reflect.deleteProperty(Object.prototype, name);
    expect(error).toBeUndefined();
    expect(got).toEqual(expected);
  });
}
