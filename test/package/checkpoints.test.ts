// The code of docs/checkpoints.md, run. In a context of its own: its arrays and objects are of another realm.
import { readFileSync, writeFileSync } from "node:fs";
import { open as openFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import * as fold from "../../src/fold.js";
import * as batchnorm from "../../src/index.js";
import * as json from "../../src/json.js";
import * as onnx from "../../src/onnx.js";
import * as safetensors from "../../src/safetensors.js";
import { modelOf, tensorProto } from "../support/onnx-models.js";
import { root, temporaryFolder } from "../support/package-copy.js";

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
const weights = { gamma: tensor(2), beta: tensor(3), moving_mean: tensor(4), moving_variance: tensor(5) };
`;

interface Page extends batchnorm.IncompatibleKeys {
  readonly bn: batchnorm.BatchNorm;
  readonly restored: batchnorm.BatchNorm;
  readonly first: batchnorm.BatchNorm;
  readonly keras: batchnorm.BatchNorm;
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
}

/** A file of two layers. */
function fileOfLayers(): string {
  const path = join(temporaryFolder(), "model.safetensors");
  const [first, second] = [new batchnorm.BatchNorm(64), new batchnorm.BatchNorm(65)];
  first.runningMean!.fill(2);
  writeFileSync(path, safetensors.save({ "bn1.": first, "bn2.": second }));
  return path;
}

/** A model of one node with 64 channels. */
function onnxModelOf(): Uint8Array {
  const inputs = ["x", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"];
  const initializers = inputs.slice(1).map((name, i) => tensorProto(name, new Float32Array(64).fill(i + 2)));
  return modelOf({ nodes: [{ op: "BatchNormalization", inputs, outputs: ["y"] }], initializers });
}

test("the code of docs/checkpoints.md does what the page says", async () => {
  const state = "bn, restored, first, keras, missingKeys, unexpectedKeys, forPython, bits, values";
  const names = `${state}, found, layers, bytes, mean, model2, exact, again, scale, shift, weight, bias, nodes, bn1, changed`;
  const path = fileOfLayers();
  const given = { openFile: (): Promise<FileHandle> => openFile(path), json, onnx, onnxModel: onnxModelOf() };
  const context = { ...batchnorm, ...fold, ...safetensors, ...given };
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
});

test("JSON text that is finite is a state for loadStateDict", () => {
  const layer = new batchnorm.BatchNorm(2, { dtype: "float64" });
  const again = new batchnorm.BatchNorm(2, { dtype: "float64" });
  layer.weight!.set([0.1, -0]);
  again.loadStateDict(JSON.parse(json.save({ "bn1.": layer })) as object, { prefix: "bn1." });
  expect(again.stateDict()).toEqual(layer.stateDict());
});
