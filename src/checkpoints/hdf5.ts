// The numbers in files of HDF5, and text that stands beside them.
import type { Dataset, Group } from "h5wasm";
import { rangeError } from "../base/errors.js";
import { allocateBytes, viewOf } from "./bytes.js";
import { session } from "./hdf5-library.js";
import { quoted } from "./json-text.js";
import type { NamedArray } from "./states.js";
import {
  bytesPerElement,
  countOf,
  elementsOf,
  type CheckpointTensor,
  type TensorArray,
  type TensorDType,
} from "./tensors.js";

/** What h5wasm calls element types. Others are no numbers, or have their bytes in the other order. */
const DTYPES: ReadonlyMap<unknown, TensorDType> = new Map([
  ["<f", "float32"],
  ["<d", "float64"],
  ["<e", "float16"],
  ["<b", "int8"],
  ["<B", "uint8"],
  ["<h", "int16"],
  ["<H", "uint16"],
  ["<i", "int32"],
  ["<I", "uint32"],
  ["<q", "int64"],
  ["<Q", "uint64"],
]);

const MOST_DEPTH = 32;
/** Links can make a file look larger than it is, or endless. */
const MOST_OBJECTS = 100_000;

const fail = (text: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", text);
};

/** What was found at a path. */
interface Found {
  readonly path: string;
  readonly dataset: Dataset;
}

/** All datasets below a group. A link to nothing, or to another file, has no shape and no keys. */
function* datasetsIn(group: Group, path: string, depth: number, budget: { left: number }): Generator<Found> {
  if (depth > MOST_DEPTH) fail(`the file expected at most ${MOST_DEPTH} levels of groups`);
  for (const key of group.keys()) {
    if (--budget.left < 0) fail(`the file expected at most ${MOST_OBJECTS} datasets and groups`);
    const inner = path === "" ? key : `${path}/${key}`;
    const object = group.get(key);
    if (object?.type === "Group") yield* datasetsIn(object, inner, depth + 1, budget);
    else if (object?.type === "Dataset") yield { path: inner, dataset: object };
  }
}

/** The elements that a dataset has. A compressed one, or one of which nothing was written, may claim any number. */
function valueOf({ path, dataset }: Found, dtype: TensorDType, shape: readonly number[], most: number): TensorArray {
  const size = countOf(shape) * bytesPerElement(dtype);
  if (size > most) fail(`${quoted(path)} expected at most the ${most} bytes of the file, got ${size}`);
  if (size === 0) return elementsOf(dtype, allocateBytes(0));
  const { value } = dataset;
  const held = ArrayBuffer.isView(value) ? viewOf(value).slice() : null;
  if (held !== null)
    return held.length === size
      ? elementsOf(dtype, held)
      : fail(`${quoted(path)} expected ${size} bytes, got ${held.length}`);
  // A dataset without axes has its only value as a number.
  const array = elementsOf(dtype, allocateBytes(size));
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) array[0] = BigInt(value as bigint);
  else array[0] = Number(value);
  return array;
}

/** A file of HDF5: its numbers by their paths, and a text that the whole file has. */
export interface Hdf5 {
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  readonly config: string | null;
}

/** Vectors are read at once, as they are small. Others are read when they are asked for, from the file in memory. */
function tensorOf(found: Found, bytes: Uint8Array): CheckpointTensor | null {
  const { path: name, dataset } = found;
  const [dtype, shape] = [DTYPES.get(dataset.dtype), dataset.shape?.map(Number)];
  if (dtype === undefined || shape === undefined || (dtype === "float16" && shape.length === 0)) return null;
  if (shape.length <= 1) {
    const data = valueOf(found, dtype, shape, bytes.length);
    return { name, dtype, shape, read: () => Promise.resolve(data.slice()) };
  }
  const read = async (): Promise<TensorArray> => {
    const again = (file: Group): TensorArray =>
      valueOf({ path: name, dataset: file.get(name)! }, dtype, shape, bytes.length);
    return (await session("r", bytes, again))[0];
  };
  return { name, dtype, shape, read };
}

/** Reads a file of HDF5. `config` is the name of the text. */
export async function readHdf5(bytes: Uint8Array, config: string): Promise<Hdf5> {
  const [result] = await session("r", bytes, (file): Hdf5 => {
    const budget = { left: MOST_OBJECTS };
    const tensors = [...datasetsIn(file, "", 0, budget)].map((found) => tensorOf(found, bytes));
    const text = file.attrs[config]?.value;
    const known = tensors.filter((tensor) => tensor !== null);
    return {
      tensors: new Map(known.map((tensor) => [tensor.name, tensor])),
      config: typeof text === "string" ? text : null,
    };
  });
  return result;
}

/** Writes arrays as datasets, whose names are paths. */
export async function writeHdf5(arrays: readonly NamedArray[]): Promise<Uint8Array> {
  const [, bytes] = await session("w", allocateBytes(0), (file) => {
    const groups = new Map<string, Group>([["", file]]);
    const groupAt = (path: string): Group => {
      const known = groups.get(path);
      if (known !== undefined) return known;
      const cut = path.lastIndexOf("/");
      const group = groupAt(path.slice(0, Math.max(cut, 0))).create_group(path.slice(cut + 1));
      groups.set(path, group);
      return group;
    };
    for (const { name, data, shape } of arrays) {
      const cut = name.lastIndexOf("/");
      groupAt(name.slice(0, Math.max(cut, 0))).create_dataset({ name: name.slice(cut + 1), data, shape });
    }
  });
  return bytes;
}
