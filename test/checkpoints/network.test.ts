// A network that PyTorch trained, in every format of files: with its convolutions in float64 and these layers, it gives PyTorch's
// outputs, whole and folded. Every format and every backend gives the same bits.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import * as fold from "../../src/fold.js";
import { BatchNorm, type BackendName } from "../../src/index.js";
import * as json from "../../src/json.js";
import * as keras from "../../src/keras.js";
import * as onnx from "../../src/onnx.js";
import * as pytorch from "../../src/pytorch.js";
import * as safetensors from "../../src/safetensors.js";
import { exampleOf, FORMATS, outputsOf, statesOf } from "../environments/network.js";
import { isAvailable } from "../support/backends.js";
import { root } from "../support/package-copy.js";
import { installHdf5 } from "./hdf5-package.js";

const folder = join(root, "test", "checkpoints");
const modules = { fold, json, keras, onnx, pytorch, safetensors };
const reason = installHdf5();
if (reason !== null) console.warn(reason);

type Name = keyof typeof FORMATS;
const NAMES = (Object.keys(FORMATS) as Name[]).filter((name) => name !== "keras" || reason === null);
const BACKENDS: readonly BackendName[] = (
  ["native/avx512", "native/avx2", "native/sse2", "wasm", "oracle"] as const
).filter(isAvailable);
/** PyTorch computes in float32, and the largest output is 6.3. */
const BOUND = 4e-6;

/** Files of PyTorch and of its ONNX exporter, and those that this library makes of them. */
const made = new Map<string, Uint8Array>();
const source = (file: string): Uint8Array =>
  made.get(file) ??
  readFileSync(join(folder, file.includes("onnx") || file.endsWith(".bin") ? "exported" : "pytorch", file));

interface Tensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}
interface Outputs {
  readonly backend: string;
  readonly whole: readonly number[];
  readonly folded: readonly number[];
}

let example: { readonly input: Tensor; readonly output: Tensor };
let expected: Outputs;
const run = async (name: Name, options: object = {}): Promise<Outputs> =>
  await outputsOf(modules, name, source, example.input, options);

beforeAll(async () => {
  const statesFor = async (name: Name): Promise<object> => await statesOf(modules, source, FORMATS[name].nameOf);
  made.set("network.json", new TextEncoder().encode(json.save(await statesFor("json"))));
  if (reason === null) made.set("network.weights.h5", await keras.save(await statesFor("keras")));
  example = await exampleOf(modules, source);
  expected = await run("pytorch", { backend: "oracle" });
});

const furthest = (outputs: readonly number[]): number =>
  Math.max(...outputs.map((value, i) => Math.abs(value - example.output.data[i]!)));

describe.each(NAMES)("%s", (name) => {
  test.each(BACKENDS)("on %s", async (backend) => {
    const outputs = await run(name, { backend });
    expect(outputs).toEqual({ ...expected, backend });
    expect(furthest(outputs.whole)).toBeLessThan(BOUND);
    expect(furthest(outputs.folded)).toBeLessThan(BOUND);
    expect(Math.max(...example.output.data.map(Math.abs))).toBeGreaterThan(3);
  });
});

test("files of torch and safetensors that this library writes", async () => {
  const states = await statesOf(modules, source, FORMATS.pytorch.nameOf);
  made.set("network.pt", pytorch.save({ ...states, ...example }));
  made.set("network.safetensors", safetensors.save(states));
  for (const name of ["pytorch", "safetensors"] as const)
    expect(await run(name, { backend: "oracle" })).toEqual(expected);
});

test("a model of torch's exporter with other values in it", async () => {
  const states = (await statesOf(modules, source, FORMATS.json.nameOf)) as Record<string, unknown>;
  const layers = Object.entries(states).filter(([, state]) => state instanceof BatchNorm) as [string, BatchNorm][];
  for (const [, layer] of layers) layer.bias!.fill(0.5);
  // As states, since these layers do not have the ε of the model.
  const others = layers.map(([prefix, layer]) => [prefix, layer.stateDict()] as const);
  made.set("network.onnx", await onnx.save(source("network.onnx"), new Map(others)));
  made.set("network.json", new TextEncoder().encode(json.save(states)));
  const changed = await run("json");
  expect(changed.whole).not.toEqual(expected.whole);
  expect(await run("onnx")).toEqual(changed);
});
