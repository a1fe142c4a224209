// Problems of conditional batch normalization, and what the textbook says about them.
import { expect } from "vitest";
import fc from "fast-check";
import { BatchNorm, toBfloat16Bits, toFloat16Bits, type BatchNormOptions, type Gradients } from "../../src/index.js";
import { floatTypeOf, type Data, type DType, type Floats } from "../../src/base/types.js";
import { random } from "../../src/verify/data.js";
import type { Loose } from "./rejected.js";

const next = random(77);
export const values = (length: number, scale = 4): Float64Array =>
  Float64Array.from({ length }, () => scale * next() - 1);
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export interface Problem {
  /** [N, C, rest] with the channels at axis 1, or last. */
  readonly samples: number;
  readonly channels: number;
  readonly rest: number;
  readonly last: boolean;
  readonly given: "weight" | "bias" | "both";
  readonly weighting: "none" | "mask" | "weights" | "of samples";
  readonly zeroed: boolean;
  readonly activation: "none" | "relu" | "leaky";
  readonly residual: boolean;
  readonly mode: "training" | "eval" | "renorm";
}

export const problems: fc.Arbitrary<Problem> = fc.record({
  samples: fc.integer({ min: 1, max: 7 }),
  channels: fc.constantFrom(1, 2, 3, 17),
  rest: fc.constantFrom(1, 2, 5, 19),
  last: fc.boolean(),
  given: fc.constantFrom("weight", "bias", "both"),
  weighting: fc.constantFrom("none", "mask", "weights", "of samples"),
  zeroed: fc.boolean(),
  activation: fc.constantFrom("none", "relu", "leaky"),
  residual: fc.boolean(),
  mode: fc.constantFrom("training", "eval", "renorm"),
});

const ACTIVATIONS = { none: "none", relu: "relu", leaky: { type: "leaky-relu", slope: 0.25 } } as const;

export const shapeOf = ({ samples, channels, rest, last }: Problem): number[] =>
  last ? [samples, rest, channels] : [samples, channels, rest];

/** The sample, channel and position of each element. */
function placesOf({ samples, channels, rest, last }: Problem): { n: number; c: number; p: number }[] {
  return Array.from({ length: samples * channels * rest }, (_, at) => {
    const n = Math.floor(at / (channels * rest));
    const within = at % (channels * rest);
    const [c, i] = last
      ? [within % channels, Math.floor(within / channels)]
      : [Math.floor(within / rest), within % rest];
    return { n, c, p: n * rest + i };
  });
}

export interface Inputs {
  readonly x: Float64Array;
  readonly dy: Float64Array;
  readonly residual: Float64Array | null;
  readonly w: Float64Array | null;
  /** γ and β of each sample. */
  readonly weight: Float64Array;
  readonly bias: Float64Array;
  /** Those of the layer. */
  readonly own: { readonly weight: Float64Array; readonly bias: Float64Array };
  readonly running: { readonly mean: Float64Array; readonly variance: Float64Array };
}

/** Random values for a problem. */
export function inputsOf(problem: Problem): Inputs {
  const { samples, channels, rest, weighting, residual } = problem;
  const size = samples * channels * rest;
  const count = weighting === "of samples" ? samples : samples * rest;
  const w = Float64Array.from({ length: count }, (_, i) => (i % 3 === 1 ? 0 : weighting === "mask" ? 1 : 1 + (i % 4)));
  return {
    x: values(size),
    dy: values(size),
    residual: residual ? values(size) : null,
    w: weighting === "none" ? null : w,
    weight: values(samples * channels),
    bias: values(samples * channels),
    own: { weight: values(channels), bias: values(channels) },
    running: { mean: values(channels), variance: values(channels, 1).map((v) => v + 1.5) },
  };
}

/** y as the textbook has it, of any x, γ and β; statistics are those of `x` unless they are given. */
export function textbook(
  problem: Problem,
  { residual, w, running }: Inputs,
  x: Float64Array,
  gamma: (n: number, c: number) => number,
  beta: (n: number, c: number) => number,
  constants: { r: number[]; d: number[] } | null,
): Float64Array {
  const { channels, rest, weighting, zeroed, activation, mode } = problem;
  const places = placesOf(problem);
  const weightAt = (n: number, p: number): number => (w ? w[weighting === "of samples" ? n : p]! : 1);
  const [mean, variance] = [new Float64Array(channels), new Float64Array(channels)];
  let total = 0;
  for (let p = 0; p < problem.samples * rest; p++) total += weightAt(Math.floor(p / rest), p);
  places.forEach(({ n, c, p }, at) => (mean[c]! += (weightAt(n, p) * x[at]!) / (total || 1)));
  places.forEach(({ n, c, p }, at) => (variance[c]! += (weightAt(n, p) * (x[at]! - mean[c]!) ** 2) / (total || 1)));
  return Float64Array.from(places, ({ n, c, p }, at) => {
    if (zeroed && weightAt(n, p) === 0) return 0;
    const [mu, v] = mode === "eval" ? [running.mean[c]!, running.variance[c]!] : [mean[c]!, variance[c]!];
    const invStd = mode !== "eval" && total === 0 ? 0 : 1 / Math.sqrt(v + 1e-5);
    const plain = (x[at]! - mu) * invStd;
    const normal = constants ? plain * constants.r[c]! + constants.d[c]! : plain;
    const z = gamma(n, c) * normal + beta(n, c) + (residual ? residual[at]! : 0);
    return z > 0 || activation === "none" ? z : activation === "relu" ? 0 : z * 0.25;
  });
}

const RENORM = { rMax: 1.3, dMax: 0.4 };

export function layerOf(problem: Problem, inputs: Inputs, more: BatchNormOptions = {}): BatchNorm<DType> {
  const { channels, last, activation, mode } = problem;
  const layer = new BatchNorm<DType>(channels, {
    dtype: "float64",
    singleValue: "allow",
    activation: ACTIVATIONS[activation],
    layout: last ? "channels-last" : "channels-first",
    ...(mode === "renorm" && { renorm: RENORM }),
    ...more,
  } as BatchNormOptions<DType>);
  layer.weight?.set(inputs.own.weight);
  layer.bias?.set(inputs.own.bias);
  layer.runningMean!.set(inputs.running.mean);
  layer.runningVar!.set(inputs.running.variance);
  return mode === "eval" ? layer.eval() : layer;
}

export const as = (dtype: DType, data: Float64Array): Data =>
  dtype === "float64"
    ? data
    : dtype === "float32"
      ? Float32Array.from(data)
      : (dtype === "float16" ? toFloat16Bits : toBfloat16Bits)(Float32Array.from(data));
export const floats = (dtype: DType, data: Float64Array): Floats => as(floatTypeOf(dtype), data) as Floats;

/** The options of a forward, with the tables that the problem gives. */
export function optionsOf(problem: Problem, inputs: Inputs, dtype: DType = "float64"): Record<string, unknown> {
  const { given, zeroed } = problem;
  const { residual, w, weight, bias } = inputs;
  return {
    save: true,
    ...(given !== "bias" && { weight: floats(dtype, weight) }),
    ...(given !== "weight" && { bias: floats(dtype, bias) }),
    ...(residual && { residual: as(dtype, residual) }),
    ...(w && { sampleWeights: floats(dtype, w), maskedOutput: zeroed ? "zero" : "normalize" }),
  };
}

export type Pass = { readonly y: Data } & Gradients<DType>;

export function pass(layer: BatchNorm<DType>, shape: readonly number[], x: Data, dy: Data, options: object): Pass {
  const y = (layer.forward as Loose).call(layer, x, shape, options) as Data;
  return { y, ...((layer.backward as Loose).call(layer, dy) as Gradients<DType>) };
}

export const tables = (
  problem: Problem,
  inputs: Inputs,
): [(n: number, c: number) => number, (n: number, c: number) => number] => [
  (n, c) => (problem.given === "bias" ? inputs.own.weight[c]! : inputs.weight[n * problem.channels + c]!),
  (n, c) => (problem.given === "weight" ? inputs.own.bias[c]! : inputs.bias[n * problem.channels + c]!),
];

export function expectNear(got: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < got.length; i++)
    expect(Math.abs(got[i]! - expected[i]!), `[${i}] ${got[i]} ${expected[i]}`).toBeLessThanOrEqual(
      tolerance * (1 + Math.abs(expected[i]!)),
    );
}
