// Files of Keras, in its layouts, and its lists of weights.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BatchNorm } from "../../src/index.js";
import { findBatchNorms, fromWeights, load, open, save, toWeights, type KerasCheckpoint } from "../../src/keras.js";
import { open as openOther, save as saveBytes } from "../../src/safetensors.js";
import { root } from "../support/package-copy.js";
import { strange } from "./files.js";
import { installHdf5 } from "./hdf5-package.js";

/** Written by scripts/keras/checkpoints.py, which says the values. */
const fileOf = (name: string): Uint8Array => readFileSync(join(root, "test", "checkpoints", "keras", name));

const reason = installHdf5();
if (reason !== null) console.warn(reason);

/** The values of a layer in the files. */
const filled = (k: number, table: number, channels: number): Float32Array =>
  new Float32Array(channels).fill(k + table / 10);

const PREFIX = "layers/batch_normalization";

describe.skipIf(reason !== null && process.env.BATCHNORM_REQUIRE === undefined)("files", () => {
  test.each(["model.keras", "model-2.13.keras"])("%s: what is in it", async (name) => {
    const folder = name === "model.keras" ? "layers/" : "_layer_checkpoint_dependencies/";
    const file = await open(fileOf(name));
    const found = await findBatchNorms(file);
    const expected = [
      [`${folder}batch_normalization/`, 2, "float32", []],
      [`${folder}batch_normalization_1/`, 3, "float32", ["weight"]],
      [`${folder}batch_normalization_2/`, 3, "float32", ["bias"]],
      [`${folder}batch_normalization_3/`, 4, "float64", ["weight", "bias"]],
      [`${folder}functional/${folder}batch_normalization/`, 5, "float32", []],
      [`${folder}time_distributed/layer/`, 2, "float32", []],
    ];
    expect(found.map(({ prefix, channels, dtype, missing }) => [prefix, channels, dtype, missing])).toEqual(expected);
    expect(file.tensors.get(`${folder}conv2d/vars/0`)!.shape).toEqual([3, 3, 2, 2]);
    expect(await file.tensors.get(`${folder}conv2d/vars/0`)!.read()).toEqual(new Float32Array(36));
    expect(await file.tensors.get("optimizer/vars/0")!.read()).toEqual(BigInt64Array.of(7n));
  });

  test("a layer has the options that config.json says, and Keras's convention", async () => {
    const file = await open(fileOf("model.keras"));
    const stem = await load(file, `${PREFIX}/`);
    expect([stem.training, stem.eps, stem.momentum, stem.convention]).toEqual([false, 1e-5, 0.9, "keras"]);
    expect(stem.stateDict()).toEqual({
      weight: filled(1, 0, 2),
      bias: filled(1, 1, 2),
      running_mean: filled(1, 2, 2),
      running_var: filled(1, 3, 2),
      num_batches_tracked: 0,
    });
    expect(stem.forward(Float32Array.of(2, 3), [1, 2]).length).toBe(2);
    const noScale = await load(file, `${PREFIX}_1/`);
    expect([noScale.weight, noScale.bias, noScale.eps, noScale.momentum]).toEqual([null, filled(2, 1, 3), 1e-3, 0.99]);
    const noCenter = await load(file, `${PREFIX}_2/`);
    expect([noCenter.weight, noCenter.bias]).toEqual([filled(3, 0, 3), null]);
    // Its axis is 1, so that channels come first.
    expect(noCenter.forward(new Float32Array(12), [1, 3, 4]).length).toBe(12);
    const neither = await load(file, `${PREFIX}_3/`);
    expect([neither.weight, neither.bias, neither.dtype]).toEqual([null, null, "float64"]);
    expect((await load(file, "layers/functional/layers/batch_normalization/")).eps).toBe(1e-5);
  });

  test("options of the caller take precedence", async () => {
    const file = await open(fileOf("model.keras"));
    const given = { eps: 0.5, momentum: 0.2, layout: "channels-first" } as const;
    const layer = await load(file, `${PREFIX}/`, given);
    expect([layer.eps, layer.momentum]).toEqual([0.5, 0.2]);
    const torch = await load(file, `${PREFIX}/`, { convention: "torch" });
    expect(torch.momentum).toBeCloseTo(0.1, 15);
    await expect(load(file, `${PREFIX}_1/`, { affine: true })).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE" });
    await expect(load(file, `${PREFIX}_9/`)).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE" });
  });

  test("a .weights.h5 file says nothing about its layers", async () => {
    const file = await open(fileOf("model.weights.h5"));
    expect((await findBatchNorms(file)).map(({ prefix, missing }) => [prefix, missing])).toEqual([
      [`${PREFIX}/`, []],
      [`${PREFIX}_1/`, ["weight", "bias"]],
      [`${PREFIX}_2/`, ["weight", "bias"]],
      [`${PREFIX}_3/`, ["weight", "bias"]],
      ["layers/functional/layers/batch_normalization/", []],
      ["layers/time_distributed/layer/", []],
    ]);
    const stem = await load(file, `${PREFIX}/`);
    expect([stem.eps, stem.momentum]).toEqual([1e-3, 0.99]);
    await expect(load(file, `${PREFIX}_1/`)).rejects.toMatchObject({
      code: "ERR_BATCHNORM_STATE",
      message: `"${PREFIX}_1/" has three variables: pass "bias: false" if its layer has center=False, or "weight: false" for scale=False`,
    });
    expect((await load(file, `${PREFIX}_1/`, { weight: false })).bias).toEqual(filled(2, 1, 3));
    expect((await load(file, `${PREFIX}_2/`, { bias: false })).weight).toEqual(filled(3, 0, 3));
    expect((await load(file, `${PREFIX}_3/`)).runningVar).toEqual(new Float64Array(4).fill(4 + 3 / 10));
  });

  test.each([
    ["model.h5", "model_weights/", 1e-5],
    ["keras-3.h5", "model_weights/", 1e-5],
    ["named.weights.h5", "", 1e-3],
  ])("%s of Keras 2, or of Keras 3 as Keras 2 wrote them", async (name, folder, eps) => {
    const file = await open(fileOf(name));
    expect((await findBatchNorms(file)).map(({ prefix, missing }) => [prefix, missing])).toEqual([
      [`${folder}inner/deep_bn/`, []],
      [`${folder}no_scale/no_scale/`, ["weight"]],
      [`${folder}stem_bn/stem_bn/`, []],
    ]);
    const stem = await load(file, `${folder}stem_bn/stem_bn/`);
    expect([stem.eps, stem.weight, stem.runningVar]).toEqual([eps, filled(1, 0, 2), filled(1, 3, 2)]);
    expect((await load(file, `${folder}no_scale/no_scale/`)).weight).toBeNull();
  });

  test.each(["float32", "float64"] as const)("%s: the same bits come back", async (dtype) => {
    const layer = strange(dtype);
    layer.numBatchesTracked = 0;
    const plain = new BatchNorm(2, { affine: false });
    const file = await save({
      "layers/batch_normalization/": layer,
      "bn2.": plain,
      "dense/kernel": Float32Array.of(1),
    });
    const again = await load(file, "layers/batch_normalization/");
    expect(again.dtype).toBe(dtype);
    expect(saveBytes(again)).toEqual(saveBytes(layer));
    const opened = await open(file);
    expect([...opened.tensors.keys()].sort()).toEqual([
      "bn2/running_mean",
      "bn2/running_var",
      "dense/kernel",
      "layers/batch_normalization/bias",
      "layers/batch_normalization/running_mean",
      "layers/batch_normalization/running_var",
      "layers/batch_normalization/weight",
    ]);
  });

  test("a checkpoint of another format is a model that says nothing about its layers", async () => {
    const other = (await openOther(saveBytes({ "bn/": new BatchNorm(2) }))) as KerasCheckpoint;
    expect((await load(other, "bn/")).eps).toBe(1e-3);
  });

  test("what cannot be saved", async () => {
    await expect(save({ a: Int8Array.of(1) })).rejects.toMatchObject({ name: "TypeError", code: "ERR_BATCHNORM_TYPE" });
    await expect(save({ "a/b": Float32Array.of(1), a: Float32Array.of(1) })).rejects.toMatchObject({
      code: "ERR_BATCHNORM_VALUE",
      message: expect.stringContaining("the names cannot be paths in a file of HDF5: ") as string,
    });
  });

  const whole = fileOf("model.h5");
  test.each([
    [
      "nothing",
      new Uint8Array(0),
      "the file expected HDF5 or a zip archive: this is no .keras, .weights.h5 or .h5 file",
    ],
    ["a part of HDF5", whole.subarray(0, 3000), `the file expected ${whole.length} bytes of HDF5, got 3000`],
    ["damaged HDF5", whole.map((byte, i) => (i < 100 ? byte : 0x55)), "the file cannot be read as HDF5: "],
    ["a part of an archive", fileOf("model.keras").subarray(0, 3000), "the zip archive expected a record of its end"],
    [
      "a compressed archive",
      fileOf("compressed.keras"),
      'expected "model.weights.h5" to be stored, got compression method 8',
    ],
    [
      "weights of numpy",
      fileOf("npz.keras"),
      'the archive expected an entry "model.weights.h5", got "model.weights.npz"',
    ],
    ["a dataset of 4 TB", fileOf("huge.h5"), '"bn/vars/0" expected at most the '],
    ["groups that have themselves", fileOf("endless.h5"), "the file expected at most 32 levels of groups"],
  ])("%s is refused", async (_, file, message) => {
    const error = {
      name: "RangeError",
      code: "ERR_BATCHNORM_FILE",
      message: expect.stringContaining(message) as string,
    };
    await expect(open(file)).rejects.toMatchObject(error);
  });

  test("links to nothing and to other files, and text, are left out", async () => {
    expect([...(await open(fileOf("links.h5"))).tensors.keys()]).toEqual(
      ["weight", "bias", "running_mean", "running_var"].map((name) => `bn1/${name}`),
    );
  });
});

describe("lists of weights", () => {
  const list = [0, 1, 2, 3].map((table) => filled(1, table, 2));

  test("in the order of Keras, and back", () => {
    const layer = fromWeights(list);
    expect([layer.training, layer.eps, layer.momentum, layer.convention]).toEqual([false, 1e-3, 0.99, "keras"]);
    expect(toWeights(layer)).toEqual(list);
    expect(toWeights(fromWeights(list.slice(1), { weight: false }))).toEqual(list.slice(1));
    expect(toWeights(fromWeights([list[0], ...list.slice(2)], { bias: false }))).toEqual([list[0], ...list.slice(2)]);
    expect(toWeights(fromWeights(list.slice(2), { affine: false, eps: 0 }))).toEqual(list.slice(2));
    expect(toWeights(fromWeights(list.map((data) => ({ data, shape: [2] }))))).toEqual(list);
    expect(toWeights(fromWeights(list.map((data) => [...data])))).toEqual(list);
  });

  test.each([
    ["no list", () => fromWeights(5 as never), "ERR_BATCHNORM_TYPE", '"weights" expected an array of arrays, got 5'],
    [
      "three arrays",
      () => fromWeights(list.slice(1)),
      "ERR_BATCHNORM_STATE",
      '"weights" expected 4 arrays (gamma, beta, moving_mean, moving_variance), got 3; pass "weight: false" for scale=False, "bias: false" for center=False',
    ],
    [
      "four arrays where one is off",
      () => fromWeights(list, { weight: false }),
      "ERR_BATCHNORM_STATE",
      '"weights" expected 3 arrays (beta, moving_mean, moving_variance), got 4',
    ],
    ["numbers", () => fromWeights([1, 2, 3, 4]), "ERR_BATCHNORM_TYPE", '"weights" expected arrays, got 4 at its end'],
    [
      "another length",
      () => fromWeights([...list.slice(0, 3), new Float32Array(3)]),
      "ERR_BATCHNORM_SHAPE",
      '"weight" expected length 3, got 2',
    ],
    [
      "a variance below 0",
      () => fromWeights([...list.slice(0, 3), [-1, 1]]),
      "ERR_BATCHNORM_VALUE",
      '"running_var[0]" expected a number ≥ 0, got -1',
    ],
    ["no layer", () => toWeights(5 as never), "ERR_BATCHNORM_TYPE", '"layer" expected a BatchNorm, got 5'],
    [
      "a layer without statistics",
      () => toWeights(new BatchNorm(1, { trackRunningStats: false })),
      "ERR_BATCHNORM_STATE",
      '"layer" expected running statistics, which Keras always has',
    ],
  ])("%s", (_, call, code, message) => {
    expect(call).toThrow(expect.objectContaining({ code, message }) as Error);
  });
});
