// The code of docs/recipes.md against textbook float64: instance, group and layer normalization.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { batchNormBackward, batchNormInference, batchNormTraining, type FloatType as DType } from "../../src/index.js";
import { allocate, type Floats as Data } from "../../src/base/types.js";
import { root } from "../support/package-copy.js";
import { expectClose, normals, parameters } from "../support/reference.js";
import { statistics } from "../support/textbook.js";

interface Normalized {
  readonly output: Data;
  backward(gradOutput: Data): { gradInput: Data; gradWeight: Data; gradBias: Data };
}
interface Recipes {
  instanceNorm(x: Data, shape: readonly number[], weight: Data, bias: Data): Normalized;
  groupNorm(x: Data, shape: readonly number[], groups: number, weight: Data, bias: Data): Normalized;
  layerNorm(x: Data, shape: readonly number[], weight: Data, bias: Data): Normalized;
}

const page = readFileSync(join(root, "docs", "recipes.md"), "utf8");
const [, code] = /```js\nimport .* from "batchnorm";\n([^]*?)```/.exec(page)!;
const recipes = runInNewContext(`${code}; ({ instanceNorm, groupNorm, layerNorm })`, {
  batchNormBackward,
  batchNormInference,
  batchNormTraining,
}) as Recipes;

interface Example {
  readonly name: string;
  readonly size: number;
  readonly parameters: number;
  /** Which statistics and which γ and β the value at a position has. */
  readonly groupOf: (p: number) => number;
  readonly parameterOf: (p: number) => number;
  readonly run: (x: Data, weight: Data, bias: Data) => Normalized;
}

// [3, 6, 4, 5]: 20 values a plane, 120 a sample; three groups of two channels.
const planes = { size: 360, parameters: 6, parameterOf: (p: number) => Math.floor(p / 20) % 6 };
const EXAMPLES: readonly Example[] = [
  {
    ...planes,
    name: "instance normalization",
    groupOf: (p) => Math.floor(p / 20),
    run: (x, weight, bias) => recipes.instanceNorm(x, [3, 6, 4, 5], weight, bias),
  },
  {
    ...planes,
    name: "group normalization",
    groupOf: (p) => Math.floor(p / 40),
    run: (x, weight, bias) => recipes.groupNorm(x, [3, 6, 4, 5], 3, weight, bias),
  },
  {
    name: "layer normalization",
    size: 7 * 33,
    parameters: 33,
    groupOf: (p) => Math.floor(p / 33),
    parameterOf: (p) => p % 33,
    run: (x, weight, bias) => recipes.layerNorm(x, [7, 33], weight, bias),
  },
];

interface Expected {
  readonly output: Float64Array;
  readonly gradInput: Float64Array;
  readonly gradWeight: Float64Array;
  readonly gradBias: Float64Array;
}

/** By the definition: x̂ from each group's mean and biased variance; dx = r·(g − mean(g) − x̂·mean(g·x̂)), g = dy·γ. */
function textbook(
  { size, groupOf, parameterOf, ...rest }: Example,
  x: Data,
  dy: Data,
  weight: Data,
  bias: Data,
): Expected {
  const result: Expected = {
    output: new Float64Array(size),
    gradInput: new Float64Array(size),
    gradWeight: new Float64Array(rest.parameters),
    gradBias: new Float64Array(rest.parameters),
  };
  const all = Array.from({ length: size }, (_, p) => p);
  for (const group of new Set(all.map(groupOf))) {
    const at = all.filter((p) => groupOf(p) === group);
    const { mean, m2 } = statistics(x, at);
    const r = 1 / Math.sqrt(m2 / at.length + 1e-5);
    const xhat = (p: number): number => (x[p]! - mean) * r;
    const g = (p: number): number => dy[p]! * weight[parameterOf(p)]!;
    const meanG = at.reduce((sum, p) => sum + g(p), 0) / at.length;
    const meanGX = at.reduce((sum, p) => sum + g(p) * xhat(p), 0) / at.length;
    for (const p of at) {
      const c = parameterOf(p);
      result.output[p] = xhat(p) * weight[c]! + bias[c]!;
      result.gradInput[p] = r * (g(p) - meanG - xhat(p) * meanGX);
      result.gradWeight[c]! += dy[p]! * xhat(p);
      result.gradBias[c]! += dy[p]!;
    }
  }
  return result;
}

describe.each(EXAMPLES)("$name", (example) => {
  test.each<DType>(["float32", "float64"])("%s", (dtype) => {
    const x = normals(dtype, example.size, 1);
    const dy = normals(dtype, example.size, 2);
    const weight = parameters(dtype, example.parameters, 0.5);
    const bias = parameters(dtype, example.parameters, -1);
    const expected = textbook(example, x, dy, weight, bias);
    const normalized = example.run(x, weight, bias);
    const got = { output: normalized.output, ...normalized.backward(dy) };
    for (const [name, values] of Object.entries(expected) as [keyof Expected, Float64Array][]) {
      // Sums of up to 60 terms; the terms are no larger than the largest result.
      const largest = Math.max(...values.map(Math.abs));
      expectClose(name, dtype, got[name], values, allocate("float64", values.length).fill(largest));
    }
    expect(got.gradInput).not.toBe(dy);
  });
});
