// Double backward: finite differences of the first one, the formulas in float64, and equal bits on every backend.
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  batchNormBackward,
  batchNormDoubleBackward,
  type BackendName,
  type DoubleGradients,
  type FloatType as DType,
  type GradGradients,
} from "../../src/index.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import type { ArrayOf, Floats as Data } from "../../src/base/types.js";
import { forwardOf, problemOf, SETTINGS, solveDouble, type DoubleProblem } from "../support/double-backward.js";
import { expectClose, expectSameBits, usableBackends } from "../support/reference.js";
import { sum } from "../support/textbook.js";

const DTYPES: readonly DType[] = ["float32", "float64"];
const RESULTS = ["gradInput", "gradWeight", "gradGradOutput"] as const;

function run(
  problem: DoubleProblem,
  given: GradGradients<DType> = problem.given,
  backend: BackendName = "oracle",
): DoubleGradients<DType> {
  return batchNormDoubleBackward(forwardOf(problem).saved, problem.dy, given, { backend });
}

/** Σ of the products: the loss whose gradients to the first backward's results are the ones given. */
function dot(a: Data | null | undefined, b: Data | null | undefined): number {
  return a && b ? sum(a.length, (i) => a[i]! * b[i]!) : 0;
}

function loss(problem: DoubleProblem): number {
  const { gradGradInput, gradGradWeight, gradGradBias, gradGradResidual } = problem.given;
  const first = batchNormBackward(problem.dy, forwardOf(problem).saved, { backend: "oracle" });
  return (
    dot(first.gradInput, gradGradInput) +
    dot(first.gradWeight, gradGradWeight) +
    dot(first.gradBias, gradGradBias) +
    dot(first.gradResidual, gradGradResidual)
  );
}

const STEP = 1e-5;

function slope(problem: DoubleProblem, array: Data, i: number): number {
  const value = array[i]!;
  array[i] = value + STEP;
  const above = loss(problem);
  array[i] = value - STEP;
  const below = loss(problem);
  array[i] = value;
  return (above - below) / (2 * STEP);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(SETTINGS)(
  "$shape axis $axis, frozen $frozen, $activation, residual $residual, mask $isMasked",
  (setting) => {
    test("central differences of the first backward", () => {
      const problem = problemOf(setting, "float64");
      const { x, weight, dy, add } = problem;
      // No kink of ReLU within what a step moves.
      const { output } = forwardOf({ ...problem, activation: "none" });
      expect(Math.min(...output.map(Math.abs))).toBeGreaterThan(20 * STEP);
      const { gradInput, gradWeight, gradGradOutput } = run(problem);
      const zeros = add && new Float64Array(add.length);
      for (const [name, array, gradient] of [
        ["x", x, gradInput],
        ["weight", weight, gradWeight!],
        ["gradOutput", dy, gradGradOutput],
        ["bias", problem.bias, new Float64Array(weight.length)],
        ...(add ? [["residual", add, zeros!] as const] : []),
      ] as const) {
        gradient.forEach((value, i) => {
          const measured = slope(problem, array, i);
          expect(Math.abs(measured - value) / Math.max(1, Math.abs(value)), `${name}[${i}]`).toBeLessThan(1e-7);
        });
      }
    });

    // Measured: at most 10 units of the sum of the magnitudes of the terms, in either type.
    test.each(DTYPES)("%s: within rounding of the formulas in float64", (dtype) => {
      const problem = problemOf(setting, dtype);
      const { solution, scale } = solveDouble(problem, forwardOf(problem).output);
      const got = run(problem);
      for (const name of RESULTS) expectClose(name, dtype, got[name]!, solution[name], scale[name]);
    });

    test.each(DTYPES)("%s: the same bits on every backend", (dtype) => {
      const problem = problemOf(setting, dtype);
      const expected = run(problem);
      for (const backend of usableBackends) {
        const got = run(problem, problem.given, backend);
        for (const name of RESULTS) expectSameBits(got[name], expected[name]);
      }
    });

    test("each gradient given alone: together they are the whole; absent and null ones are zeros", () => {
      const problem = problemOf(setting, "float64");
      const { dtype, given } = problem;
      const whole = run(problem);
      const names = Object.keys(given) as (keyof typeof given)[];
      const alone = names.map((name) => run(problem, { [name]: given[name] }));
      const { scale } = solveDouble(problem, forwardOf(problem).output);
      for (const name of RESULTS) {
        const total = Float64Array.from(whole[name]!, (_, i) => alone.reduce((sum, part) => sum + part[name]![i]!, 0));
        expectClose(name, dtype, total, whole[name]!, scale[name]);
      }
      names.forEach((name, i) => {
        const others = names.filter((other) => other !== name);
        const zeros = others.map((other) => [other, given[other]!.map(() => 0)] as const);
        const padded = run(problem, { ...Object.fromEntries(zeros), [name]: given[name] });
        for (const result of RESULTS) expectClose(result, dtype, padded[result]!, alone[i]![result]!, scale[result]);
        const nulls = run(problem, {
          ...Object.fromEntries(others.map((other) => [other, null])),
          [name]: given[name],
        });
        for (const result of RESULTS) expectSameBits(nulls[result], alone[i]![result]);
      });
      const nothing = run(problem, {});
      for (const name of RESULTS) expect(nothing[name]!.every((value) => value === 0)).toBe(true);
    });
  },
);

test("passes only for what is given", () => {
  const spies = (Object.keys(oracle) as (keyof Kernels)[]).map((name) => vi.spyOn(oracle, name));
  const passes = (problem: DoubleProblem, given: GradGradients<DType>): number => {
    const { saved } = forwardOf(problem);
    for (const spy of spies) spy.mockClear();
    batchNormDoubleBackward(saved, problem.dy, given, { backend: "oracle" });
    return spies.reduce((total, { mock }) => total + mock.calls.length, 0);
  };
  const [training, fixed] = [false, true].map((frozen) =>
    problemOf({ ...SETTINGS[0]!, frozen, activation: "none" }, "float32"),
  ) as [DoubleProblem, DoubleProblem];
  const { gradGradInput, gradGradWeight, gradGradBias } = training.given;
  expect(passes(training, {})).toBe(0);
  expect(passes(training, { gradGradBias })).toBe(1);
  expect(passes(training, { gradGradWeight })).toBe(2);
  expect(passes(training, { gradGradInput })).toBe(6);
  expect(passes(training, { gradGradInput, gradGradWeight, gradGradBias })).toBe(7);
  expect(passes(fixed, { gradGradInput })).toBe(2);
  expect(passes(fixed, { gradGradInput, gradGradWeight, gradGradBias })).toBe(4);
});

// r³ of such data is no float32 number: no coefficient may be of that order. Smaller ones lose Σ(a·x̃) to underflow.
test.each([2 ** 80, 2 ** -50])("float32: x of the order of %d, and a loss to match, are as exact", (factor) => {
  for (const setting of SETTINGS.filter(({ frozen }) => !frozen)) {
    const problem = problemOf({ ...setting, residual: false }, "float32");
    const { gradGradInput } = problem.given;
    const given = {
      ...problem.given,
      gradGradInput: gradGradInput.map((value) => value * factor) as typeof gradGradInput,
    };
    const x = problem.x.map((value) => value * factor) as ArrayOf<DType>;
    const large = { ...problem, x, given, eps: 1e-5 * factor ** 2 };
    const { solution, scale } = solveDouble(large, forwardOf(large).output);
    const got = run(large);
    for (const name of RESULTS) expectClose(name, "float32", got[name]!, solution[name], scale[name]);
  }
});
