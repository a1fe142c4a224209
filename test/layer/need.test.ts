// Backwards that are asked for some of their gradients: the bits of a whole one, by no more kernels than it takes.
import { afterEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { BatchNorm, batchNormBackward, type BackwardOptions, type Need, type Saved } from "../../src/index.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { expectSameBits, normals, parameters, tokenOf, usableBackends } from "../support/reference.js";
import { errorOf, expectRejected, OPTION, range, type, TYPE, type Loose, type Rejection } from "../support/rejected.js";

const NAMES = ["input", "weight", "bias", "residual"] as const;
type Choice = Readonly<Record<(typeof NAMES)[number], boolean>>;

const CHOICES = Array.from(
  { length: 16 },
  (_, bits) => Object.fromEntries(NAMES.map((name, i) => [name, (bits & (1 << i)) !== 0])) as Choice,
);
const FORWARDS = [false, true].flatMap((frozen) =>
  (["none", "relu"] as const).flatMap((activation) =>
    [false, true].map((residual) => ({ frozen, activation, residual })),
  ),
);
type Forward = (typeof FORWARDS)[number];

interface Fixture {
  readonly layer: BatchNorm;
  readonly saved: Saved<"float32">;
  readonly dy: Float32Array;
}

function fixture({ frozen, activation, residual }: Forward, backend: (typeof usableBackends)[number]): Fixture {
  const layer = new BatchNorm(3, { activation, backend });
  layer.weight!.set(parameters("float32", 3, 0.5));
  layer.bias!.set(parameters("float32", 3, 0.1));
  layer.runningMean!.set([0.5, 1, 2]);
  layer.frozen = frozen;
  const added = residual ? { residual: normals("float32", 5 * 3 * 17, 3) } : {};
  layer.forward(normals("float32", 5 * 3 * 17, 1), [5, 3, 17], { save: true, ...added });
  return { layer, saved: tokenOf(layer.saved), dy: normals("float32", 5 * 3 * 17, 2) };
}

/** The kernels that the choice takes. */
function kernelsFor({ frozen, residual }: Forward, need: Choice): (keyof Kernels)[] {
  const sums = need.weight || need.bias;
  if (need.input) return [sums || !frozen ? "backward" : "gradInput"];
  return [...(need.residual && residual ? ["gradInput" as const] : []), ...(sums ? ["gradSums" as const] : [])];
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** The names of the oracle's kernels that a call runs, in order. */
function kernelsOf(call: () => unknown): string[] {
  const spies = (Object.keys(oracle) as (keyof Kernels)[]).map((name) => [name, vi.spyOn(oracle, name)] as const);
  call();
  const calls = spies.flatMap(([name, { mock }]) => mock.invocationCallOrder.map((at) => [at, name] as const));
  return calls.sort(([a], [b]) => a - b).map(([, name]) => name);
}

describe.each(FORWARDS)("frozen $frozen, $activation, residual $residual", (forward) => {
  test("only the kernels that the gradients take", () => {
    for (const need of CHOICES) {
      const { layer, dy } = fixture(forward, "oracle");
      expect(
        kernelsOf(() => layer.backward(dy, { need })),
        JSON.stringify(need),
      ).toEqual(kernelsFor(forward, need));
      vi.restoreAllMocks();
    }
  });

  test.each(usableBackends)("%s: the bits of the whole, null for the rest", (backend) => {
    const { layer, dy } = fixture(forward, backend);
    const whole = layer.backward(dy);
    for (const need of CHOICES) {
      const { layer: other, saved } = fixture(forward, backend);
      const copy = structuredClone(saved);
      const gradients = [other.backward(dy, { need }), batchNormBackward(dy, copy, { need, backend })];
      for (const { gradInput, gradWeight, gradBias, gradResidual } of gradients) {
        expectSameBits(gradInput, need.input ? whole.gradInput : null);
        expectSameBits(gradWeight, need.weight ? whole.gradWeight : null);
        expectSameBits(gradBias, need.bias ? whole.gradBias : null);
        expectSameBits(gradResidual, need.residual ? whole.gradResidual : undefined);
      }
      expect(errorOf(() => other.backward(dy, { saved, need }))).toMatchObject({ code: "ERR_BATCHNORM_SAVED" });
    }
  });
});

test("the gradient of the residual goes into the array given for it", () => {
  const forward = { frozen: false, activation: "relu", residual: true } as const;
  const { layer, dy } = fixture(forward, "oracle");
  const residualOut = new Float32Array(dy.length);
  const { gradInput, gradResidual } = layer.backward(dy, { residualOut, need: { input: false } });
  expect(gradInput).toBeNull();
  expect(gradResidual).toBe(residualOut);
  expectSameBits(residualOut, fixture(forward, "oracle").layer.backward(dy).gradResidual);
});

test("earlier gradients of what is not needed are left alone", () => {
  const { layer, dy } = fixture(FORWARDS[0]!, "oracle");
  const accumulate = { gradWeight: Float32Array.of(1, 2, 3), gradBias: Float32Array.of(4, 5, 6) };
  const { gradWeight, gradBias } = layer.backward(dy, { accumulate, need: { weight: false } });
  expect(gradWeight).toBeNull();
  expect(accumulate.gradWeight).toEqual(Float32Array.of(1, 2, 3));
  expect(gradBias).toBe(accumulate.gradBias);
  expect(gradBias).not.toEqual(Float32Array.of(4, 5, 6));
});

test("an empty batch: zeros of what is needed", () => {
  const layer = new BatchNorm(3);
  layer.forward(new Float32Array(0), [0, 3, 4]);
  const { gradInput, gradWeight, gradBias } = layer.backward(new Float32Array(0), { need: { input: false } });
  expect([gradInput, gradWeight, gradBias]).toEqual([null, new Float32Array(3), new Float32Array(3)]);
});

test("a tensor where gradOutput was one", () => {
  const { layer, dy } = fixture(FORWARDS[1]!, "oracle");
  const gradOutput = { data: dy, dims: [5, 3, 17] };
  expect(layer.backward(gradOutput, { need: { input: false, residual: true } })).toMatchObject({
    gradInput: null,
    gradResidual: { dims: [5, 3, 17] },
  });
});

test("gradInput is null in the type only where it may be", () => {
  const { layer, saved, dy } = fixture(FORWARDS[0]!, "oracle");
  const backward = (options: BackwardOptions<"float32">): Float32Array =>
    batchNormBackward(dy, structuredClone(saved), options).gradInput;
  expectTypeOf(backward({ need: { weight: false } })).toEqualTypeOf<Float32Array>();
  const copy = (): typeof saved => structuredClone(saved);
  expectTypeOf(batchNormBackward(dy, copy(), { need: { bias: false } }).gradInput).toEqualTypeOf<Float32Array>();
  expectTypeOf(batchNormBackward(dy, copy(), { need: { input: false } }).gradInput).toEqualTypeOf<null>();
  const need: Need = { input: true };
  expectTypeOf(layer.backward(dy, { need }).gradInput).toEqualTypeOf<Float32Array | null>();
});

const out = new Float32Array(5 * 3 * 17);
const BAD: readonly (readonly [Record<string, unknown>, Rejection])[] = [
  [{ need: true }, type(TYPE, '"need" expected an object, got true')],
  [{ need: null }, type(TYPE, '"need" expected an object, got null')],
  [{ need: { input: 1 } }, type(TYPE, '"need.input" expected a boolean, got 1')],
  [{ need: { residual: "no" } }, type(TYPE, '"need.residual" expected a boolean, got "no"')],
  [
    { need: { gradInput: true } },
    type(OPTION, 'unknown option "gradInput", expected one of input, weight, bias, slope, residual'),
  ],
  [{ need: { input: false }, out }, range(OPTION, '"out" needs "need.input"')],
  [{ need: { residual: false }, residualOut: out }, range(OPTION, '"residualOut" needs "need.residual"')],
];

for (const [options, expected] of BAD) {
  test(expected.message, () => {
    const { layer, saved, dy } = fixture(FORWARDS[1]!, "oracle");
    expectRejected(() => (layer.backward as Loose).call(layer, dy, options), [layer, dy, out], expected);
    expectRejected(() => (batchNormBackward as Loose)(dy, saved, options), [layer, dy, out], expected);
  });
}
