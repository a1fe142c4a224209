// The code of docs/coming-from.md runs, and does what the frameworks' formulas say.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import * as library from "../../src/index.js";
import { onnxBatchNormalization, type OnnxTensor } from "../../src/onnx.js";
import { root } from "../support/package-copy.js";
import { random } from "../../src/verify/data.js";

const page = readFileSync(join(root, "docs", "coming-from.md"), "utf8");
const blocks = [...page.matchAll(/```js\nimport .* from "batchnorm";\n([^]*?)```/g)].map(([, code]) => code!);

const next = random(9);
const values = (length: number, low = 0): Float32Array => Float32Array.from({ length }, () => low + next());
const [x, gradOutput] = [values(384), values(384)];
const [mean, variance, scale, offset] = [values(3), values(3, 1), values(3, 1), values(3)];
const given = { ...library, x, gradOutput, mean, variance, scale, offset };

function run(index: number, names: string): Record<string, unknown> {
  return runInNewContext(`${blocks[index]!}; ({ ${names} })`, { ...given }) as Record<string, unknown>;
}

const channel = (last: boolean) => (p: number) => (last ? p % 3 : Math.floor(p / 16) % 3);

/** Mean and biased variance of every channel of x. */
function statistics(last: boolean): { mean: number[]; variance: number[] } {
  const of = channel(last);
  const each = [0, 1, 2].map((c) => [...x].filter((_, p) => of(p) === c));
  const means = each.map((list) => list.reduce((a, b) => a + b) / list.length);
  const squares = each.map((list, c) => list.reduce((a, b) => a + (b - means[c]!) ** 2, 0) / list.length);
  return { mean: means, variance: squares };
}

function expectNormalized(y: unknown, last: boolean, eps: number): void {
  const { mean: means, variance: squares } = statistics(last);
  (y as Float32Array).forEach((value, p) => {
    const c = channel(last)(p);
    expect(value).toBeCloseTo((x[p]! - means[c]!) / Math.sqrt(squares[c]! + eps), 4);
  });
}

function expectInference(y: unknown, last: boolean, eps: number): void {
  (y as Float32Array).forEach((value, p) => {
    const c = channel(last)(p);
    const normalized = (x[p]! - mean[c]!) / Math.sqrt(variance[c]! + eps);
    expect(value).toBeCloseTo(normalized * scale[c]! + offset[c]!, 4);
  });
}

describe("docs/coming-from.md", () => {
  test("has a block for each framework", () => expect(blocks).toHaveLength(4));

  test("PyTorch: a step of training", () => {
    const { bn, y, gradInput } = run(0, "bn, y, gradInput") as {
      bn: library.BatchNorm;
      y: unknown;
      gradInput: unknown;
    };
    expectNormalized(y, false, 1e-5);
    expect(gradInput).toHaveLength(384);
    const sums = [0, 1, 2].map((c) => [...gradOutput].reduce((a, g, p) => (channel(false)(p) === c ? a + g : a), 0));
    sums.forEach((sum, c) => expect(bn.bias![c]).toBeCloseTo(-0.1 * sum, 3));
  });

  test("Keras: moving statistics by its formula, then inference", () => {
    const { bn, y, prediction } = run(1, "bn, y, prediction") as Record<string, unknown> & { bn: library.BatchNorm };
    expectNormalized(y, true, 1e-3);
    const own = statistics(true);
    own.mean.forEach((value, c) => expect(bn.runningMean![c]).toBeCloseTo(0.1 * value, 5));
    own.variance.forEach((value, c) => expect(bn.runningVar![c]).toBeCloseTo(0.9 + 0.1 * value, 5));
    expect(prediction).toHaveLength(384);
  });

  test("TensorFlow.js: tf.batchNorm", () => expectInference(run(2, "output")["output"], true, 1e-3));

  test("ONNX: inference on a tensor", () => {
    const { data, dims } = run(3, "data, dims");
    expect(dims).toEqual([8, 3, 4, 4]);
    expectInference(data, false, 1e-5);
  });

  test("ONNX: the operator", () => {
    const [, code] = /```js\nimport .* from "batchnorm\/onnx";\n([^]*?)```/.exec(page)!;
    const names = "inferred, Y, running_mean, running_var, y9, mean9, var9, saved_mean, saved_var, again";
    const vector = (data: Float32Array): object => ({ data, dims: [3] });
    class Tensor {
      constructor(
        readonly type: string,
        readonly data: Float32Array,
        readonly dims: number[],
      ) {}
    }
    const it = runInNewContext(`${code!}; ({ ${names} })`, {
      ...{ onnxBatchNormalization, ort: { Tensor }, tensor: { data: x, dims: [8, 3, 4, 4] } },
      ...{ scaleTensor: vector(scale), biasTensor: vector(offset) },
      ...{ meanTensor: vector(mean), varianceTensor: vector(variance) },
    }) as Record<string, OnnxTensor<Float32Array>>;
    expectInference(it.inferred!.data, false, 1e-5);
    expect(it.y9).toEqual(it.Y);
    expect([it.mean9, it.var9]).toEqual([it.running_mean, it.running_var]);
    const own = statistics(false);
    it.saved_mean!.data.forEach((value, c) => expect(value).toBeCloseTo(own.mean[c]!, 5));
    it.saved_var!.data.forEach((value, c) => expect(value).toBeCloseTo(own.variance[c]!, 5));
    it.running_var!.data.forEach((value, c) =>
      expect(value).toBeCloseTo(0.9 * variance[c]! + 0.1 * own.variance[c]!, 5),
    );
    expect({ ...it.again }).toEqual(it.Y);
  });
});
