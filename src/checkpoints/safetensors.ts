// safetensors: 8 bytes with the length of a header, the header in JSON, and the elements of all tensors one after another.
// https://github.com/huggingface/safetensors
import { describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { readEntries } from "../layer/state-keys.js";
import { batchNormsIn, layerOf, type FoundBatchNorm } from "./batch-norms.js";
import { allocateBytes, bytesOf, viewOf } from "./bytes.js";
import { inOrder, readHeader, writeHeader } from "./safetensors-header.js";
import type { CheckpointSource } from "./source.js";
import { arraysOf, type SavedStates } from "./states.js";
import { elementsOf, opened, type Checkpoint, type CheckpointTensor } from "./tensors.js";

/** The options of `save` of `batchnorm/safetensors`. */
export interface SafetensorsOptions {
  /** Text about the file, by keys. The default is none. Some programs expect `{ format: "pt" }`. */
  metadata?: Readonly<Record<string, string>> | undefined;
}

/** The length of the header is the first 8 bytes. */
const LENGTH = 8;
/** The format's own limit. */
const MOST_HEADER = 100_000_000;

/**
 * Opens a safetensors file. It reads the header, and no elements. Elements are read by the tensors' own `read`. A file of
 * many gigabytes therefore costs what is read of it. The header is checked: the tensors fill the file without overlaps
 * and gaps.
 *
 * @param file Where the file is.
 * @returns The tensors of the file.
 * @throws RangeError if the file is damaged or no safetensors file (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 * @throws TypeError if `file` has the wrong kind (`ERR_BATCHNORM_TYPE`). Errors of the source itself are passed on.
 */
export async function open(file: CheckpointSource): Promise<Checkpoint> {
  const bytes = await bytesOf(file);
  const length = new DataView((await bytes.read(0, LENGTH)).buffer).getBigUint64(0, true);
  if (length > MOST_HEADER) {
    const text = `the header expected at most ${MOST_HEADER} bytes, got ${length}: this is no safetensors file`;
    throw rangeError("ERR_BATCHNORM_FILE", text);
  }
  const start = LENGTH + Number(length);
  const header = await bytes.read(LENGTH, Number(length));
  const { tensors, metadata } = readHeader(header, bytes.size === null ? null : bytes.size - start);
  const entries = tensors.map(({ name, dtype, shape, begin, end }): [string, CheckpointTensor] => {
    const read: CheckpointTensor["read"] = async () => elementsOf(dtype, await bytes.read(start + begin, end - begin));
    return [name, { name, dtype, shape, read }];
  });
  return { tensors: new Map(entries), metadata };
}

/**
 * Lists the batch normalizations in a safetensors file. They are told by the names that torch gives their running
 * statistics, `running_mean` and `running_var`.
 *
 * @param file Where the file is, or the file that `open` opened.
 * @returns The prefixes of their names, with the number of channels, in the order of the file.
 * @throws RangeError if the file is damaged or no safetensors file (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 */
export async function findBatchNorms(file: CheckpointSource | Checkpoint): Promise<readonly FoundBatchNorm[]> {
  return batchNormsIn(await opened(file, open));
}

/**
 * Makes a layer of a batch normalization in a safetensors file. It is in inference mode. The values are exact: the layer
 * is one of float64 data if the statistics in the file are float64, else one of float32 data, which also holds float16
 * and bfloat16 exactly. The option `dtype` asks for another type.
 *
 * A file has neither `eps` nor `momentum`. Their defaults are those of torch.
 *
 * @param file Where the file is, or the file that `open` opened.
 * @param prefix What stands before the names of the entries, for example `"bn1."`. `findBatchNorms` lists the prefixes.
 * @param options The options of the layer. If the file has no `weight` and no `bias`, pass `affine: false`.
 * @returns The layer.
 * @throws RangeError if the file is damaged (`ERR_BATCHNORM_FILE`), if it has no batch normalization of that prefix or
 * entries are missing (`ERR_BATCHNORM_STATE`), or if an entry has a wrong shape (`ERR_BATCHNORM_SHAPE`) or a wrong value
 * (`ERR_BATCHNORM_VALUE`). The promise rejects with it.
 */
export async function load<D extends DType = FloatType>(
  file: CheckpointSource | Checkpoint,
  prefix: string,
  options?: BatchNormOptions<D>,
): Promise<BatchNorm<D>> {
  return layerOf(await opened(file, open), prefix, options);
}

/**
 * Writes layers, states and other tensors as a safetensors file. `load` gives back the same bits, and so do other
 * readers of the format.
 *
 * @param states A layer, a state, or an object or Map of both by their prefixes.
 * @param options Text about the file.
 * @returns The bytes of the file.
 * @throws TypeError if something is no layer, no state and no array (`ERR_BATCHNORM_TYPE`), or an option is wrong.
 * @throws RangeError if two entries have the same name or a counter is wrong (`ERR_BATCHNORM_VALUE`), or if a tensor has
 * not as many elements as its shape (`ERR_BATCHNORM_SHAPE`).
 */
export function save(states: SavedStates, options?: SafetensorsOptions): Uint8Array {
  const { metadata } = readOptions(options, ["metadata"]);
  const arrays = inOrder(arraysOf(states));
  if (arrays.some(({ name }) => name === "__metadata__"))
    throw rangeError("ERR_BATCHNORM_VALUE", `no entry can have the name "__metadata__"`);
  const header = writeHeader(arrays, metadataOf(metadata));
  const parts = [header, ...arrays.map(({ data }) => viewOf(data))];
  const file = allocateBytes(parts.reduce((size, part) => size + part.length, LENGTH));
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  let end = LENGTH;
  for (const part of parts) {
    file.set(part, end);
    end += part.length;
  }
  return file;
}

function metadataOf(value: unknown): ReadonlyMap<string, string> {
  const entries = value === undefined ? new Map<string, unknown>() : readEntries(value);
  for (const [key, text] of entries)
    if (typeof text !== "string")
      throw typeError("ERR_BATCHNORM_TYPE", `"metadata.${key}" expected a string, got ${describe(text)}`);
  return entries as ReadonlyMap<string, string>;
}
