// Arguments of the double backward: what is refused with which message, tokens before and after a backward, forms.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  batchNormBackward,
  batchNormDoubleBackward,
  batchNormInference,
  batchNormTraining,
  batchNormGradInput,
  batchNormGradCoefficients,
  batchNormGradSums,
  type DoubleGradients,
  type GradGradients,
  type Saved,
} from "../../src/index.js";
import { expectSameBits, normals, tokenOf } from "../support/reference.js";
import { detached, DETACHED, expectRejected, OPTION, range, SAVED, SHAPE, type, TYPE } from "../support/rejected.js";
import type { Loose, Rejection } from "../support/rejected.js";

const GOOD = [2, 3, 4];
const x = normals("float32", 24, 1);
const dy = normals("float32", 24, 2);
const ggx = normals("float32", 24, 3);
const table = Float32Array.of(1, -2, 3);
const given = { gradGradInput: ggx, gradGradWeight: table, gradGradBias: table };
const weight = Float32Array.of(0.5, -1, 2);

/** A fresh token, of a copy of x where no data are given. */
function token(data: Float32Array = x.slice()): Saved<"float32"> {
  return tokenOf(batchNormTraining(data, GOOD, { weight, bias: table }).saved);
}

const call = batchNormDoubleBackward as Loose;
const expected: DoubleGradients<"float32"> = batchNormDoubleBackward(token(), dy, given);

const WEIGHTED = range(SAVED, '"saved" expected gradients that do not depend on a mask or on weights');
const fixed = { weight, save: true, runningMean: table, runningVar: Float32Array.of(1, 2, 3) } as const;

const BAD: readonly (readonly [(saved: Saved<"float32">) => unknown, Rejection])[] = [
  [
    () => call(),
    type(
      SAVED,
      '"saved" expected the token of a forward, got undefined: run forward (in inference with "save" true) before backward; ' +
        'if it ran more than once, pass the token of each forward as "saved"',
    ),
  ],
  [() => call(dy, token(), given), type(SAVED, '"saved" expected the token of a forward, got a Float32Array')],
  [(saved) => call(saved, [1], given), type(TYPE, '"gradOutput" expected a Float32Array, got an Array')],
  [(saved) => call(saved, dy.subarray(1), given), range(SHAPE, '"gradOutput" expected length 24, got 23')],
  [
    (saved) => call(saved, { data: dy, shape: [3, 2, 4] }, given),
    range(SHAPE, '"gradOutput" expected shape [2, 3, 4], got [3, 2, 4]'),
  ],
  [(saved) => call(saved, dy, 1), type(TYPE, '"gradients" expected an object, got 1')],
  [
    (saved) => call(saved, dy, { ggI: ggx }),
    type(OPTION, 'unknown option "ggI", expected one of gradGradInput, gradGradWeight, gradGradBias, gradGradResidual'),
  ],
  [
    (saved) => call(saved, dy, given, { out: x }),
    type(OPTION, 'unknown option "out", expected one of backend, threads'),
  ],
  [
    (saved) => call(saved, dy, given, { threads: 0 }),
    range("ERR_BATCHNORM_VALUE", '"threads" expected a positive integer, got 0'),
  ],
  [
    (saved) => call(saved, dy, { gradGradInput: new Float64Array(24) }),
    type(TYPE, '"gradGradInput" expected a Float32Array, got a Float64Array'),
  ],
  [
    (saved) => call(saved, dy, { gradGradInput: ggx.subarray(2) }),
    range(SHAPE, '"gradGradInput" expected length 24, got 22'),
  ],
  [
    (saved) => call(saved, dy, { gradGradInput: { data: ggx, dims: [24] } }),
    range(SHAPE, '"gradGradInput" expected shape [2, 3, 4], got [24]'),
  ],
  [
    (saved) => call(saved, dy, { gradGradInput: detached(24) }),
    type(DETACHED, '"gradGradInput" has a detached buffer'),
  ],
  [(saved) => call(saved, dy, { gradGradWeight: ggx }), range(SHAPE, '"gradGradWeight" expected length 3, got 24')],
  [
    (saved) => call(saved, dy, { gradGradBias: [1, 2, 3] }),
    type(TYPE, '"gradGradBias" expected a Float32Array, got an Array'),
  ],
  [
    (saved) => call(saved, dy, { gradGradResidual: ggx }),
    range(OPTION, '"gradGradResidual" needs a forward with a residual'),
  ],
  [
    () => call(tokenOf(batchNormTraining(x, GOOD, { bias: table }).saved), dy, given),
    range(OPTION, '"gradGradWeight" needs a forward with a weight'),
  ],
  [
    () => call(tokenOf(batchNormTraining(x, GOOD, { weight }).saved), dy, given),
    range(OPTION, '"gradGradBias" needs a forward with a bias'),
  ],
  [
    () => {
      const moments = { count: 16, mean: new Float64Array(3), m2: new Float64Array(3).fill(5) };
      return call(tokenOf(batchNormTraining(x, GOOD, { weight, moments }).saved), dy, {});
    },
    range(
      SAVED,
      '"saved" is of one part of a batch of 16 values per channel, and a double backward needs those of all parts: ' +
        "for gradInput, add the sums of batchNormGradSums, then call batchNormGradCoefficients and batchNormGradInput",
    ),
  ],
  [
    () => call(tokenOf(batchNormTraining(x, GOOD, { weight, save: "output" }).saved), dy, {}),
    range(SAVED, '"saved" expected a forward that saved its x, not its output'),
  ],
  [() => call(batchNormTraining(x, GOOD, { weight, mask: [1, 0] }).saved, dy, {}), WEIGHTED],
  [() => call(batchNormInference(x, GOOD, { ...fixed, mask: [1, 0], maskedOutput: "zero" }).saved, dy, {}), WEIGHTED],
];

BAD.forEach(([run, rejection], i) => {
  test(`${i}: ${rejection.message}`, () => {
    const saved = token();
    expectRejected(() => run(saved), [saved, x, dy, ggx, table], rejection);
    expect(batchNormDoubleBackward(saved, dy, given)).toEqual(expected);
  });
});

describe("tokens", () => {
  test("before, after and in place of the backward, as often as wanted, never using the token up", () => {
    const saved = token();
    expect(batchNormDoubleBackward(saved, dy, given)).toEqual(expected);
    expect(batchNormDoubleBackward(saved, dy, given)).toEqual(expected);
    const gradients = batchNormBackward(dy, saved);
    expect(gradients).toEqual(batchNormBackward(dy, token()));
    expect(batchNormDoubleBackward(saved, dy, given)).toEqual(expected);
    const used = range(SAVED, '"saved" was already used by a backward: run forward again');
    expectRejected(() => batchNormBackward(dy, saved), [saved, dy], used);
  });

  test("a backward in the memory of gradOutput leaves the token whole, one in that of x does not", () => {
    const saved = token();
    const out = dy.slice();
    batchNormBackward(out, saved, { out });
    expect(batchNormDoubleBackward(saved, dy, given)).toEqual(expected);
    const lost = range(SAVED, `"saved" lost its x: the backward's "out" was x`);
    const layer = new BatchNorm(3);
    layer.forward(x.slice(), GOOD);
    const ofLayer = tokenOf(layer.saved);
    layer.backward(dy, { out: new Float32Array(ofLayer.x.buffer) });
    expectRejected(() => batchNormDoubleBackward(ofLayer, dy, {}), [dy], lost);
    const whole = token();
    batchNormBackward(dy, whole, { out: whole.x });
    expectRejected(() => batchNormDoubleBackward(whole, dy, given), [dy], lost);
    const parts = token();
    batchNormGradInput(dy, parts, batchNormGradCoefficients(parts, batchNormGradSums(dy, parts)), { out: parts.x });
    expectRejected(() => batchNormDoubleBackward(parts, dy, given), [dy], lost);
  });

  test("of a layer, in training and frozen", () => {
    const layer = new BatchNorm(3);
    layer.weight!.set(weight);
    layer.bias!.set(table);
    layer.forward(x, GOOD);
    const saved = tokenOf(layer.saved);
    layer.backward(dy);
    expect(batchNormDoubleBackward(saved, dy, given)).toEqual(expected);
    layer.frozen = true;
    layer.forward(x, GOOD);
    expect(batchNormDoubleBackward(tokenOf(layer.saved), dy, given)).not.toEqual(expected);
  });
});

test("tensors come back as gradOutput came", () => {
  const gradients: GradGradients<"float32"> = { ...given, gradGradInput: { data: ggx, shape: GOOD } };
  const { gradInput: dx, gradGradOutput } = batchNormDoubleBackward(token(), { data: dy, dims: GOOD }, gradients);
  expect(dx.dims).toEqual(GOOD);
  expect(gradGradOutput.dims).toEqual(GOOD);
  expectSameBits(dx.data, expected.gradInput);
  expectSameBits(gradGradOutput.data, expected.gradGradOutput);
});

test("without a weight there is no gradient to it", () => {
  const saved = tokenOf(batchNormTraining(x, GOOD).saved);
  const { gradWeight } = batchNormDoubleBackward(saved, dy, { gradGradInput: ggx });
  expect(gradWeight).toBeNull();
});

test("one array in several places, and none of them written", () => {
  const [saved, before] = [token(x), x.slice()];
  const same = batchNormDoubleBackward(saved, x, { gradGradInput: x });
  expect(x).toEqual(before);
  expect(same).toEqual(batchNormDoubleBackward(token(), x.slice(), { gradGradInput: x.slice() }));
});

test("an empty batch: empty gradients, 0 for the weight", () => {
  const none = new Float32Array(0);
  const { saved } = batchNormTraining(none, [0, 3, 4], { weight, bias: table, activation: "relu" });
  const gradients = { ...given, gradGradInput: none };
  expect(batchNormDoubleBackward(tokenOf(saved), none, gradients)).toEqual({
    gradInput: none,
    gradWeight: new Float32Array(3),
    gradGradOutput: none,
  });
});
