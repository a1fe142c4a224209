// Conditional batch normalization: γ and β of each sample, as the textbook has it, and as plain batch normalization where all
// rows are alike.
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import {
  batchNormBackward,
  batchNormInference,
  fromBfloat16Bits,
  fromFloat16Bits,
  type BackendRequest,
} from "../../src/index.js";
import type { Data, DType } from "../../src/base/types.js";
import { backendsUnderTest } from "../support/backends.js";
import {
  as,
  expectNear,
  floats,
  inputsOf,
  layerOf,
  optionsOf,
  pass,
  problems,
  shapeOf,
  tables,
  textbook,
  values,
} from "../support/conditional.js";
import type { Loose } from "../support/rejected.js";

describe("as the textbook has it", () => {
  test("outputs, and gradients by finite differences", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const inputs = inputsOf(problem);
        const layer = layerOf(problem, inputs);
        const shape = shapeOf(problem);
        // r and d of a renormalization are constants of the batch.
        const constants = ((): { r: number[]; d: number[] } | null => {
          if (problem.mode !== "renorm") return null;
          (layer.forward as Loose).call(layer, inputs.x, shape, {
            ...optionsOf(problem, inputs),
            updateRunningStats: false,
          });
          const { r, d } = layer.saved!.renorm!;
          return { r: [...r], d: [...d] };
        })();
        const [gamma, beta] = tables(problem, inputs);
        const got = pass(layer, shape, inputs.x, inputs.dy, optionsOf(problem, inputs));
        expectNear(got.y, textbook(problem, inputs, inputs.x, gamma, beta, constants), 1e-9);

        const loss = (...[x, g, b]: [Float64Array, typeof gamma, typeof beta]): number =>
          textbook(problem, inputs, x, g, b, constants).reduce((sum, y, at) => sum + y * inputs.dy[at]!, 0);
        const step = 1e-6;
        const near = (gradient: number, move: (by: number) => number): void => {
          const difference = (move(step) - move(-step)) / (2 * step);
          // A value within the step of ReLU's corner has another slope on its other side: none of these seeds has one.
          expect(Math.abs(gradient - difference)).toBeLessThan(2e-4 * (1 + Math.abs(difference)));
        };
        const spots = [0, inputs.x.length - 1, Math.floor(inputs.x.length / 2)];
        for (const at of spots)
          near(got.gradInput[at]!, (by) => {
            const x = inputs.x.slice();
            x[at]! += by;
            return loss(x, gamma, beta);
          });
        const { samples, channels, given } = problem;
        for (const [n, c] of [
          [0, 0],
          [samples - 1, channels - 1],
        ] as const) {
          const moved =
            (table: typeof gamma, isShared: boolean, by: number): typeof gamma =>
            (m, k) =>
              table(m, k) + (k === c && (isShared || m === n) ? by : 0);
          const ofWeight = got.gradWeight![given === "bias" ? c : n * channels + c]!;
          near(ofWeight, (by) => loss(inputs.x, moved(gamma, given === "bias", by), beta));
          const ofBias = got.gradBias![given === "weight" ? c : n * channels + c]!;
          near(ofBias, (by) => loss(inputs.x, gamma, moved(beta, given === "weight", by)));
        }
        expect(got.gradWeight).toHaveLength(given === "bias" ? channels : samples * channels);
        expect(got.gradBias).toHaveLength(given === "weight" ? channels : samples * channels);
      }),
      { seed: 3, numRuns: 150 },
    );
  });
});

/** The values of data of any type. */
const widened = (dtype: DType, data: Data): Float64Array =>
  Float64Array.from(
    data instanceof Uint16Array ? (dtype === "float16" ? fromFloat16Bits : fromBfloat16Bits)(data) : data,
  );

/** The same row for every sample. */
const repeated = (row: Float64Array, samples: number): Float64Array =>
  Float64Array.from({ length: row.length * samples }, (_, i) => row[i % row.length]!);

const usable = backendsUnderTest.filter(({ kernels }) => kernels);

describe.each(usable.map(({ name, has16Bit }) => [name, has16Bit] as const))("%s", (backend, has16Bit) => {
  const dtypes = has16Bit
    ? (["float32", "float64", "float16", "bfloat16"] as const)
    : (["float32", "float64"] as const);

  test("rows that are alike give the output of plain batch normalization, bit for bit", () => {
    fc.assert(
      fc.property(
        problems,
        fc.constantFrom(...dtypes),
        fc.constantFrom({}, { virtualBatchSize: 3 }),
        (problem, dtype, cut) => {
          const inputs = inputsOf(problem);
          const { samples, own } = { ...problem, ...inputs };
          const same = { ...inputs, weight: repeated(own.weight, samples), bias: repeated(own.bias, samples) };
          const [given, plain] = [0, 1].map(() =>
            layerOf(problem, inputs, { dtype, backend: backend as "oracle", ...cut }),
          );
          const [x, dy] = [as(dtype, inputs.x), as(dtype, inputs.dy)];
          const options = { ...optionsOf(problem, same, dtype), weight: undefined, bias: undefined };
          const one = pass(given!, shapeOf(problem), x, dy, optionsOf(problem, same, dtype));
          const other = pass(plain!, shapeOf(problem), x, dy, options);
          expect(one.y).toEqual(other.y);
          expect(one.gradResidual).toEqual(other.gradResidual);
          expect(given!.stateDict()).toEqual(plain!.stateDict());
          if (problem.given === "both" && dtype === "float64") {
            expectNear(one.gradInput, other.gradInput, 1e-9);
            for (const name of ["gradWeight", "gradBias"] as const) {
              const sums = new Float64Array(problem.channels);
              one[name]!.forEach((value, i) => (sums[i % problem.channels]! += value));
              expectNear(sums, other[name]!, 1e-9);
            }
          }
        },
      ),
      { seed: 5, numRuns: 60 },
    );
  });

  test("gradInput is that of a layer without γ for h = γ·g, bit for bit", () => {
    fc.assert(
      fc.property(problems, fc.constantFrom(...dtypes), (given, dtype) => {
        const problem = { ...given, given: "weight", activation: "none", mode: "training", residual: false } as const;
        const inputs = inputsOf(problem);
        const { channels, rest, samples } = problem;
        const [x, dy] = [as(dtype, inputs.x), as(dtype, inputs.dy)];
        const options = optionsOf(problem, inputs, dtype);
        const one = pass(
          layerOf(problem, inputs, { dtype, backend: backend as "oracle" }),
          shapeOf(problem),
          x,
          dy,
          options,
        );
        const wide = widened(dtype, dy);
        const gamma = floats(dtype, inputs.weight);
        const products = wide.map((g, at) => {
          const [n, within] = [Math.floor(at / (channels * rest)), at % (channels * rest)];
          return g * gamma[n * channels + (problem.last ? within % channels : Math.floor(within / rest))]!;
        });
        const plain = layerOf(problem, inputs, { dtype, backend: backend as "oracle", affine: false });
        const other = pass(plain, shapeOf(problem), x, as(dtype, products), { ...options, weight: undefined });
        expect(one.gradInput).toEqual(other.gradInput);
        expect(one.gradWeight).toHaveLength(samples * channels);
      }),
      { seed: 9, numRuns: 60 },
    );
  });

  test("the oracle's bits, forward and backward", () => {
    fc.assert(
      fc.property(
        problems,
        fc.constantFrom(...dtypes),
        fc.constantFrom({}, { virtualBatchSize: 2 }),
        (problem, dtype, cut) => {
          const inputs = inputsOf(problem);
          const results = [backend, "oracle"].map((name) => {
            const layer = layerOf(problem, inputs, { dtype, backend: name as "oracle", ...cut });
            const [x, dy] = [as(dtype, inputs.x), as(dtype, inputs.dy)];
            return [pass(layer, shapeOf(problem), x, dy, optionsOf(problem, inputs, dtype)), layer.stateDict()];
          });
          expect(results[0]).toEqual(results[1]);
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });
});

test("float32 and 16-bit gradients are those of float64, up to their rounding", () => {
  fc.assert(
    fc.property(problems, fc.constantFrom("float32" as const, "float16" as const), (given, dtype) => {
      const problem = { ...given, activation: "none" as const, mode: "training" as const };
      const inputs = inputsOf(problem);
      const widen = (data: Data): Float64Array => widened(dtype, data);
      const exact = { ...inputs, x: widen(as(dtype, inputs.x)), dy: widen(as(dtype, inputs.dy)) };
      const [one, other] = [
        pass(
          layerOf(problem, inputs, { dtype }),
          shapeOf(problem),
          as(dtype, inputs.x),
          as(dtype, inputs.dy),
          optionsOf(problem, inputs, dtype),
        ),
        pass(layerOf(problem, exact), shapeOf(problem), exact.x, exact.dy, optionsOf(problem, exact)),
      ];
      // Of few values that are alike, 1/√(σ² + ε) is large, and so is the error.
      const scale = Math.max(1, ...(other.gradInput as Float64Array).map(Math.abs), ...other.gradWeight!.map(Math.abs));
      const most = (dtype === "float16" ? 2 ** -8 : 2 ** -19) * scale * 8;
      (other.gradInput as Float64Array).forEach((value, at) =>
        expect(Math.abs(widen(one.gradInput as Data)[at]! - value)).toBeLessThan(most),
      );
      for (const name of ["gradWeight", "gradBias"] as const)
        other[name]!.forEach((value, at) => expect(Math.abs(one[name]![at]! - value)).toBeLessThan(most));
    }),
    { seed: 8, numRuns: 60 },
  );
});

describe.each(backendsUnderTest.filter(({ kernels }) => kernels).map(({ name }) => name))("%s", (backend) => {
  test.each([
    [5, 3, 17],
    [4, 6, 1],
    [3, 20, 5],
    [2, 3, 2500],
    // Without a control block of all samples: it would be larger than the tensor.
    [9, 600, 2],
  ])("%i samples of %i channels of %i values have the bits of each sample alone", (samples, channels, rest) => {
    const each = channels * rest;
    const f32 = (length: number): Float32Array => Float32Array.from(values(length));
    const [x, dy, residual] = [f32(samples * each), f32(samples * each), f32(samples * each)];
    const [weight, bias] = [f32(samples * channels), f32(samples * channels)];
    const running = { runningMean: f32(channels), runningVar: f32(channels).map((v) => Math.abs(v) + 0.5) };
    for (const activation of ["none", "relu", "hard-swish"] as const) {
      const options = { ...running, activation, backend: backend as BackendRequest, save: true as const };
      const whole = batchNormInference(x, [samples, channels, rest], { ...options, weight, bias, residual });
      const gradients = batchNormBackward(dy, whole.saved, { backend: backend as BackendRequest });
      for (let n = 0; n < samples; n++) {
        const of = (data: Float32Array, length = each): Float32Array => data.slice(n * length, (n + 1) * length);
        const one = batchNormInference(of(x), [1, channels, rest], {
          ...options,
          weight: of(weight, channels),
          bias: of(bias, channels),
          residual: of(residual),
        });
        const alone = batchNormBackward(of(dy), one.saved, { backend: backend as BackendRequest });
        expect(of(whole.output)).toEqual(one.output);
        expect(of(gradients.gradWeight!, channels)).toEqual(alone.gradWeight);
        expect(of(gradients.gradBias!, channels)).toEqual(alone.gradBias);
        expect(of(gradients.gradResidual!)).toEqual(alone.gradResidual);
      }
    }
  });
});
