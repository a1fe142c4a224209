// Policies in combination: the gradients are those of finite differences, and float16 has those of float64 up to its rounding.
import { describe, expect, test } from "vitest";
import {
  BatchNorm,
  MicroBatches,
  fromFloat16Bits,
  toFloat16Bits,
  type Activation,
  type BackendName,
  type BatchNormOptions,
} from "../../src/index.js";
import { random } from "../../src/verify/data.js";
import { backendsUnderTest } from "../support/backends.js";

type Options = BatchNormOptions<"float64">;
interface Combination {
  readonly shape: readonly number[];
  readonly channels: number;
  readonly options: Options;
  readonly mask?: readonly (0 | 1)[];
  readonly sampleWeights?: readonly number[];
  readonly isConditional?: boolean;
  readonly hasResidual?: boolean;
  /** The number of micro-batches, of equal size. */
  readonly parts?: number;
}

/** What a loss depends on, by name. */
type Inputs = Record<string, Float64Array>;

const SLOPES = Float64Array.of(0.25, -0.5, 0.75);
/** Running statistics are far from the batch, so that r and d are at their limits, and constants. */
const CLIPPED = { renorm: { rMax: 1.25, dMax: 0.25 } };

const COMBINATIONS: Record<string, Combination> = {
  "virtual batches, a mask and γ and β for each sample": {
    shape: [6, 3, 4],
    channels: 3,
    options: { virtualBatchSize: 3 },
    mask: [1, 1, 0, 1, 1, 1],
    isConditional: true,
  },
  "interleaved virtual batches, a residual and hard swish": {
    shape: [6, 3, 4],
    channels: 3,
    options: { virtualBatchSize: 2, virtualBatches: "interleaved", activation: "hard-swish" },
    hasResidual: true,
  },
  "renormalization, weights and PReLU": {
    shape: [5, 3, 4],
    channels: 3,
    options: { ...CLIPPED, activation: { type: "prelu", slope: SLOPES } },
    sampleWeights: [1, 0.5, 2, 0, 3],
  },
  "axes that do not touch, virtual batches and squared ReLU": {
    shape: [4, 2, 5, 3],
    channels: 6,
    options: { axis: [1, 3], virtualBatchSize: 2, activation: "squared-relu" },
    mask: [1, 1, 1, 1],
  },
  "γ and β for each sample, renormalization and PReLU": {
    shape: [4, 3, 5],
    channels: 3,
    options: { ...CLIPPED, activation: { type: "prelu", slope: SLOPES } },
    isConditional: true,
  },
  "virtual batches, renormalization, a mask and γ and β for each sample": {
    shape: [6, 3, 4],
    channels: 3,
    options: { virtualBatchSize: 3, ...CLIPPED },
    mask: [1, 0, 1, 1, 1, 1],
    isConditional: true,
  },
  "micro-batches, weights and PReLU": {
    shape: [6, 3, 4],
    channels: 3,
    options: { activation: { type: "prelu", slope: SLOPES } },
    sampleWeights: [1, 0.5, 2, 0, 3, 1],
    hasResidual: true,
    parts: 3,
  },
};

const next = random(41);
const values = (length: number): Float64Array => Float64Array.from({ length }, () => 4 * next() - 2);

function inputsOf({ shape, channels, options, isConditional, hasResidual }: Combination): Inputs {
  const size = shape.reduce((a, b) => a * b);
  const rows = isConditional ? shape[0]! : 1;
  const isPrelu = typeof options.activation === "object" && options.activation.type === "prelu";
  return {
    x: values(size),
    weight: values(rows * channels),
    bias: values(rows * channels),
    ...(hasResidual && { residual: values(size) }),
    ...(isPrelu && { slope: SLOPES.slice() }),
  };
}

function layerOf(one: Combination, inputs: Inputs, options: Options): BatchNorm<"float64"> {
  const { slope, weight, bias } = inputs;
  const activation: Activation | undefined = slope ? { type: "prelu", slope } : one.options.activation;
  const bn = new BatchNorm(one.channels, { dtype: "float64", ...one.options, ...options, activation } as Options);
  bn.runningMean!.fill(30);
  bn.runningVar!.fill(400);
  if (one.isConditional) return bn;
  bn.weight!.set(weight!);
  bn.bias!.set(bias!);
  return bn;
}

function forwardOptions({ mask, sampleWeights, isConditional }: Combination, inputs: Inputs): object {
  const { weight, bias, residual } = inputs;
  return { mask, sampleWeights, ...(residual && { residual }), ...(isConditional && { weight, bias }) };
}

/** A batch in parts, each with its share of what has samples. */
function microBatches(one: Combination, bn: BatchNorm<"float64">, inputs: Inputs): MicroBatches<"float64"> {
  const { shape, sampleWeights, parts = 1 } = one;
  const samples = shape[0]! / parts;
  const part = <T extends { slice(a: number, b: number): T; readonly length: number }>(data: T, i: number): T =>
    data.slice((i * data.length) / parts, ((i + 1) * data.length) / parts);
  return new MicroBatches(bn, parts, (i) => ({
    x: part(inputs.x!, i),
    shape: [samples, ...shape.slice(1)],
    residual: inputs.residual && part(inputs.residual, i),
    sampleWeights: sampleWeights && sampleWeights.slice(i * samples, (i + 1) * samples),
  }));
}

/** Σ y·dy. */
function lossOf(one: Combination, inputs: Inputs, dy: Float64Array, options: Options): number {
  const bn = layerOf(one, inputs, options);
  const y: number[] = [];
  if (one.parts) microBatches(one, bn, inputs).forward((output) => y.push(...output));
  else y.push(...bn.forward(inputs.x!, one.shape, forwardOptions(one, inputs)));
  return y.reduce((sum, value, i) => sum + value * dy[i]!, 0);
}

function gradientsOf(one: Combination, inputs: Inputs, dy: Float64Array, options: Options): Inputs {
  const bn = layerOf(one, inputs, options);
  const [x, residual]: [number[], number[]] = [[], []];
  let totals: { gradWeight: Float64Array | null; gradBias: Float64Array | null; gradSlope?: Float64Array };
  if (one.parts) {
    const batch = microBatches(one, bn, inputs);
    batch.forward(() => undefined);
    const size = dy.length / one.parts;
    totals = batch.backward(
      (i) => dy.slice(i * size, (i + 1) * size),
      ({ gradInput, gradResidual }) => {
        x.push(...gradInput);
        residual.push(...(gradResidual ?? []));
      },
    );
  } else {
    bn.forward(inputs.x!, one.shape, forwardOptions(one, inputs));
    const grads = bn.backward(dy);
    x.push(...grads.gradInput);
    residual.push(...(grads.gradResidual ?? []));
    totals = grads;
  }
  return {
    x: Float64Array.from(x),
    weight: totals.gradWeight!,
    bias: totals.gradBias!,
    ...(inputs.residual && { residual: Float64Array.from(residual) }),
    ...(inputs.slope && { slope: totals.gradSlope! }),
  };
}

const STEP = 1e-5;

describe.each(backendsUnderTest.filter(({ kernels }) => kernels !== null))("$name", ({ name, has16Bit }) => {
  test.each(Object.entries(COMBINATIONS))("%s", (_, one) => {
    const options = { backend: name as BackendName };
    const inputs = inputsOf(one);
    const dy = values(inputs.x!.length);
    const gradients = gradientsOf(one, inputs, dy, options);
    for (const [key, values] of Object.entries(inputs)) {
      for (let i = 0; i < values.length; i++) {
        const lossAt = (value: number): number => {
          const moved = { ...inputs, [key]: values.map((old, j) => (i === j ? value : old)) };
          return lossOf(one, moved, dy, options);
        };
        const wanted = (lossAt(values[i]! + STEP) - lossAt(values[i]! - STEP)) / (2 * STEP);
        const got = gradients[key]![i]!;
        expect(Math.abs(got - wanted), `${key}[${i}]: ${got}, ${wanted}`).toBeLessThan(1e-7 * (10 + Math.abs(wanted)));
      }
    }
  });

  test.runIf(has16Bit)("float16: virtual batches, renormalization, a mask and γ and β for each sample", () => {
    const one = COMBINATIONS["virtual batches, renormalization, a mask and γ and β for each sample"]!;
    const inputs = inputsOf(one);
    const round = (data: Float64Array): Float64Array =>
      Float64Array.from(fromFloat16Bits(toFloat16Bits(Float32Array.from(data))));
    const x = round(inputs.x!);
    const dy = round(values(x.length));
    const wanted = gradientsOf(one, { ...inputs, x }, dy, {});
    const half = new BatchNorm(3, {
      ...one.options,
      dtype: "float16",
      backend: name as BackendName,
    } as object) as unknown as BatchNorm<"float16">;
    half.runningMean!.fill(30);
    half.runningVar!.fill(400);
    const bits = (data: Float64Array): Uint16Array => toFloat16Bits(Float32Array.from(data));
    const [weight, bias] = [Float32Array.from(inputs.weight!), Float32Array.from(inputs.bias!)];
    half.forward(bits(x), one.shape, { mask: one.mask!, weight, bias });
    const grads = half.backward(bits(dy));
    const gradInput = fromFloat16Bits(grads.gradInput);
    const scale = Math.max(...wanted.x!.map(Math.abs));
    gradInput.forEach((value, i) => expect(Math.abs(value - wanted.x![i]!)).toBeLessThan(4 * 2 ** -11 * scale));
    grads.gradWeight!.forEach((value, i) => expect(value).toBeCloseTo(wanted.weight![i]!, 3));
  });
});
