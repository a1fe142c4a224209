// The operator, and models with our layers' values, beside onnxruntime itself. The package is the one of the benchmarks'
// peers: exhaustive runs install it, others use it where it is installed.
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fromFloat16Bits, toFloat16Bits } from "../../src/index.js";
import { load, onnxBatchNormalization, save, type OnnxAttributes, type OnnxTensorLike } from "../../src/onnx.js";
import { packagesIn } from "../../scripts/tools/packages.js";
import { modelOf, type TypeName } from "../support/onnx-models.js";
import { normals } from "../support/reference.js";
import { isExhaustive } from "../support/sample.js";

const folder = new URL("../../bench/peers/packages/", import.meta.url);
const packages = packagesIn(folder);
if (isExhaustive) {
  const failure = packages.install("onnxruntime and the other peers, half a gigabyte", console.log);
  if (failure !== null) throw new Error(failure);
}
const isInstalled = existsSync(new URL("node_modules/onnxruntime-node/package.json", folder));

type Tensor = Required<OnnxTensorLike>;
type Tensors = Readonly<Record<string, Tensor>>;

/** What is used of onnxruntime's interface. */
interface Runtime {
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => Tensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{ run(feeds: Tensors): Promise<Tensors> }>;
  };
}

const NAMES = ["X", "scale", "B", "mean", "var"];
const OUTPUTS = ["Y", "a", "b", "c", "d"];
const SIZES: Readonly<Record<string, number>> = { float16: 2e-3, float32: 2e-6, float64: 2e-7 };

interface Case {
  readonly opset: number;
  /** The types of X, and of the others. */
  readonly types: readonly [x: TypeName, scale: TypeName, statistics: TypeName];
  readonly outputs: number;
  readonly attributes: OnnxAttributes;
  readonly dims: readonly number[];
  readonly sizes: readonly number[];
}

const DIMS = { dims: [3, 4, 5, 2], sizes: [4] };
const CASES: readonly Case[] = [
  ...[7, 8, 9, 13, 14, 15, 20].flatMap((opset) =>
    (["float16", "float32", "float64"] as const).map((type): Case => ({
      opset,
      types: [type, type, type],
      outputs: 1,
      attributes: { epsilon: 0.01 },
      ...DIMS,
    })),
  ),
  {
    opset: 7,
    types: ["float32", "float32", "float32"],
    outputs: 1,
    attributes: { spatial: 0 },
    dims: [3, 2, 2],
    sizes: [2, 2],
  },
  { opset: 9, types: ["float32", "float32", "float32"], outputs: 1, attributes: {}, dims: [5], sizes: [1] },
  { opset: 9, types: ["float32", "float32", "float32"], outputs: 1, attributes: {}, dims: [5, 3], sizes: [3] },
  ...[7, 9].map((opset): Case => ({
    opset,
    types: ["float32", "float32", "float32"],
    outputs: 5,
    attributes: { momentum: 0.7 },
    ...DIMS,
  })),
  ...[14, 15].flatMap((opset) =>
    (["float16", "float32", "float64"] as const).map((type): Case => ({
      ...{ opset, types: [type, type, type], outputs: 3 },
      ...{ attributes: { training_mode: 1, momentum: 0.25, epsilon: 0.001 }, ...DIMS },
    })),
  ),
  { opset: 15, types: ["float16", "float32", "float32"], outputs: 3, attributes: { training_mode: 1 }, ...DIMS },
];

const FLOATS = ["epsilon", "momentum"];

/** The attributes as the models' writer takes them. */
const written = (attributes: OnnxAttributes): Record<string, number> =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [FLOATS.includes(name) ? `f:${name}` : name, Number(value)]),
  );

function storedAs(type: TypeName, values: Float32Array): unknown {
  if (type === "float16") return toFloat16Bits(values);
  return type === "float64" ? Float64Array.from(values) : values;
}

const valuesOf = ({ type, data }: OnnxTensorLike): number[] => [
  ...(type === "float16" ? fromFloat16Bits(data as Uint16Array) : (data as Float32Array)),
];

const textOf = ({ opset, types, outputs, attributes, dims }: Case): string =>
  `opset ${opset}, ${types.join(" ")}, [${dims.join(", ")}], ${outputs} outputs, ${JSON.stringify(attributes)}`;

test.skipIf(!isInstalled).each(CASES.map((one) => [textOf(one), one] as const))("%s", async (_, one) => {
  const { opset, types, outputs, attributes, dims, sizes } = one;
  const runtime = packages.load<Runtime>("onnxruntime-node");
  const [x, scale, statistics] = types;
  const typeOf = (i: number): TypeName => (i === 0 ? x : i < 3 ? scale : statistics);
  const names = OUTPUTS.slice(0, outputs);
  const graph = {
    nodes: [{ op: "BatchNormalization", inputs: NAMES, outputs: names, attributes: written(attributes) }],
    inputs: NAMES.map((name, i) => [name, typeOf(i), i === 0 ? dims : sizes] as const),
    outputs: names.map((name, i) => [name, i === 0 ? x : statistics, i === 0 ? dims : sizes] as const),
  };
  const session = await runtime.InferenceSession.create(modelOf(graph, opset), { logSeverityLevel: 4 });
  const feeds = NAMES.map((_name, i) => {
    const own = i === 0 ? dims : sizes;
    const drawn = normals(
      "float32",
      own.reduce((a, b) => a * b),
      10 * opset + i,
    );
    return new runtime.Tensor(typeOf(i), storedAs(typeOf(i), i === 4 ? drawn.map((v) => v * v) : drawn), own);
  });
  const expected = await session.run(Object.fromEntries(NAMES.map((name, i) => [name, feeds[i]!])));
  // onnxruntime's own tensors go in.
  const inputs = feeds as unknown as readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
  const got = onnxBatchNormalization(opset, inputs, attributes, { outputs: outputs as 1 }) as readonly OnnxTensorLike[];
  expect(got.length).toBe(outputs);
  got.forEach((tensor, k) => {
    const theirs = expected[names[k]!]!;
    expect(tensor).toMatchObject({ type: theirs.type, dims: Array.from(theirs.dims) });
    // The documents call the fifth output a variance. onnxruntime returns 1/√(var + epsilon).
    const { epsilon = 1e-5 } = attributes;
    const values = valuesOf(tensor).map((value) => (k === 4 ? 1 / Math.sqrt(value + epsilon) : value));
    valuesOf(theirs).forEach((value, i) => {
      expect(Math.abs(values[i]! - value)).toBeLessThan(SIZES[x]! * Math.max(1, Math.abs(value)));
    });
    // And ours go back.
    expect(new runtime.Tensor(tensor.type!, tensor.data, tensor.dims as number[]).dims).toEqual(tensor.dims);
  });
});

test.skipIf(!isInstalled)("a saved model runs in onnxruntime with the new values", async () => {
  const runtime = packages.load<Runtime>("onnxruntime-node");
  const exported = new URL("../checkpoints/exported/", import.meta.url);
  const file = new Uint8Array(readFileSync(new URL("conv-bn-relu.onnx", exported)));
  const { x, shape, conv } = JSON.parse(readFileSync(new URL("values.jsonl", exported), "utf8")) as Record<
    string,
    number[]
  >;
  const bn = await load(file, "bn1.");
  bn.weight!.fill(0.75);
  bn.runningVar!.fill(2.5);
  const session = await runtime.InferenceSession.create(await save(file, { "bn1.": bn }), { logSeverityLevel: 4 });
  const results = await session.run({ "input.1": new runtime.Tensor("float32", Float32Array.from(x!), shape!) });
  const normalized = results["onnx::Relu_14"]!.data as Float32Array;
  const expected = bn.forward(Float32Array.from(conv!), [2, 4, 5, 5]);
  const worst = Math.max(...[...expected].map((value, i) => Math.abs(normalized[i]! - value)));
  expect(worst).toBeLessThan(1e-5);
});
