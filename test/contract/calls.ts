// Calls drawn from a seed: as the package takes them, and the same for the specification.
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type Floats } from "../../src/base/types.js";
import { gaussian, random } from "../../src/verify/data.js";
import { narrow, widen, type DType, type Extent, type Numbers, type Options } from "./specification.js";

export const backend = "oracle";

function short(dtype: DType): dtype is "float16" | "bfloat16" {
  return isStoredIn16Bits(dtype);
}

export function dataOf(dtype: DType, values: Numbers): Data {
  const bits = short(dtype) ? Array.from(values, (v) => narrow(dtype, v)) : values;
  const data = allocate(dtype, values.length);
  data.set(bits);
  return data;
}

export function numbersOf(dtype: DType, data: Numbers): number[] {
  return Array.from(data, (v) => (short(dtype) ? widen(dtype, v) : v));
}

export type Draw = { next: () => number; normal: () => number; one: <T>(...choices: readonly T[]) => T };

export function drawOf(seed: number): Draw {
  const next = random(seed);
  return { next, normal: gaussian(next), one: (...choices) => choices[Math.floor(next() * choices.length)]! };
}

/** Options of the specification, drawn; 16-bit data as numbers. */
export function optionsOf(dtype: DType, extent: Extent, { next, normal, one }: Draw): Options {
  const type = floatTypeOf(dtype);
  const size = extent.outer * extent.channels * extent.inner;
  const table = (value: () => number): Floats => allocate(type, extent.channels).map(value);
  // So small a γ makes outputs that float16 stores as 0.
  const scale = one(1, 1, 2 ** -25);
  const w = allocate(type, extent.outer * extent.inner).map(() => (next() < 0.4 ? 0 : one(1, next())));
  return {
    extent,
    dtype,
    eps: one(0, 1e-5, 0.1),
    gamma: one(
      null,
      table(() => scale * (0.5 + next())),
    ),
    beta: scale < 1 ? null : one(null, table(normal)),
    residual: one(null, numbersOf(dtype, dataOf(dtype, Array.from({ length: size }, normal)))),
    slope: one(null, 0, 0.3),
    curve: one(null, null, {
      name: one("clamp", "hard-sigmoid", "hard-swish", "squared-relu", "prelu", "prelu"),
      low: -0.25,
      high: 1.1,
      slopes: one(
        table(() => next() - 0.3),
        allocate(type, 1).fill(0.2),
      ),
    } as const),
    w: one(null, w),
    maskedOutput: one("normalize", "zero"),
    given: null,
    isFixed: false,
  };
}

function activationOf({ curve, slope }: Options): unknown {
  if (!curve) return slope === null ? "none" : slope === 0 ? "relu" : { type: "leaky-relu", slope };
  const { name, low, high, slopes } = curve;
  if (name === "prelu") return { type: name, slope: slopes };
  return name === "clamp" ? { type: name, min: low, max: high } : name;
}

/** The same options for the package. Its types depend on the type of the data, which is not known here. */
export function packageOptions(options: Options): object {
  const { dtype, eps, gamma, beta, residual, w, maskedOutput } = options;
  return {
    backend,
    eps,
    weight: gamma,
    bias: beta,
    maskedOutput,
    sampleWeights: w,
    activation: activationOf(options),
    ...(short(dtype) && { dtype }),
    ...(residual && { residual: dataOf(dtype, residual) }),
  };
}

/** Puts NaN where w is 0, here and there. */
export function spoil(arrays: readonly Data[], { dtype, extent, w }: Options, next: () => number): void {
  const nan = dataOf(dtype, [NaN])[0]!;
  const { outer, channels, inner } = extent;
  for (const array of arrays) {
    for (let p = 0; p < outer * channels * inner; p++) {
      const position = Math.floor(p / (channels * inner)) * inner + (p % inner);
      if (w![position] === 0 && next() < 0.1) array[p] = nan;
    }
  }
}
