// Double backward problems: what goes in, and what comes out by the formulas in float64.
import { batchNormInference, batchNormTraining, type FloatType as DType, type Saved } from "../../src/index.js";
import type { ArrayOf, Floats as Data } from "../../src/base/types.js";
import { channelPositions, normals, parameters, sizeOf, tokenOf } from "./reference.js";
import { statistics, sum } from "./textbook.js";

export interface Setting {
  readonly shape: readonly number[];
  readonly axis: number;
  readonly frozen: boolean;
  readonly activation: "none" | "relu";
  readonly residual: boolean;
  /** Whether every other sample is masked, which changes no gradient if the statistics are fixed. */
  readonly isMasked: boolean;
}

export interface DoubleProblem extends Setting {
  readonly dtype: DType;
  readonly eps: number;
  readonly x: ArrayOf<DType>;
  readonly dy: ArrayOf<DType>;
  readonly add: ArrayOf<DType> | null;
  readonly weight: ArrayOf<DType>;
  readonly bias: ArrayOf<DType>;
  readonly running: { readonly runningMean: ArrayOf<DType>; readonly runningVar: ArrayOf<DType> };
  readonly given: {
    readonly gradGradInput: ArrayOf<DType>;
    readonly gradGradWeight: ArrayOf<DType>;
    readonly gradGradBias: ArrayOf<DType>;
    readonly gradGradResidual?: ArrayOf<DType>;
  };
}

export const SETTINGS: readonly Setting[] = (
  [
    [[2, 3, 17], 1],
    [[5, 4, 3], 1],
    [[9, 17], 1],
    [[19, 3], -1],
    [[2, 5, 4, 3], -1],
  ] as const
).flatMap(([shape, axis]) =>
  [false, true].flatMap((frozen) =>
    (["none", "relu"] as const).flatMap((activation) =>
      [false, true].map((residual) => ({ shape, axis, frozen, activation, residual, isMasked: frozen && residual })),
    ),
  ),
);

/** γ is 0 in the first channel, which stays away from ReLU's kink by its β. */
export function problemOf(setting: Setting, dtype: DType): DoubleProblem {
  const { shape, axis, residual } = setting;
  const size = sizeOf(shape);
  const channels = shape.at(axis)!;
  const weight = parameters(dtype, channels, 0.5);
  weight[0] = 0;
  return {
    ...setting,
    dtype,
    eps: 1e-5,
    x: normals(dtype, size, 1),
    dy: normals(dtype, size, 2),
    add: residual ? normals(dtype, size, 3) : null,
    weight,
    bias: parameters(dtype, channels, 0.3),
    running: {
      runningMean: parameters(dtype, channels, 0.2),
      runningVar: parameters(dtype, channels, 0.5).map(Math.abs),
    },
    given: {
      gradGradInput: normals(dtype, size, 4),
      gradGradWeight: parameters(dtype, channels, -0.7),
      gradGradBias: parameters(dtype, channels, 1.1),
      ...(residual && { gradGradResidual: normals(dtype, size, 5) }),
    },
  };
}

export interface Forward {
  readonly output: Data;
  readonly saved: Saved<DType>;
}

export function forwardOf(problem: DoubleProblem): Forward {
  const { shape, axis, frozen, activation, x, add, weight, bias, eps, running, isMasked } = problem;
  const mask = isMasked ? Array.from({ length: shape[0]! }, (_, i) => i % 2 === 0) : null;
  const all = { axis, activation, weight, bias, eps, mask, save: true, ...(add && { residual: add }) };
  const { output, saved } = frozen
    ? batchNormInference(x, shape, { ...all, ...running })
    : batchNormTraining(x, shape, all);
  return { output, saved: tokenOf(saved) };
}

export interface DoubleSolution {
  readonly gradInput: Float64Array;
  readonly gradWeight: Float64Array;
  readonly gradGradOutput: Float64Array;
}

/** The solution, and for each of its elements the sum of the magnitudes of its terms. */
export function solveDouble(problem: DoubleProblem, output: Data): { solution: DoubleSolution; scale: DoubleSolution } {
  const { shape, axis } = problem;
  const zeros = (): DoubleSolution => ({
    gradInput: new Float64Array(sizeOf(shape)),
    gradWeight: new Float64Array(shape.at(axis)!),
    gradGradOutput: new Float64Array(sizeOf(shape)),
  });
  const result = { solution: zeros(), scale: zeros() };
  channelPositions(shape, axis).forEach((at, c) => {
    solveChannel(problem, output, at, c, result);
  });
  return result;
}

function solveChannel(
  { frozen, activation, x, dy, weight, eps, running, given }: DoubleProblem,
  output: Data,
  at: readonly number[],
  c: number,
  { solution, scale }: { solution: DoubleSolution; scale: DoubleSolution },
): void {
  const m = at.length;
  const own = statistics(x, at);
  const mean = frozen ? running.runningMean[c]! : own.mean;
  const r = 1 / Math.sqrt((frozen ? running.runningVar[c]! : own.m2 / m) + eps);
  const gamma = weight[c]!;
  const [w, b] = [given.gradGradWeight[c]!, given.gradGradBias[c]!];
  const open = (p: number): boolean => activation === "none" || !(output[p]! <= 0);
  const g = (p: number): number => (open(p) ? dy[p]! : 0);
  const a = (p: number): number => given.gradGradInput[p]!;
  const d = (p: number): number => x[p]! - mean;
  const over = (value: (p: number) => number): number => sum(m, (i) => value(at[i]!));
  const whole = frozen ? 0 : 1;
  const [meanG, meanA] = [(whole * over(g)) / m, (whole * over(a)) / m];
  const [gx, ax] = [whole * over((p) => g(p) * d(p)), whole * over((p) => a(p) * d(p))];
  const mixed = meanA * meanG * m - over((p) => a(p) * g(p)) + (3 / m) * r ** 2 * gx * ax;
  const first = (value: (p: number) => number, average: number, sumX: number): ((p: number) => number[]) => {
    return (p) => [r * value(p), -r * average, (-(r ** 3) * d(p) * sumX) / m];
  };
  const firstG = first(g, meanG, gx);
  const firstA = first(a, meanA, ax);
  const put = (into: keyof DoubleSolution, p: number, terms: readonly number[]): void => {
    solution[into][p] = terms.reduce((total, term) => total + term, 0);
    scale[into][p] = terms.reduce((total, term) => total + Math.abs(term), 0);
  };
  for (const p of at) {
    const second = [
      ...(frozen ? [] : [d(p) * mixed * r, ax * r * meanG, -ax * r * g(p), gx * r * meanA, -gx * r * a(p)]),
    ];
    put("gradInput", p, [...second.map((term) => (gamma * r ** 2 * term) / m), ...firstG(p).map((term) => w * term)]);
    const outer = [...firstA(p).map((term) => gamma * term), w * d(p) * r, b, given.gradGradResidual?.[p] ?? 0];
    put("gradGradOutput", p, open(p) ? outer : [0]);
  }
  solution.gradWeight[c] = over((p) => a(p) * firstG(p).reduce((total, term) => total + term, 0));
  scale.gradWeight[c] = over((p) => Math.abs(a(p)) * firstG(p).reduce((total, term) => total + Math.abs(term), 0));
}
