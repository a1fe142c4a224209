// One walk over a weight for each of the two directions of a fold.
import { describe, isRecord, lengthOf } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf, readOptions } from "../base/options.js";
import type { ArrayOf, Data, DType } from "../base/types.js";
import { readOperand, type Sizes, type Tensor } from "../values/plan.js";
import { Folded, readArray, type Given } from "./arrays.js";
import { readGeometry, type Geometry, type Kind } from "./geometry.js";
import { NORM_OPTIONS, readNorm, type Affine } from "./scale-shift.js";

/** A bias, or its absence. */
export type MaybeBias = ArrayOf<DType> | null | undefined;

/** The weight and the bias of a convolution or a linear layer. */
export interface Weights<T extends Tensor<DType>, B extends MaybeBias> {
  /** The weight, `{ data, shape }` or `{ data, dims }`, in the order of axes that the option `convention` says. */
  readonly weight: T;
  /** The bias, one element per output channel. It may be absent or null. */
  readonly bias?: B | undefined;
}

/** The weight and the bias of the layer that replaces the two. */
export interface FoldedWeights<T extends Tensor<DType>, B extends MaybeBias> {
  /** The weight, in the form and the type of the one given. */
  readonly weight: T extends {
    /** The size of each axis. */
    readonly shape: Sizes;
  }
    ? {
        /** The elements in row-major order. */
        readonly data: T["data"];
        /** The size of each axis. */
        readonly shape: readonly number[];
      }
    : {
        /** The elements in row-major order. */
        readonly data: T["data"];
        /** The size of each axis. */
        readonly dims: readonly number[];
      };
  /** The bias, in the type of the one given, and without one in the type of the weight. */
  readonly bias: B extends null | undefined ? T["data"] : B;
}

interface Call {
  readonly geometry: Geometry;
  readonly norm: Affine;
  readonly weight: Given;
  readonly bias: Given | null;
  /** The new arrays. */
  readonly newWeight: Folded;
  readonly newBias: Folded;
}

/** Makes new arrays of a layer's, and fills them. */
export function fold<T extends Tensor<DType>, B extends MaybeBias>(
  kind: Kind,
  layer: Weights<T, B>,
  bn: unknown,
  given: unknown,
  fill: (call: Call) => void,
): FoldedWeights<T, B> {
  if (!isRecord(layer))
    throw typeError("ERR_BATCHNORM_TYPE", `the layer expected an object { weight, bias }, got ${describe(layer)}`);
  const own = kind.mostRank > 2 ? ["convention", "dtype", "groups"] : ["convention", "dtype"];
  const options = readOptions(given, [...NORM_OPTIONS, ...own]);
  const operand = readOperand("weight", fieldOf(layer, "weight"));
  if (operand.shape === null)
    throw typeError("ERR_BATCHNORM_TYPE", `"weight" expected a tensor { data, shape }, got ${describe(operand.data)}`);
  const weight = readArray("weight", operand.data, options.dtype);
  const geometry = readGeometry(kind, operand.shape, options);
  const { groups, outs, ins, taps } = geometry;
  checkLength("weight", weight.values, groups * outs * ins * taps);
  const biasData = fieldOf(layer, "bias") ?? null;
  const bias = biasData === null ? null : readArray("bias", biasData, options.dtype);
  if (bias) checkLength("bias", bias.values, groups * outs);
  const newWeight = new Folded(weight, weight.values.length);
  const newBias = new Folded(bias ?? { ...weight, name: "bias" }, groups * outs);
  fill({ geometry, norm: readNorm(bn, options), weight, bias, newWeight, newBias });
  return {
    weight: { data: newWeight.array(), [operand.key!]: [...operand.shape] },
    bias: newBias.array(),
  } as FoldedWeights<T, B>;
}

function checkLength(name: string, array: Data, length: number): void {
  if (lengthOf(array) === length) return;
  throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${length}, got ${lengthOf(array)}`);
}

function checkChannels({ scale }: Affine, channels: number, which: string): void {
  if (scale.length === channels) return;
  const text = `"bn" expected ${channels} channels, the ${which} of the weight, got ${scale.length}`;
  throw rangeError("ERR_BATCHNORM_SHAPE", text);
}

/** W' = W·scale and b' = (b − μ)·scale + β, by output channels. */
export function fillBefore({ geometry, norm, weight, bias, newWeight, newBias }: Call): void {
  const { groups, outs, ins, taps, strides } = geometry;
  checkChannels(norm, groups * outs, "output channels");
  for (let c = 0; c < groups * outs; c++) {
    const scale = norm.scale[c]!;
    const start = Math.floor(c / outs) * strides.group + (c % outs) * strides.out;
    for (let i = 0; i < ins; i++) {
      for (let k = 0; k < taps; k++) {
        const at = start + i * strides.in + k * strides.tap;
        const value = weight.values[at]!;
        newWeight.set(at, value * scale, value);
      }
    }
    const old = bias ? bias.values[c]! : 0;
    newBias.set(c, (old - norm.mean[c]!) * scale + norm.bias[c]!, old);
  }
}

/** W' = W·scale by input channels, and b' = b + ΣW·shift over them. */
export function fillBehind({ geometry, norm, weight, bias, newWeight, newBias }: Call): void {
  const { groups, outs, ins, taps, strides } = geometry;
  checkChannels(norm, groups * ins, "input channels");
  if (taps !== 1)
    throw rangeError(
      "ERR_BATCHNORM_SHAPE",
      `"weight" expected a kernel of 1 position, got ${taps}: its padding has no shift`,
    );
  for (let o = 0; o < groups * outs; o++) {
    const group = Math.floor(o / outs);
    const start = group * strides.group + (o % outs) * strides.out;
    let sum = bias ? bias.values[o]! : 0;
    let isFinite = Number.isFinite(sum);
    for (let i = 0; i < ins; i++) {
      const at = start + i * strides.in;
      const value = weight.values[at]!;
      newWeight.set(at, value * norm.scale[group * ins + i]!, value);
      sum += value * norm.shift[group * ins + i]!;
      isFinite &&= Number.isFinite(value);
    }
    newBias.set(o, sum, isFinite ? 0 : NaN);
  }
}
