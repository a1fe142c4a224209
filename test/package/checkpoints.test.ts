// The code of docs/checkpoints.md, run. In a context of its own: its arrays and objects are of another realm.
import { readFileSync, writeFileSync } from "node:fs";
import { open as openFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import * as fold from "../../src/fold.js";
import * as batchnorm from "../../src/index.js";
import * as json from "../../src/json.js";
import * as kerasFiles from "../../src/keras.js";
import * as onnx from "../../src/onnx.js";
import * as pytorch from "../../src/pytorch.js";
import * as safetensors from "../../src/safetensors.js";
import { installHdf5 } from "../checkpoints/hdf5-package.js";
import { externalProto, modelOf, tensorProto } from "../support/onnx-models.js";
import { temporaryFolder } from "../support/folders.js";
import { root } from "../support/package-copy.js";

const page = readFileSync(join(root, "docs", "checkpoints.md"), "utf8");
const code = [...page.matchAll(/```js\n([^]*?)```/g)]
  .map(([, block]) => block!.replace(/^import .*\n/gm, ""))
  .join("\n");

/** Names that the page uses and does not make. */
const GIVEN = `
const entries = { weight: 2, bias: 3, running_mean: 4, running_var: 5 };
const model = new Map(Object.entries(entries).map(([name, value]) => ["bn1." + name, new Array(64).fill(value)]));
const tensor = (value) => ({ data: new Float32Array(64).fill(value), shape: [64] });
const kernel = new Uint16Array(64 * 3 * 7 * 7).fill(0x3f80);
const filters = new Float32Array(64 * 3 * 7 * 7).fill(1);
const caffe = { batchNormBlobs: [[2, 4], [8, 18], [2]], scaleBlobs: [[1, 2], [3, 4]] };
const darknet = { scales: [1, 2], biases: [3, 4], rolling_mean: [1, 2], rolling_variance: [4, 1e-12] };
const mxnet = { attrs: {}, gamma: [5, 6], beta: [3, 4], moving_mean: [1, 2], moving_var: [4, 9] };
const weights = { gamma: tensor(2), beta: tensor(3), moving_mean: tensor(4), moving_variance: tensor(5) };
`;

interface Page extends batchnorm.IncompatibleKeys {
  readonly bn: batchnorm.BatchNorm;
  readonly restored: batchnorm.BatchNorm;
  readonly first: batchnorm.BatchNorm;
  readonly keras: batchnorm.BatchNorm;
  readonly stem: batchnorm.BatchNorm;
  readonly pt: Uint8Array;
  readonly inKeras: safetensors.FoundBatchNorm;
  readonly norm: batchnorm.BatchNorm;
  readonly h5: Uint8Array;
  readonly listed: batchnorm.BatchNorm;
  readonly noScale: batchnorm.BatchNorm;
  readonly lists: readonly Float32Array[];
  readonly fromCaffe: batchnorm.BatchNorm;
  readonly fromDarknet: batchnorm.BatchNorm<"float64">;
  readonly fromMxnet: batchnorm.BatchNorm;
  readonly forPython: string;
  readonly bits: Uint16Array;
  readonly values: Float32Array;
  readonly found: readonly safetensors.FoundBatchNorm[];
  readonly layers: readonly batchnorm.BatchNorm[];
  readonly bytes: Uint8Array;
  readonly mean: Float32Array;
  readonly model2: Uint8Array;
  readonly exact: string;
  readonly again: batchnorm.BatchNorm;
  readonly scale: Float64Array;
  readonly shift: Float64Array;
  readonly weight: batchnorm.ShapeTensor<"float32">;
  readonly bias: Float32Array;
  readonly nodes: readonly onnx.OnnxBatchNorm[];
  readonly bn1: batchnorm.BatchNorm;
  readonly changed: Uint8Array;
  readonly inLarge: batchnorm.BatchNorm;
  readonly inside: batchnorm.BatchNorm;
}

/** A file of two layers. */
function fileOfLayers(): string {
  const path = join(temporaryFolder(), "model.safetensors");
  const [first, second] = [new batchnorm.BatchNorm(64), new batchnorm.BatchNorm(65)];
  first.runningMean!.fill(2);
  writeFileSync(path, safetensors.save({ "bn1.": first, "bn2.": second }));
  return path;
}

const mlpNorm = new batchnorm.BatchNorm(8);
mlpNorm.weight!.forEach((_, i, table) => (table[i] = 1 + i / 8));
mlpNorm.bias!.forEach((_, i, table) => (table[i] = 0.5 - i / 8));
mlpNorm.runningMean!.fill(0.25);
mlpNorm.runningVar!.fill(2);
const MLP = {
  "0.weight": { data: Float32Array.from({ length: 32 }, (_, i) => (i % 7) - 3), shape: [8, 4] },
  "0.bias": Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1),
  "1.": mlpNorm,
  "3.weight": { data: Float32Array.from({ length: 24 }, (_, i) => (i % 5) - 2), shape: [3, 8] },
  "3.bias": Float32Array.of(1, 2, 3),
};
const mlpFile = (): Promise<Uint8Array> => Promise.resolve(pytorch.save(MLP));

/** What the network gives for the page's input, with the batch normalization as a layer. */
function mlpOutputs(): readonly number[] {
  const linear = (data: Float32Array, bias: Float32Array, x: readonly number[]): number[] =>
    Array.from(bias, (b, i) => x.reduce((sum, value, j) => sum + value * data[i * x.length + j]!, b));
  const hidden = Float32Array.from(linear(MLP["0.weight"].data, MLP["0.bias"], [0.1, 0.2, 0.3, 0.4]));
  const normalized = mlpNorm.clone().eval().forward(hidden, [1, 8]);
  return linear(
    MLP["3.weight"].data,
    MLP["3.bias"],
    Array.from(normalized, (value) => Math.max(value, 0)),
  );
}

/** A model of one node with 64 channels. */
function onnxModelOf(): Uint8Array {
  const inputs = ["x", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"];
  const initializers = inputs.slice(1).map((name, i) => tensorProto(name, new Float32Array(64).fill(i + 2)));
  return modelOf({ nodes: [{ op: "BatchNormalization", inputs, outputs: ["y"] }], initializers });
}

/** The same with its tables in a file beside it. */
function largeModelOf(): readonly [model: Uint8Array, file: Uint8Array] {
  const inputs = ["x", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"];
  const initializers = inputs
    .slice(1)
    .map((name, i) => externalProto(name, [64], { location: "model.onnx.data", offset: 256 * i, length: 256 }));
  const values = Float32Array.from({ length: 256 }, (_, i) => 2 + Math.floor(i / 64));
  const model = modelOf({ nodes: [{ op: "BatchNormalization", inputs, outputs: ["y"] }], initializers });
  return [model, new Uint8Array(values.buffer)];
}

test("the code of docs/checkpoints.md does what the page says", async () => {
  const state = "bn, restored, first, keras, missingKeys, unexpectedKeys, forPython, bits, values";
  const files = "stem, pt, inKeras, norm, h5, listed, noScale, lists, fromCaffe, fromDarknet, fromMxnet";
  const names = `${state}, ${files}, found, layers, bytes, mean, model2, exact, again, scale, shift, weight, bias, nodes, bn1, changed, inLarge, inside`;
  expect(installHdf5()).toBeNull();
  const path = fileOfLayers();
  const folder = join(root, "test", "checkpoints");
  const paths: Readonly<Record<string, string>> = {
    "model.safetensors": path,
    "model.pt": join(folder, "pytorch", "resnet.pt"),
    "model.keras": join(folder, "keras", "model.keras"),
  };
  const given = { openFile: (name: string): Promise<FileHandle> => openFile(paths[name]!), json, pytorch, kerasFiles };
  const [largeModel, dataFile] = largeModelOf();
  const printed: unknown[] = [];
  const reader = { readFile: () => mlpFile(), console: { log: (...values: unknown[]) => printed.push(...values) } };
  const models = { onnx, onnxModel: onnxModelOf(), largeModel, dataFile, files: { "model.onnx.data": dataFile } };
  const { fromWeights, toWeights } = kerasFiles;
  const context = { ...batchnorm, ...fold, ...safetensors, ...given, ...models, ...reader, fromWeights, toWeights };
  const it = await (runInNewContext(
    `(async () => { ${GIVEN}${code}; return { ${names} }; })()`,
    context,
  ) as Promise<Page>);
  const filled = (value: number): Float32Array => new Float32Array(64).fill(value);
  const expected = { weight: filled(2), bias: filled(3), running_mean: filled(4), running_var: filled(5) };
  expect(it.restored.stateDict()).toEqual(it.bn.stateDict());
  for (const layer of [it.first, it.keras]) expect(layer.stateDict()).toEqual({ ...expected, num_batches_tracked: 0 });
  expect([it.missingKeys, it.unexpectedKeys]).toEqual([
    ["bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var"],
    [],
  ]);
  expect(JSON.parse(String(it.forPython))).toMatchObject({
    running_var: new Array(64).fill(1),
    num_batches_tracked: 0,
  });
  expect(it.bits).toEqual(Uint16Array.of(0x3f80, 0x3dcd));
  expect(it.values).toEqual(Float32Array.of(1, 0.10009765625));

  const dtype = "float32";
  expect(it.found).toEqual([
    { prefix: "bn1.", channels: 64, dtype, missing: [] },
    { prefix: "bn2.", channels: 65, dtype, missing: [] },
  ]);
  expect(Buffer.from(it.bytes).equals(readFileSync(path))).toBe(true);
  expect(it.mean).toEqual(filled(2));
  expect((await safetensors.open(it.model2)).tensors.get("conv1.weight")!.dtype).toBe("bfloat16");
  expect(it.again.stateDict()).toEqual(it.layers[0]!.stateDict());
  const scale = 1 / Math.sqrt(1 + 1e-5);
  expect(it.scale).toEqual(new Float64Array(64).fill(scale));
  expect(it.shift).toEqual(new Float64Array(64).fill(-2 * scale));
  expect(it.weight).toEqual({ data: new Float32Array(64 * 147).fill(scale), shape: [64, 3, 7, 7] });
  expect(it.bias).toEqual(filled(-2 * scale));
  expect(it.nodes).toMatchObject([{ prefix: "bn1.", channels: 64, epsilon: 1e-5 }]);
  expect(it.bn1.stateDict()).toEqual({ ...expected, num_batches_tracked: 0 });
  expect(it.changed).toEqual(onnxModelOf());
  for (const layer of [it.inLarge, it.inside]) expect(layer.stateDict()).toEqual(it.bn1.stateDict());
  await checkFiles(it);
  checkConversions(it);
  const [inFile, inMlp, predicted] = printed as [string[], safetensors.FoundBatchNorm[], number[]];
  expect(inFile).toEqual([
    "0.weight",
    "0.bias",
    ...Object.keys(mlpNorm.stateDict()).map((name) => `1.${name}`),
    "3.weight",
    "3.bias",
  ]);
  expect(inMlp).toMatchObject([{ prefix: "1.", channels: 8 }]);
  mlpOutputs().forEach((value, i) => expect(predicted[i]).toBeCloseTo(value, 5));
});

/** What a layer makes of one sample. */
const outputOf = (layer: batchnorm.BatchNorm<"float32" | "float64">, x: Float32Array | Float64Array): number[] =>
  Array.from(layer.eval().forward(x as Float32Array, [1, 2]));

async function checkFiles(it: Page): Promise<void> {
  expect(it.stem.numFeatures).toBe(2);
  expect((await pytorch.load(it.pt, "bn1.")).stateDict()).toEqual(it.stem.stateDict());
  expect(it.inKeras).toMatchObject({ prefix: "layers/batch_normalization/", channels: 2 });
  expect((await kerasFiles.load(it.h5, it.inKeras.prefix)).stateDict()).toEqual(it.norm.stateDict());
  expect(it.listed.stateDict()).toEqual({ ...it.keras.stateDict(), num_batches_tracked: 0 });
  expect(it.noScale.weight).toBeNull();
  expect(it.lists).toHaveLength(4);
}

/** By the formulas of each program. */
function checkConversions({ fromCaffe, fromDarknet, fromMxnet }: Page): void {
  const x = Float32Array.of(5, 7);
  const caffe = [(5 - 1) / Math.sqrt(4 + 1e-5) + 3, (2 * (7 - 2)) / Math.sqrt(9 + 1e-5) + 4];
  outputOf(fromCaffe, x).forEach((y, c) => expect(y).toBeCloseTo(caffe[c]!, 5));
  const darknet = [(5 - 1) / (Math.sqrt(4) + 1e-6) + 3, (2 * (7 - 2)) / (Math.sqrt(1e-12) + 1e-6) + 4];
  outputOf(fromDarknet, Float64Array.from(x)).forEach((y, c) => expect(y / darknet[c]!).toBeCloseTo(1, 12));
  const mxnet = [(5 - 1) / Math.sqrt(4 + 1e-3) + 3, (7 - 2) / Math.sqrt(9 + 1e-3) + 4];
  outputOf(fromMxnet, x).forEach((y, c) => expect(y).toBeCloseTo(mxnet[c]!, 5));
}

test("JSON text that is finite is a state for loadStateDict", () => {
  const layer = new batchnorm.BatchNorm(2, { dtype: "float64" });
  const again = new batchnorm.BatchNorm(2, { dtype: "float64" });
  layer.weight!.set([0.1, -0]);
  again.loadStateDict(JSON.parse(json.save({ "bn1.": layer })) as object, { prefix: "bn1." });
  expect(again.stateDict()).toEqual(layer.stateDict());
});
