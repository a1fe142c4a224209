// The files of Keras: HDF5, alone or in a zip archive beside the model's configuration. https://keras.io/guides/serialization_and_saving
import { rangeError, typeError } from "../base/errors.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { batchNormsIn, layerOf, type FoundBatchNorm } from "./batch-norms.js";
import { sizedBytesOf, type Bytes } from "./bytes.js";
import { TABLES } from "./entry-names.js";
import { readHdf5, writeHdf5 } from "./hdf5.js";
import { quoted, textOf } from "./json-text.js";
import { readConfig, type KerasLayer, type KerasOptions } from "./keras-config.js";
import { withNames, type KerasCheckpoint } from "./keras-names.js";
import type { CheckpointSource } from "./source.js";
import { arraysOf, type NamedArray, type SavedStates } from "./states.js";
import { opened, type Checkpoint } from "./tensors.js";
import { readZip, type ZipEntry } from "./zip.js";

const fail = (text: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", text);
};

/** What a file begins with. */
const ZIP = "PK\u0003\u0004";
const HDF5 = "\u0089HDF\r\n\u001a\n";
/** The text that the HDF5 files of whole models have: the configuration. */
const CONFIG = "model_config";

const wholeOf = (entry: ZipEntry): Promise<Uint8Array> => entry.read(0, entry.size);

async function inArchive(bytes: Bytes): Promise<{ weights: Uint8Array; config: readonly KerasLayer[] }> {
  const entries = (await readZip(bytes)) ?? fail("the zip archive expected a record of its end: the file is cut short");
  const weights = entries.get("model.weights.h5");
  if (weights === undefined) {
    const others = [...entries.keys()].filter((name) => name.startsWith("model.weights"));
    return fail(
      `the archive expected an entry "model.weights.h5", got ${others.map(quoted).join(", ") || "none"}: this is no file of Keras that can be read`,
    );
  }
  const config = entries.get("config.json");
  return { weights: await wholeOf(weights), config: config ? readConfig(textOf(await wholeOf(config))) : [] };
}

/**
 * Opens a file of Keras: `.keras`, `.weights.h5`, or `.h5` of Keras 2. It needs the package `h5wasm`, which you install
 * beside this one. HDF5 cannot be read by ranges with it, so the whole file is read, and must fit into memory.
 *
 * Batch normalizations have the names of torch, such as `"layers/batch_normalization/running_mean"`; all other tensors have
 * their paths in the file. In a `.weights.h5` file nothing says what a layer is. Layers with four vectors of one length are
 * taken for batch normalizations, and so are those with two or three and a name such as `batch_normalization_1` or `bn2`.
 *
 * @param file Where the file is.
 * @returns The tensors of the file, and what it says about its batch normalizations.
 * @throws RangeError if the file is damaged or no file of Keras (`ERR_BATCHNORM_FILE`), or if `h5wasm` is not installed
 * (`ERR_BATCHNORM_PACKAGE`). The promise rejects with it.
 * @throws TypeError if `file` has the wrong kind (`ERR_BATCHNORM_TYPE`). Errors of the source itself are passed on.
 */
export async function open(file: CheckpointSource): Promise<KerasCheckpoint> {
  const bytes = await sizedBytesOf(file);
  const start = String.fromCharCode(...(await bytes.read(0, Math.min(bytes.size!, 8))));
  if (start.startsWith(ZIP)) {
    const { weights, config } = await inArchive(bytes);
    return withNames((await readHdf5(weights, CONFIG)).tensors, config);
  }
  if (start !== HDF5) fail("the file expected HDF5 or a zip archive: this is no .keras, .weights.h5 or .h5 file");
  const { tensors, config } = await readHdf5(await bytes.read(0, bytes.size!), CONFIG);
  return withNames(tensors, config === null ? [] : readConfig(config));
}

/**
 * Lists the batch normalizations in a file of Keras, as the function of `batchnorm/safetensors` does in a file of that
 * format. A layer with `scale=False` has no `weight`, and one with `center=False` no `bias`.
 *
 * @param file Where the file is, or what `open` returned.
 * @returns The prefixes of their names, with the number of channels.
 * @throws RangeError if the file is damaged (`ERR_BATCHNORM_FILE`), or if `h5wasm` is not installed
 * (`ERR_BATCHNORM_PACKAGE`). The promise rejects with it.
 */
export async function findBatchNorms(file: CheckpointSource | Checkpoint): Promise<readonly FoundBatchNorm[]> {
  return batchNormsIn(await opened(file, open));
}

/** The options of the file, without those that the caller's exclude. */
function merged<D extends DType>(own: KerasOptions, given: BatchNormOptions<D>): BatchNormOptions<D> {
  const { decay, weight, bias, axis, ...rest } = own;
  return {
    convention: "keras",
    ...rest,
    ...(given.momentum === undefined && { decay }),
    ...(given.affine === undefined && { weight, bias }),
    ...(given.layout === undefined && { axis }),
    ...given,
  } as BatchNormOptions<D>;
}

/** Of three variables in a file that does not say more, the options tell what the first one is. */
function completed(file: Checkpoint, prefix: string, options: BatchNormOptions): Checkpoint {
  const first = file.tensors.get(`${prefix}vars/0`);
  if (first === undefined || !file.tensors.has(`${prefix}running_mean`)) return file;
  const name = options.weight === false ? "bias" : options.bias === false ? "weight" : null;
  if (name === null) {
    const text = `${quoted(prefix)} has three variables: pass "bias: false" if its layer has center=False, or "weight: false" for scale=False`;
    throw rangeError("ERR_BATCHNORM_STATE", text);
  }
  return { ...file, tensors: new Map([...file.tensors, [prefix + name, { ...first, name: prefix + name }]]) };
}

/**
 * Makes a layer of a batch normalization in a file of Keras. It is in inference mode, with exactly the values of the file.
 * It has Keras's convention, and the ε, the momentum, the axis and the parameters that the file says. The files of whole
 * models say them. For a `.weights.h5` file the defaults are those of Keras: an `eps` of 1e-3 and a `momentum` of 0.99.
 *
 * @param file Where the file is, or what `open` returned.
 * @param prefix The path of the layer in the file, for example `"layers/batch_normalization/"`. `findBatchNorms` lists them.
 * @param options The options of the layer, which take precedence. If a `.weights.h5` file has three variables of the layer,
 * pass `weight: false` for `scale=False`, or `bias: false` for `center=False`.
 * @returns The layer.
 * @throws RangeError if the file is damaged (`ERR_BATCHNORM_FILE`), if it has no batch normalization of that prefix or
 * variables are missing (`ERR_BATCHNORM_STATE`), if a variable has a wrong shape (`ERR_BATCHNORM_SHAPE`) or a wrong value
 * (`ERR_BATCHNORM_VALUE`), or if `h5wasm` is not installed (`ERR_BATCHNORM_PACKAGE`). The promise rejects with it.
 */
export async function load<D extends DType = FloatType>(
  file: CheckpointSource | KerasCheckpoint,
  prefix: string,
  options?: BatchNormOptions<D>,
): Promise<BatchNorm<D>> {
  // A checkpoint that another format opened says nothing about its layers.
  const checkpoint: Checkpoint & Partial<KerasCheckpoint> = await opened(file, open);
  const all = merged(checkpoint.layers?.get(prefix) ?? {}, options ?? {});
  return layerOf(completed(checkpoint, prefix, all), prefix, all);
}

/** The tables of each layer, numbered in the order of Keras. Keras does not count batches. */
function numbered(arrays: readonly NamedArray[]): readonly NamedArray[] {
  const all = new Set(arrays.map(({ name }) => name));
  const isStatistic = (prefix: string): boolean => all.has(`${prefix}running_mean`) && all.has(`${prefix}running_var`);
  return arrays.flatMap((array) => {
    const [, prefix, name] = /^(.*?)([^./]*)$/s.exec(array.name)!;
    if (!isStatistic(prefix!)) return [array];
    const own = TABLES.filter((table) => all.has(prefix! + table));
    const folder = prefix!.replace(/[./]$/, "/");
    return own.includes(name!) ? [{ ...array, name: `${folder}vars/${own.indexOf(name!)}` }] : [];
  });
}

/**
 * Writes layers, states and other tensors as a `.weights.h5` file of Keras 3, which `model.load_weights` reads if the
 * paths are those of the model. `load` gives back the same bits. It needs the package `h5wasm`. The number of batches is
 * not in the file, as Keras has none.
 *
 * @param states An object or Map of layers and states by the paths of the layers, such as `"layers/batch_normalization/"`.
 * @returns The bytes of the file.
 * @throws TypeError if something is no layer, no state and no array of float32 or float64 (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if two entries have the same name (`ERR_BATCHNORM_VALUE`), if a tensor has not as many elements as its
 * shape (`ERR_BATCHNORM_SHAPE`), or if `h5wasm` is not installed (`ERR_BATCHNORM_PACKAGE`). The promise rejects with it.
 */
export async function save(states: SavedStates): Promise<Uint8Array> {
  const arrays = numbered(arraysOf(states));
  const wrong = arrays.find(({ dtype }) => dtype !== "float32" && dtype !== "float64");
  if (wrong !== undefined)
    throw typeError("ERR_BATCHNORM_TYPE", `"${wrong.name}" expected float32 or float64, got ${wrong.dtype}`);
  return writeHdf5(arrays);
}
