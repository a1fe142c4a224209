// The declarations of the built entry with those of TensorFlow.js.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/folders.js";
import { root } from "../support/package-copy.js";
import { installedPackages, loadTensorflow } from "./tensorflow.js";

const PROGRAM = `import * as tf from "@tensorflow/tfjs";
import * as core from "@tensorflow/tfjs-core";
import { bindTfjs, type BatchNormalizationConfig, type TfjsLayer } from "batchnorm/tfjs";

const { BatchNormalization, batchNorm, batchNormAsync, replaceBatchNormalization } = bindTfjs(tf);
const config: BatchNormalizationConfig<typeof tf> = { axis: 1, momentum: 0.9, gammaConstraint: "nonNeg" };
const layer: TfjsLayer<typeof tf> = new BatchNormalization({ ...config, renorm: { rMax: 3, dMax: 5 }, inputShape: [4, 3] });
layer.renorm = null;
const model: tf.Sequential = tf.sequential({ layers: [layer, new BatchNormalization()] });
const replaced: tf.layers.Layer[] = replaceBatchNormalization(model, { virtualBatchSize: 8 });
const x: tf.Tensor4D = tf.ones([2, 3, 4, 5]);
const y: tf.Tensor4D = batchNorm(x, { training: true, gamma: tf.ones([5]), movingMean: tf.variable(tf.ones([5])) });
const later: Promise<tf.Tensor4D> = batchNormAsync(x);
const applied = layer.apply(x) as tf.Tensor;
export const all = [replaced, y, later, applied];

const operations = bindTfjs(core);
const z: core.Tensor2D = operations.batchNorm(core.tensor2d([[1]]), { training: true });
export const values = z.dataSync();
// @ts-expect-error Without tf.layers there is no layer.
export const none = operations.BatchNormalization;
// @ts-expect-error An option that there is not.
batchNorm(x, { gama: 1 });
// @ts-expect-error No tensor.
batchNorm([1]);
// @ts-expect-error A config of another type.
new BatchNormalization({ momentum: "0.9" });
// @ts-expect-error Not TensorFlow.js.
bindTfjs({});
`;

test("take TensorFlow.js's types as they are, and give them back", async () => {
  await loadTensorflow();
  const folder = temporaryFolder();
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "batchnorm"), { recursive: true });
  for (const part of ["dist", "package.json"])
    cpSync(join(root, part), join(packages, "batchnorm", part), { recursive: true });
  symlinkSync(join(installedPackages, "@tensorflow"), join(packages, "@tensorflow"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "program.ts"), PROGRAM);
  const options = {
    target: "ES2022",
    lib: ["ES2022", "DOM"],
    module: "NodeNext",
    strict: true,
    noEmit: true,
    types: [],
  };
  // TensorFlow.js's own declarations refer to packages that it does not install.
  const compilerOptions = { ...options, exactOptionalPropertyTypes: true, skipLibCheck: true };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const { stdout, status } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
  expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
});
