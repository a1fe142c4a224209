// The arguments of the calls of a case.
import { BatchNorm, type BackendName, type Gradients, type Sizes } from "../../src/index.js";
import { floatTypeOf, type Data, type DType } from "../../src/base/types.js";
import { Kind } from "../../src/kernels/layout.js";
import { CLAMP, inputsOf, slopesOf, type Inputs } from "../../src/verify/case-reference.js";
import type { FuzzCase } from "./draw.js";
import type { Options, Play } from "./recorder.js";

/** float32 or float64 of a table in float64. */
export function tableOf({ dtype }: FuzzCase, table: Float64Array | null): Data | null {
  if (!table) return null;
  return floatTypeOf(dtype) === "float32" ? Float32Array.from(table) : table.slice();
}

/** Inputs of a step, in the case's memory. */
export function tensorsOf(
  { one, memory }: Play,
  step: number,
): { given: Inputs; x: Data; dy: Data; residual: Data | null } {
  const given = inputsOf({ ...one, index: one.index + 7919 * step });
  return {
    given,
    x: memory.hold(one.dtype, given.x),
    dy: memory.hold(one.dtype, given.dy),
    residual: given.residual && memory.hold(one.dtype, given.residual),
  };
}
export type Tensors = ReturnType<typeof tensorsOf>;

export function shapeOf({ shape, shapeKind }: FuzzCase): Sizes {
  return shapeKind === "Array" ? shape : shapeKind === "Int32Array" ? Int32Array.from(shape) : Float64Array.from(shape);
}

/** Whether the first axis is that of the samples, and not of the channels. */
const hasSamples = ({ where }: FuzzCase): boolean =>
  where.axis === undefined || (Array.isArray(where.axis) ? where.axis[0] : where.axis) !== 0;

/** γ and β for each sample, one of them 0. Where the first axis is the channels', they are refused. */
function conditionalOf(one: FuzzCase): Options {
  const rows = hasSamples(one) ? one.shape[0]! : 1;
  const table = (from: number): Float64Array =>
    Float64Array.from({ length: rows * one.extent.channels }, (_, i) => ((i * 7 + from) % 13) / 3 - 1);
  return Object.fromEntries(one.conditional.map((name, i) => [name, tableOf(one, table(i * 5 + 1))]));
}

/** The options `mask` and `sampleWeights`. */
export function weightsOf(one: FuzzCase, { w }: Inputs): Options {
  const { weighting, shape } = one;
  const ofSamples = w.slice(0, hasSamples(one) ? shape[0]! : w.length);
  const bits = (weights: Inputs["w"]): Uint8Array => Uint8Array.from(weights, (weight) => Number(weight > 0));
  switch (weighting) {
    case "none":
      return {};
    case "mask":
      return { mask: bits(w) };
    case "mask of samples":
      return { mask: Array.from(bits(ofSamples), Boolean) };
    case "weights":
      return { sampleWeights: w };
    case "weights of samples":
      return { sampleWeights: ofSamples };
    case "both":
      return { mask: bits(ofSamples), sampleWeights: w };
    case "lists":
      return { mask: Array.from(bits(w)), sampleWeights: Array.from(ofSamples) };
  }
}

const CURVES: Readonly<Record<number, unknown>> = {
  [Kind.clamp]: { type: "clamp", ...{ min: CLAMP.low, max: CLAMP.high } },
  [Kind.hardSigmoid]: "hard-sigmoid",
  [Kind.hardSwish]: { type: "hard-swish" },
  [Kind.squaredRelu]: "squared-relu",
};

export function activationOf(one: FuzzCase): unknown {
  const { activation, activationKind, slope, sharesSlope } = one;
  if (!activation) return "none";
  if (activationKind === Kind.prelu)
    return { type: "prelu", slope: tableOf(one, slopesOf(one).slice(0, sharesSlope ? 1 : undefined)) };
  return CURVES[activationKind] ?? (slope === 0 ? "relu" : { type: "leaky-relu", slope });
}

/** The options of a forward; an output may be in the place of x, where the backward can do without it. */
export function forwardOptions({ one, memory }: Play, { given, x, residual }: Tensors): Options {
  const { fromOutput, forwardInPlace, maskedOutput, holdsY } = one;
  const save = fromOutput && residual === null ? "output" : forwardInPlace !== "x";
  const out =
    forwardInPlace === "x"
      ? x
      : forwardInPlace === "residual"
        ? (residual ?? x)
        : holdsY
          ? memory.output(one.dtype, x.length)
          : undefined;
  return {
    ...weightsOf(one, given),
    ...conditionalOf(one),
    ...(one.weighting !== "none" && { maskedOutput }),
    ...(residual && { residual }),
    ...(out && { out }),
    save: out === x && save === true ? false : save,
  };
}

export function backwardOptions(
  { one, memory }: Play,
  { x, dy, residual }: Tensors,
  earlier: Gradients<DType> | null,
): Options {
  const { need, backwardInPlace, accumulate } = one;
  const out = backwardInPlace === "dy" ? dy : backwardInPlace === "x" ? x : undefined;
  return {
    need,
    ...(need.input && out && { out }),
    ...(need.residual && residual && one.dresidual && { residualOut: memory.output(one.dtype, dy.length) }),
    ...(accumulate &&
      earlier && {
        accumulate: { gradWeight: earlier.gradWeight, gradBias: earlier.gradBias, gradSlope: earlier.gradSlope },
      }),
  };
}

/** Of the size of x, or of the parameters. */
export const dtypeOfResult =
  ({ dtype }: FuzzCase) =>
  (key: string): DType =>
    ["gradWeight", "gradBias", "gradSlope"].includes(key) ? floatTypeOf(dtype) : dtype;

export function layerOf(one: FuzzCase, backend: BackendName, more: Options = {}): BatchNorm<DType> {
  const { channels } = one.extent;
  const given = inputsOf(one);
  const layer = new BatchNorm<DType>(channels, {
    ...one.where,
    dtype: one.dtype,
    activation: activationOf(one),
    eps: one.eps,
    weight: one.weight,
    bias: one.bias,
    momentum: one.momentum,
    singleValue: one.singleValue,
    correction: one.correction,
    onNonFinite: one.onNonFinite,
    renorm: one.renorm,
    ...one.cut,
    trackRunningStats: one.trackRunningStats,
    reuse: one.reuse,
    threads: one.threads,
    backend,
    ...more,
  } as never);
  if (given.weight) layer.weight?.set(given.weight);
  if (given.bias) layer.bias?.set(given.bias);
  if (given.fixed) layer.runningMean?.set(given.fixed.mean);
  if (given.fixed) layer.runningVar?.set(given.fixed.invStd.map((value) => value ** -2));
  if (one.mode === "eval") layer.eval();
  if (one.mode === "frozen") layer.frozen = true;
  return layer;
}

/** The options that a function without a layer takes beside those of a forward. */
export function functionOptions({ one, resources }: Play, { weight, bias, fixed }: Inputs): Options {
  return {
    ...one.where,
    ...resources,
    dtype: one.dtype,
    weight: tableOf(one, weight),
    bias: tableOf(one, bias),
    eps: one.eps,
    activation: activationOf(one),
    ...(fixed && {
      runningMean: tableOf(one, fixed.mean),
      runningVar: tableOf(
        one,
        fixed.invStd.map((value) => value ** -2),
      ),
    }),
  };
}
