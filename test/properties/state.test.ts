// What a layer remembers - running statistics, copies of itself, tokens - on problems that fast-check draws.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BatchNorm, batchNormInference, type FloatType as DType, type Gradients } from "../../src/index.js";
import { allocate, type Floats as Data } from "../../src/base/types.js";
import { batches, bitsOf, dataOf, holds, parametersOf, problemOf, type Batch } from "../support/arbitraries.js";
import { expectClose, solve, tokenOf } from "../support/reference.js";

/** A layer with parameters of its own and a history of some batches. */
function trained(batch: Batch, options: { momentum: number | null; steps: number }): BatchNorm<DType> {
  const layer = new BatchNorm<DType>(batch.shape[1], { dtype: batch.dtype, momentum: options.momentum, eps: 1e-3 });
  layer.weight!.set(parametersOf(batch, 5));
  layer.bias!.set(parametersOf(batch, 6));
  for (let step = 0; step < options.steps; step++) layer.forward(dataOf(batch, 10 + step), batch.shape);
  return layer;
}
const histories = fc.record({
  momentum: fc.oneof(fc.constant(null), fc.double({ min: 0, max: 1, noNaN: true })),
  steps: fc.integer({ min: 0, max: 3 }),
});
const state = (layer: BatchNorm<DType>): unknown =>
  Object.entries(layer.stateDict() as Record<string, Data | number>).map(([key, value]) => [
    key,
    typeof value === "number" ? value : bitsOf(value),
  ]);

describe("training, then eval", () => {
  test("momentum 1: eval is inference with the batch's mean and unbiased variance", () => {
    holds(batches, (batch) => {
      const x = dataOf(batch);
      const layer = trained(batch, { momentum: 1, steps: 2 });
      layer.forward(x, batch.shape);
      const problem = problemOf(batch, x, x);
      const { mean, unbiased } = solve(problem);
      const rounded = (values: Data): Data => allocate(batch.dtype, values.length).map((_, c) => values[c]!);
      const { y, scale } = solve({ ...problem, fixed: { mean: rounded(mean), variance: rounded(unbiased) } });
      expectClose("eval", batch.dtype, layer.eval().forward(x, batch.shape), y, scale.y);
    });
  });

  test("eval, frozen and the stateless inference agree bit for bit, and move nothing", () => {
    holds(fc.tuple(batches, histories), ([batch, history]) => {
      const layer = trained(batch, history);
      const before = state(layer);
      const x = dataOf(batch, 2);
      const y = layer.eval().forward(x, batch.shape);
      const { weight, bias, runningMean, runningVar } = layer;
      const options = { weight, bias, runningMean: runningMean!, runningVar: runningVar!, eps: 1e-3 };
      expect(bitsOf(batchNormInference<Data>(x, batch.shape, options).output)).toEqual(bitsOf(y));
      layer.train().frozen = true;
      expect(bitsOf(layer.forward(x, batch.shape))).toEqual(bitsOf(y));
      expect(state(layer)).toEqual(before);
    });
  });
});

describe("round trips", () => {
  test("a clone and a loaded state dict go on as the original, bit for bit, and share nothing with it", () => {
    holds(fc.tuple(batches, histories, fc.boolean()), ([batch, history, training]) => {
      const layer = trained(batch, history);
      layer.training = training;
      const loaded = trained(batch, { ...history, steps: 0 });
      loaded.loadStateDict(structuredClone(layer.stateDict()));
      loaded.training = training;
      const copies = [layer.clone(), loaded];
      const kept = state(layer);
      const x = dataOf(batch, 3);
      const dy = dataOf(batch, 4);
      const run = (one: BatchNorm<DType>): unknown => {
        const y = one.forward(x, batch.shape, { save: true });
        const { gradInput, gradWeight, gradBias } = one.backward(dy);
        return [...[y, gradInput, gradWeight!, gradBias!].map(bitsOf), state(one)];
      };
      const results = copies.map(run);
      expect(state(layer)).toEqual(kept);
      const expected = run(layer);
      for (const result of results) expect(result).toEqual(expected);
    });
  });
});

test("tokens of several forwards serve their backwards in any order", () => {
  const orders = fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 });
  holds(
    fc.tuple(batches, orders, fc.boolean()),
    ([batch, order, sent]) => {
      const layer = trained(batch, { momentum: 0.1, steps: 0 });
      const tokens = order.map((_, i) => {
        // Parameters change between forwards, as an optimizer's steps do: a token keeps its own.
        layer.weight![0] = i + 1;
        layer.forward(dataOf(batch, i), batch.shape);
        const token = tokenOf(layer.saved);
        return sent ? structuredClone(token) : token;
      });
      const bits = ({ gradInput, gradWeight, gradBias }: Gradients<DType>): string[] =>
        [gradInput, gradWeight!, gradBias!].map(bitsOf);
      const results = new Map(
        order.map((i) => [i, bits(layer.backward(dataOf(batch, 20 + i), { saved: tokens[i]! }))]),
      );
      for (const i of order) {
        const alone = trained(batch, { momentum: 0.1, steps: 0 });
        alone.weight![0] = i + 1;
        alone.forward(dataOf(batch, i), batch.shape);
        expect(results.get(i)).toEqual(bits(alone.backward(dataOf(batch, 20 + i))));
      }
    },
    60,
  );
});
