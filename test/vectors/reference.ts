// The same steps in float64 by the textbook: what decides where PyTorch and the library differ.
import type { Floats as Data } from "../../src/base/types.js";
import { gradientsOf, positions, statistics } from "../support/textbook.js";
import { inputsOf, sizesOf, stateOf, type Results, type TorchCase } from "./cases.js";

interface Normalizer {
  readonly mean: number;
  readonly variance: number;
}

function elements(test: TorchCase, step: number, of: (c: number) => Normalizer, frozen: boolean): Results {
  const sizes = sizesOf(test);
  const { x, dy } = inputsOf(test, step);
  const { weight, bias } = stateOf(test);
  const table = (): Float64Array => new Float64Array(sizes.channels);
  const results = { y: new Float64Array(x.length), dx: new Float64Array(x.length), dweight: table(), dbias: table() };
  for (let c = 0; c < sizes.channels; c++) {
    const at = positions(sizes, c);
    const { mean, variance } = of(c);
    const r = 1 / Math.sqrt(variance + test.eps);
    const gamma = test.weight ? weight[c]! : 1;
    const { dweight, dbias, dx } = gradientsOf(x, dy, at, mean, r, gamma, frozen);
    results.dweight[c] = dweight;
    results.dbias[c] = dbias;
    at.forEach((p, i) => {
      results.y[p] = (x[p]! - mean) * r * gamma + (test.bias ? bias[c]! : 0);
      results.dx[p] = dx[i]!;
    });
  }
  return results;
}

function batchOf(test: TorchCase, x: Data, c: number): { mean: number; variance: number; unbiased: number } {
  const at = positions(sizesOf(test), c);
  const { mean, m2 } = statistics(x, at);
  return { mean, variance: m2 / at.length, unbiased: m2 / (at.length - 1) };
}

/**
 * Every training step, then the inference, from the running statistics `inference` (or the batch's own):
 * stored in the data's type they are an input of it, and their rounding is nobody's error there.
 */
export function referenceOf(test: TorchCase, inference: { mean: Data; variance: Data } | null): Results[] {
  const runningMean = Float64Array.from(stateOf(test).runningMean);
  const runningVar = Float64Array.from(stateOf(test).runningVar);
  const results: Results[] = [];
  for (let step = 0; step < test.steps; step++) {
    const { x } = inputsOf(test, step);
    const momentum = test.momentum ?? 1 / (step + 1);
    runningMean.forEach((_, c) => {
      const { mean, unbiased } = batchOf(test, x, c);
      runningMean[c] = (1 - momentum) * runningMean[c]! + momentum * mean;
      runningVar[c] = (1 - momentum) * runningVar[c]! + momentum * unbiased;
    });
    const running = { runningMean: runningMean.slice(), runningVar: runningVar.slice() };
    results.push({ ...elements(test, step, (c) => batchOf(test, x, c), false), ...running });
  }
  const { x } = inputsOf(test, test.steps);
  const given = (c: number): Normalizer => ({ mean: inference!.mean[c]!, variance: inference!.variance[c]! });
  results.push(elements(test, test.steps, inference ? given : (c) => batchOf(test, x, c), inference !== null));
  return results;
}
