// A network that PyTorch trained: with its convolutions in float64 and these layers, it gives PyTorch's outputs, whole and folded.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { foldIntoConv, foldIntoLinear } from "../../src/fold.js";
import type { BackendName, BatchNorm } from "../../src/index.js";
import * as pytorch from "../../src/pytorch.js";
import * as safetensors from "../../src/safetensors.js";
import { isAvailable } from "../support/backends.js";
import { root } from "../support/package-copy.js";

/** Written by scripts/torch/checkpoints.py, which has the network. */
const fileOf = (name: string): Uint8Array => readFileSync(join(root, "test", "checkpoints", "pytorch", name));
const FORMATS = [
  ["network.pt", pytorch],
  ["network.safetensors", safetensors],
] as const;

const BACKENDS: readonly BackendName[] = (
  ["native/avx512", "native/avx2", "native/sse2", "wasm", "oracle"] as const
).filter(isAvailable);
const [SAMPLES, SIDE] = [4, 8];
const AREA = SIDE * SIDE;
/** PyTorch computes in float32, and the largest output is 6.3. */
const BOUND = 4e-6;

interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** A convolution of 3×3 with padding, in float64 and rounded once. */
function convolve(x: Float32Array, weight: Tensor, bias: Float32Array | null, groups = 1): Float32Array {
  const [out, inner] = weight.shape as [number, number];
  const channels = inner * groups;
  const y = new Float32Array(SAMPLES * out * AREA);
  const at = (n: number, c: number, row: number, column: number): number =>
    row < 0 || column < 0 || row >= SIDE || column >= SIDE ? 0 : x[((n * channels + c) * SIDE + row) * SIDE + column]!;
  y.forEach((_, i) => {
    const [column, row, k] = [i % SIDE, Math.floor(i / SIDE) % SIDE, Math.floor(i / AREA) % out];
    const n = Math.floor(i / AREA / out);
    const first = Math.floor((k * groups) / out) * inner;
    let sum = bias?.[k] ?? 0;
    for (let c = 0; c < inner; c++)
      for (let tap = 0; tap < 9; tap++)
        sum +=
          weight.data[(k * inner + c) * 9 + tap]! *
          at(n, first + c, row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1);
    y[i] = sum;
  });
  return y;
}

/** The mean of each plane, and a linear layer. */
function classify(x: Float32Array, weight: Tensor, bias: Float32Array): Float32Array {
  const [out, inner] = weight.shape as [number, number];
  const means = Array.from(
    { length: SAMPLES * inner },
    (_, i) => x.subarray(i * AREA, (i + 1) * AREA).reduce((a, b) => a + b, 0) / AREA,
  );
  return Float32Array.from({ length: SAMPLES * out }, (_, i) => {
    const [n, k] = [Math.floor(i / out), i % out];
    return means
      .slice(n * inner, (n + 1) * inner)
      .reduce((sum, mean, c) => sum + mean * weight.data[k * inner + c]!, bias[k]!);
  });
}

const relu = (x: Float32Array): Float32Array => x.map((value) => Math.max(value, 0));
const furthest = (a: Float32Array, b: Float32Array): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

async function tensorsOf(file: pytorch.Checkpoint): Promise<(name: string) => Tensor> {
  const tensors = [...file.tensors.values()].filter(({ dtype }) => dtype === "float32");
  const read = tensors.map(
    async (tensor) => [tensor.name, { data: (await tensor.read()) as Float32Array, shape: tensor.shape }] as const,
  );
  const byName = new Map(await Promise.all(read));
  return (name) => byName.get(name)!;
}

describe.each(FORMATS)("%s", (name, format) => {
  test.each(BACKENDS)("on %s", async (backend) => {
    const file = await format.open(fileOf(name));
    const of = await tensorsOf(file);
    const layers = [
      await format.load<"float32">(file, "bn1.", { backend, activation: "relu" }),
      await format.load<"float32">(file, "bn2.", { backend, activation: "relu", eps: 1e-3 }),
      await format.load<"float32">(file, "bn3.", { backend }),
    ] as const;
    const planes = [SAMPLES, 8, SIDE, SIDE];
    const first = layers[0].forward(convolve(of("input").data, of("conv1.weight"), of("conv1.bias").data), planes);
    const second = layers[1].forward(convolve(first, of("conv2.weight"), null, 2), planes);
    const output = layers[2].forward(classify(second, of("fc.weight"), of("fc.bias").data), [SAMPLES, 5]);
    expect(layers.map((layer) => layer.backend)).toEqual([backend, backend, backend]);
    expect(furthest(output, of("output").data)).toBeLessThan(BOUND);
    expect(Math.max(...of("output").data.map(Math.abs))).toBeGreaterThan(3);
  });

  test("folded", async () => {
    const file = await format.open(fileOf(name));
    const of = await tensorsOf(file);
    const layers: BatchNorm<"float32">[] = [];
    for (const [prefix, eps] of [
      ["bn1.", 1e-5],
      ["bn2.", 1e-3],
      ["bn3.", 1e-5],
    ] as const)
      layers.push(await format.load<"float32">(file, prefix, { eps }));
    const one = foldIntoConv({ weight: of("conv1.weight"), bias: of("conv1.bias").data }, layers[0]!);
    const two = foldIntoConv({ weight: of("conv2.weight"), bias: null }, layers[1]!, { groups: 2 });
    const three = foldIntoLinear({ weight: of("fc.weight"), bias: of("fc.bias").data }, layers[2]!);
    const first = relu(convolve(of("input").data, one.weight, one.bias));
    const second = relu(convolve(first, two.weight, two.bias, 2));
    const output = classify(second, three.weight, three.bias);
    expect(furthest(output, of("output").data)).toBeLessThan(BOUND);
  });
});
