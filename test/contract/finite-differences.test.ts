// The oracle's gradients against central differences in float64.
import { describe, expect, test } from "vitest";
import { centeredSum } from "../../src/kernels/coefficients.js";
import type { Control, Extent } from "../../src/kernels/control.js";
import { Flag } from "../../src/kernels/layout.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { sizeOf } from "../../src/verify/cases.js";
import { gaussian, random } from "../../src/verify/data.js";
import { nameOf, prepared, sum, worst } from "../support/textbook.js";
import { OPTIONS, flagsOf, titleOf, type Option } from "../support/passes.js";

const STEP = 1e-5;

interface Problem {
  readonly control: Control;
  readonly option: Option;
  readonly x: Float64Array;
  readonly add: Float64Array | null;
  readonly cotangent: Float64Array;
  readonly y: Float64Array;
}

function problemOf(extent: Extent, option: Option): Problem {
  const normal = gaussian(random(5));
  const size = sizeOf(extent);
  const [x, cotangent, residual] = [0, 1, 2].map(() => Float64Array.from({ length: size }, normal)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const control = prepared("float64", extent, 1e-3, flagsOf(option));
  const { weight, bias } = control.fields;
  weight.forEach((_, c) => {
    weight[c] = 1 + c / 4;
    bias[c] = 0.3 - c / 8;
  });
  return { control, option, x, cotangent, add: option.residual ? residual : null, y: new Float64Array(size) };
}

/** L = Σ cotangent·y, as a function of whatever x, the residual, weight and bias hold now. */
function loss({ control, option, x, add, cotangent, y }: Problem): number {
  if (option.fixed) {
    control.fields.mean.fill(0.2);
    control.fields.m2.fill(1.2);
    control.set("count", 1);
    oracle.normalize(control, x, y, add);
  } else {
    oracle.forward(control, x, y, add, null);
  }
  return sum(y.length, (i) => y[i]! * cotangent[i]!);
}

function slope(problem: Problem, array: Float64Array, i: number): number {
  const value = array[i]!;
  array[i] = value + STEP;
  const above = loss(problem);
  array[i] = value - STEP;
  const below = loss(problem);
  array[i] = value;
  return (above - below) / (2 * STEP);
}

/** The smallest |y| before ReLU: how far the nearest kink is. */
function distanceToKink(problem: Problem): number {
  const flags = problem.control.get("flags");
  problem.control.set("flags", flags & ~Flag.activation);
  loss(problem);
  problem.control.set("flags", flags);
  return Math.min(...problem.y.map(Math.abs));
}

describe("finite differences in float64", () => {
  /**
   * Central differences err by h²/6·|L‴| ≈ 1e-9 where L‴ is some tens, and by the rounding of L over h, which is
   * 1e-16·Σ|cotangent·y|/1e-5 ≈ 1e-9 for 100 terms.
   */
  const TOLERANCE = 1e-8;
  const shapes: readonly Extent[] = [
    { outer: 2, channels: 3, inner: 17 },
    { outer: 6, channels: 9, inner: 2 },
    { outer: 19, channels: 3, inner: 1 },
  ];
  const all = shapes.flatMap((extent) =>
    OPTIONS.map((option) => ({ extent, option, name: `${nameOf(extent)}, ${titleOf(option)}` })),
  );

  test.each(all)("$name", ({ extent, option }) => {
    const problem = problemOf(extent, option);
    const { control, x, add, cotangent, y } = problem;
    // No kink of ReLU may lie within a step, nor where the step moves the others.
    expect(distanceToKink(problem)).toBeGreaterThan(20 * STEP);
    loss(problem);
    const dx = new Float64Array(y.length);
    const dresidual = new Float64Array(y.length);
    oracle.backward(control, x, cotangent, dx, option.relu ? add : null, dresidual, null);
    const { weight, bias, mean, invStd, sumG, sumGX } = control.fields;
    const gradients: [Float64Array, Float64Array][] = [
      [x, dx],
      [weight, invStd.map((r, c) => centeredSum(false, mean[c]!, sumG[c]!, sumGX[c]!) * r)],
      [bias, sumG.slice()],
      ...(add ? [[add, dresidual] as [Float64Array, Float64Array]] : []),
    ];
    for (const [array, gradient] of gradients) {
      const errors = Array.from(
        gradient,
        (value, i) => [slope(problem, array, i) - value, TOLERANCE * Math.max(1, Math.abs(value))] as const,
      );
      expect(worst(errors)).toBeLessThanOrEqual(1);
    }
  });
});
