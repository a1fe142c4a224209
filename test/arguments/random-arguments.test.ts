// 2000 seeded mixtures of good and bad arguments: an error with a stable code and nothing written, or a correct result.
import { expect, test } from "vitest";
import { BatchNorm, type BatchNormOptions, type FloatType as DType, type Gradients } from "../../src/index.js";
import { allocate, type Floats as Data } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import { expectClose, normals, sizeOf, solve, type Problem } from "../support/reference.js";
import { ALIAS, detached, DETACHED, OPTION, SAVED, SHAPE, SINGLE_VALUE, TYPE, VALUE } from "../support/rejected.js";
import { snapshot, type Loose } from "../support/rejected.js";

const RUNS = 2000;
const next = random(20261123);
const chance = (probability: number): boolean => next() < probability;
const one = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)]!;
/** The good value, or one time in fifteen a bad one. */
const maybe = <T>(good: T, bad: readonly unknown[]): T => (chance(1 / 15) ? (one(bad) as T) : good);

const NOT_DATA: readonly unknown[] = [
  null,
  7,
  "x",
  [1, 2],
  {},
  new Int8Array(8),
  new DataView(new ArrayBuffer(8)),
  detached(4),
  () => 1,
  2n,
];
const NOT_SIZES: readonly unknown[] = [-1, 1.5, NaN, 2 ** 53, "2", null, Infinity, 12];
const NOT_SHAPES: readonly unknown[] = [null, 24, "24", [], [24], {}, Int32Array.of(2, 3)];

const seenCodes = new Set<string>();

/** The call's result, or undefined after an error with a code that left `watched` as it was. */
function attempt<T>(call: () => T, watched: readonly unknown[], what: string): T | undefined {
  const before = watched.map(snapshot);
  try {
    return call();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (!(error instanceof TypeError || error instanceof RangeError) || typeof code !== "string") {
      expect.fail(`${what}: expected an error with a code, got ${String(error)}`);
    }
    expect(watched.map(snapshot), `${what}: ${error.message}`).toEqual(before);
    seenCodes.add(code);
    return undefined;
  }
}

interface Setting {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly axis: number;
  readonly options: BatchNormOptions<DType>;
}

function randomSetting(): Setting {
  const rank = 1 + Math.floor(next() * 5);
  const shape = Array.from({ length: rank }, () => (chance(0.03) ? 0 : 1 + Math.floor(next() * 4)));
  const axis = Math.floor(next() * rank) - (chance(0.5) ? rank : 0);
  const dtype = one<DType>(["float32", "float64"]);
  const options: BatchNormOptions<DType> = {
    dtype,
    axis: maybe(axis, [9, 0.5, "1"]),
    activation: one(["none", "relu"]),
    weight: chance(0.7),
    bias: chance(0.7),
    eps: maybe(1e-3, [-1, NaN, "0", Infinity]),
    reuse: chance(0.2),
    singleValue: one(["allow", "allow", "error"]),
    trackRunningStats: chance(0.8),
    momentum: maybe(one([0.1, 0, 1, null]), [-0.1, 2, NaN, "1"]),
    ...(chance(0.02) && { unknown: 1 }),
  };
  return { dtype, shape, axis, options };
}

/** A layer whose γ and β differ in magnitude, so that no sum of the two hides in rounding. */
function randomLayer({ shape, axis, options }: Setting, what: string): BatchNorm<DType> | undefined {
  const layer = attempt(() => new BatchNorm<DType>(maybe(shape.at(axis)!, NOT_SIZES), options), [], what);
  layer?.weight?.forEach((_, c, weight) => (weight[c] = (0.5 + c / 4) * (c % 2 ? -1 : 1)));
  layer?.bias?.forEach((_, c, bias) => (bias[c] = 0.3 + c / 4));
  if (layer?.runningMean && chance(0.2)) layer.frozen = true;
  return chance(0.3) ? layer?.eval() : layer;
}

/** The strides and the offset of a tensor whose elements are in the opposite order. */
function fromTheEnd(shape: readonly number[]): { strides: number[]; offset: number } {
  const strides = shape.map((_, axis) => -sizeOf(shape.slice(axis + 1)));
  return { strides, offset: Math.max(sizeOf(shape) - 1, 0) };
}

/** Data as an array or a tensor, or in a form that will not do. */
function randomOperand(data: Data, shape: readonly number[]): unknown {
  const wrong = [
    ...NOT_DATA,
    data.slice(1),
    allocate(data instanceof Float32Array ? "float64" : "float32", data.length),
  ];
  const values = maybe<unknown>(data, wrong);
  if (chance(0.6)) return values;
  const sizes = maybe<unknown>([...shape], [...NOT_SHAPES, shape.map((n) => n + 1)]);
  const key = one(["shape", "dims"]);
  // The same tensor, seen from its end, and one whose elements are not in its data.
  if (values === data && String(sizes) === String(shape) && chance(0.2))
    return { data: data.slice().reverse(), [key]: sizes, ...fromTheEnd(shape) };
  return { data: values, [key]: sizes, ...(chance(0.05) && { offset: data.length }) };
}

const arrayOf = (result: unknown): Data =>
  ArrayBuffer.isView(result) ? (result as Data) : (result as { data: Data }).data;

/** What the layer's next forward is to compute, and the arguments that ask for it. */
function randomForward(
  layer: BatchNorm<DType>,
  { dtype, shape, axis, options }: Setting,
  seed: number,
): { args: unknown[]; problem: Problem; watched: unknown[]; save: boolean } {
  const size = sizeOf(shape);
  const x = normals(dtype, size, seed);
  const residual = chance(0.3) ? normals(dtype, size, seed + 1) : null;
  const save = chance(0.8);
  const memory = allocate(dtype, size + 1).fill(7);
  const outputs = [memory.subarray(0, size), x, memory, ...(residual ? [residual] : []), ...NOT_DATA];
  const call = {
    ...(chance(0.8) && { save: maybe(save, [1, "yes", null]) }),
    ...(chance(0.3) && { out: one(outputs) }),
    ...(residual && { residual: randomOperand(residual, shape) }),
    ...(chance(0.02) && { axis: 1 }),
  };
  const operand = randomOperand(x, shape);
  const tensor = typeof operand === "object" && operand !== null && "data" in operand;
  const args = tensor
    ? [operand, call]
    : [operand, maybe<unknown>([...shape], [...NOT_SHAPES, shape.map((n) => -n), shape.map((n) => n + 1)]), call];
  const running = layer.runningMean && (!layer.training || layer.frozen);
  const fixed = running ? { fixed: { mean: layer.runningMean, variance: layer.runningVar! } } : {};
  const problem: Problem = {
    dtype,
    shape,
    axis,
    dy: normals(dtype, size, seed + 2),
    weight: layer.weight,
    bias: layer.bias,
    eps: 1e-3,
    relu: options.activation === "relu",
    x: x.slice(),
    residual: residual && residual.slice(),
    ...fixed,
  };
  return {
    args,
    problem: structuredClone(problem),
    watched: [layer, x, residual, memory],
    save: (call.save ?? layer.training) === true,
  };
}

function expectBackward(layer: BatchNorm<DType>, problem: Problem, what: string): boolean {
  const { dtype, shape, dy } = problem;
  const memory = allocate(dtype, dy.length + 1).fill(7);
  const given = dy.slice() as Data;
  const options = {
    ...(chance(0.3) && { out: one<unknown>([memory.subarray(1), given, memory, ...NOT_DATA]) }),
    ...(chance(0.05) && { residualOut: memory.subarray(1) }),
    ...(chance(0.05) && { accumulate: one<unknown>([null, 1, { gradWeight: [1] }, { gradBias: new Int8Array(1) }]) }),
    ...(chance(0.05) && { saved: one<unknown>([1, {}, [], "x"]) }),
  };
  const call = (): Gradients<DType> =>
    (layer.backward as (...args: unknown[]) => Gradients<DType>).call(layer, randomOperand(given, shape), options);
  const grads = attempt(call, [layer, memory, given], what);
  if (!grads) return false;
  const { dx, dweight, dbias, dresidual, scale } = solve(problem);
  expectClose(`${what}: gradInput`, dtype, arrayOf(grads.gradInput), dx, scale.dx);
  if (grads.gradWeight) expectClose(`${what}: gradWeight`, dtype, grads.gradWeight, dweight, scale.dweight);
  if (grads.gradBias) expectClose(`${what}: gradBias`, dtype, grads.gradBias, dbias, scale.dbias);
  if (grads.gradResidual) expect([...arrayOf(grads.gradResidual)], what).toEqual([...dresidual]);
  expect([grads.gradWeight !== null, grads.gradBias !== null]).toEqual([
    problem.weight !== null,
    problem.bias !== null,
  ]);
  return true;
}

test(`${RUNS} calls`, () => {
  const correct = { forward: 0, backward: 0 };
  for (let run = 0; run < RUNS; run++) {
    const what = `run ${run}`;
    const setting = randomSetting();
    const layer = randomLayer(setting, what);
    if (!layer) continue;
    const { args, problem, watched, save } = randomForward(layer, setting, 3 * run);
    const result = attempt(() => (layer.forward as Loose).apply(layer, args), watched, what);
    if (result === undefined) continue;
    const { y, scale } = solve(problem);
    expectClose(`${what}: y`, setting.dtype, arrayOf(result), y, scale.y);
    correct.forward++;
    expect(layer.saved !== null, what).toBe(save);
    if (expectBackward(layer, problem, what)) correct.backward++;
  }
  // Neither half may be empty: figures of this seed are far above these.
  expect(correct.forward).toBeGreaterThan(RUNS / 5);
  expect(correct.backward).toBeGreaterThan(RUNS / 10);
  expect([...seenCodes].sort()).toEqual([ALIAS, DETACHED, OPTION, SAVED, SHAPE, SINGLE_VALUE, TYPE, VALUE]);
});
