// The files of torch.save since torch 1.6: a zip archive with a pickle of everything but the elements of tensors, which are
// entries of their own. https://pytorch.org/docs/stable/notes/serialization.html
import { rangeError } from "../base/errors.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { batchNormsIn, layerOf, type FoundBatchNorm } from "./batch-norms.js";
import { sizedBytesOf, viewOf, type Bytes } from "./bytes.js";
import { unpickle } from "./pickle-opcodes.js";
import { pickleOf } from "./pickle-writer.js";
import type { CheckpointSource } from "./source.js";
import { arraysOf, type SavedStates } from "./states.js";
import { opened, type Checkpoint } from "./tensors.js";
import { checkpointOf } from "./torch-tensors.js";
import { torchWorld } from "./torch-world.js";
import { readZip, type ZipEntry } from "./zip.js";
import { writeZip } from "./zip-writer.js";

const fail = (text: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", text);
};

const PICKLE = /^[^/]+\/data\.pkl$/;

/** Of files without an archive: what torch before 1.6 wrote, which begins with a pickle, or a tar still before. */
async function refuse(bytes: Bytes): Promise<never> {
  const [first] = await bytes.read(0, Math.min(1, bytes.size!));
  const isOld = first === 0x80;
  return fail(
    isOld
      ? "the file has the format of torch before version 1.6: open it with torch.load, and save it again with torch.save"
      : "the file expected a zip archive: this is no file of torch.save",
  );
}

/** The folder that all entries of the archive are in. */
function folderOf(entries: ReadonlyMap<string, ZipEntry>): string {
  const pickles = [...entries.keys()].filter((name) => PICKLE.test(name));
  if (pickles.length !== 1)
    fail(`the archive expected one entry "…/data.pkl", got ${pickles.length}: this is no file of torch.save`);
  const folder = pickles[0]!.slice(0, -"data.pkl".length);
  if (entries.has(`${folder}constants.pkl`))
    fail("the file is a program of TorchScript: save its tensors alone, as with torch.save(model.state_dict(), path)");
  return folder;
}

/** Files of torch before 2.1 do not say it. */
async function isBigEndian(entry: ZipEntry | undefined): Promise<boolean> {
  if (entry === undefined) return false;
  const order = new TextDecoder().decode(await entry.read(0, Math.min(entry.size, 8)));
  return order === "big" || (order !== "little" && fail('the entry "byteorder" expected "little" or "big"'));
}

/**
 * Opens a file that `torch.save` of torch 1.6 or newer wrote. It reads the directory of the archive and the pickle, and no
 * elements. Elements are read by the tensors' own `read`. No code of the file is run: a reader of its own takes tensors,
 * numbers, text, lists, tuples and dicts, and refuses everything else by its name.
 *
 * The file holds a state dict, or a dict, a list or a tuple with state dicts in it. Names of inner ones follow those of
 * the outer ones after a dot, as in `"model.bn1.weight"`. Numbers and text that are no tensors become metadata.
 *
 * @param file Where the file is.
 * @returns The tensors of the file.
 * @throws RangeError if the file is damaged or no file of `torch.save`, if an older torch wrote it, or if it holds more
 * than data, such as a whole model (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 * @throws TypeError if `file` has the wrong kind (`ERR_BATCHNORM_TYPE`). Errors of the source itself are passed on.
 */
export async function open(file: CheckpointSource): Promise<Checkpoint> {
  const bytes = await sizedBytesOf(file);
  const entries = (await readZip(bytes)) ?? (await refuse(bytes));
  const folder = folderOf(entries);
  const pickle = entries.get(`${folder}data.pkl`)!;
  const swapped = await isBigEndian(entries.get(`${folder}byteorder`));
  const world = torchWorld((key) => entries.get(`${folder}data/${key}`));
  return checkpointOf(unpickle(await pickle.read(0, pickle.size), world), pickle.size, swapped);
}

/**
 * Lists the batch normalizations in a file of torch, as the function of `batchnorm/safetensors` does in a file of that
 * format.
 *
 * @param file Where the file is, or what `open` returned.
 * @returns The prefixes of their names, with the number of channels, in the order of the file.
 * @throws RangeError if the file is damaged or cannot be read (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 */
export async function findBatchNorms(file: CheckpointSource | Checkpoint): Promise<readonly FoundBatchNorm[]> {
  return batchNormsIn(await opened(file, open));
}

/**
 * Makes a layer of a batch normalization in a file of torch, as the function of `batchnorm/safetensors` does of a file of
 * that format. The layer is in inference mode, with exactly the values of the file.
 *
 * A file has neither `eps` nor `momentum`. Their defaults are those of torch.
 *
 * @param file Where the file is, or what `open` returned.
 * @param prefix What stands before the names of the entries, for example `"bn1."`. `findBatchNorms` lists the prefixes.
 * @param options The options of the layer. If the file has no `weight` and no `bias`, pass `affine: false`.
 * @returns The layer.
 * @throws RangeError if the file is damaged or cannot be read (`ERR_BATCHNORM_FILE`), if it has no batch normalization of
 * that prefix or entries are missing (`ERR_BATCHNORM_STATE`), or if an entry has a wrong shape (`ERR_BATCHNORM_SHAPE`) or
 * a wrong value (`ERR_BATCHNORM_VALUE`). The promise rejects with it.
 */
export async function load<D extends DType = FloatType>(
  file: CheckpointSource | Checkpoint,
  prefix: string,
  options?: BatchNormOptions<D>,
): Promise<BatchNorm<D>> {
  return layerOf(await opened(file, open), prefix, options);
}

/**
 * Writes layers, states and other tensors as a file of torch: a dict of tensors by their names. `torch.load` reads it,
 * also with `weights_only=True`, and `load` gives back the same bits. Tensors of types that torch has since version 2.3,
 * such as uint16, need that version.
 *
 * @param states A layer, a state, or an object or Map of both by their prefixes.
 * @returns The bytes of the file.
 * @throws TypeError if something is no layer, no state and no array (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if two entries have the same name, a counter is wrong or the file would have 4 GB or more
 * (`ERR_BATCHNORM_VALUE`), or if a tensor has not as many elements as its shape (`ERR_BATCHNORM_SHAPE`).
 */
export function save(states: SavedStates): Uint8Array {
  const arrays = arraysOf(states);
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return writeZip([
    ["archive/data.pkl", pickleOf(arrays)],
    ["archive/byteorder", text("little")],
    ...arrays.map(({ data }, i) => [`archive/data/${i}`, viewOf(data)] as const),
    ["archive/version", text("3\n")],
  ]);
}
