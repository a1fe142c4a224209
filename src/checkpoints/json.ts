// State dicts as JSON text. What JSON cannot say exactly is written as a string (NaN, infinities) or as -0.
import { describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { batchNormsIn, layerOf, type FoundBatchNorm } from "./batch-norms.js";
import { wholeOf } from "./bytes.js";
import { parseMembers, quoted, textOf, type Json } from "./json-text.js";
import type { CheckpointSource } from "./source.js";
import { arraysOf, type NamedArray, type SavedStates } from "./states.js";
import { countOf, opened, type Checkpoint, type CheckpointTensor, type TensorArray } from "./tensors.js";

const fail = (name: string, expected: string): never => {
  throw rangeError("ERR_BATCHNORM_FILE", `${quoted(name)} in the file expected ${expected}`);
};

/** An entry before its elements are read. */
interface Values {
  readonly list: readonly Json[];
  readonly dtype: Json;
  readonly shape: readonly number[];
}

const isSize = (size: Json): boolean => Number.isSafeInteger(size) && (size as number) >= 0;

/**
 * The forms of an entry: an array, a tensor, and the object that `JSON.stringify` makes of a typed array. Anything else,
 * such as the nested arrays of a convolution, is no entry of a batch normalization.
 */
function valuesOf(value: Json): Values | null {
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    return list.some((element) => typeof element === "object" && element !== null)
      ? null
      : { list, dtype: "float32", shape: [list.length] };
  }
  if (!(value instanceof Map)) return null;
  const object = value as ReadonlyMap<string, Json>;
  const data = object.get("data");
  if (data === undefined)
    return [...object.keys()].every((key, i) => key === String(i)) ? valuesOf([...object.values()]) : null;
  const values = valuesOf(data);
  const shape = object.get("shape");
  const isShape = Array.isArray(shape) && (shape as readonly Json[]).every(isSize);
  const dtype = object.get("dtype") ?? "float32";
  return values && { ...values, dtype, shape: isShape ? (shape as readonly number[]) : values.shape };
}

const WORDS: ReadonlyMap<Json, number> = new Map([NaN, Infinity, -Infinity].map((value) => [String(value), value]));

function numberOf(name: string, value: Json): number {
  const number = typeof value === "number" ? value : WORDS.get(value);
  return (
    number ??
    fail(
      name,
      `numbers, "NaN", "Infinity" or "-Infinity", got ${typeof value === "string" ? quoted(value) : describe(value)}`,
    )
  );
}

function elementsOf(name: string, list: readonly Json[], dtype: FloatType): TensorArray {
  const numbers = list.map((value) => numberOf(name, value));
  if (dtype === "float64") return Float64Array.from(numbers);
  const wide = numbers.find((value) => Number.isFinite(value) && !Number.isFinite(Math.fround(value)));
  return wide === undefined ? Float32Array.from(numbers) : fail(name, `numbers that float32 can hold, got ${wide}`);
}

function tensorOf(name: string, value: Json): CheckpointTensor | null {
  if (typeof value === "number") {
    const isCount = Number.isSafeInteger(value);
    const read = (): TensorArray => (isCount ? BigInt64Array.of(BigInt(value)) : Float64Array.of(value));
    return { name, dtype: isCount ? "int64" : "float64", shape: [], read: () => Promise.resolve(read()) };
  }
  const values = valuesOf(value);
  if (values === null) return null;
  const { list, dtype, shape } = values;
  if (dtype !== "float32" && dtype !== "float64") return fail(name, `"dtype" to be "float32" or "float64"`);
  if (countOf(shape) !== list.length) fail(name, `${countOf(shape)} elements for its shape, got ${list.length}`);
  return { name, dtype, shape, read: async () => Promise.resolve(elementsOf(name, list, dtype)) };
}

/**
 * Opens JSON text: an object of arrays by their names. `save` writes such, and so does Python with `tolist()` and
 * `json.dump`. The text is read as a whole. Entries of other forms are left out.
 *
 * @param file The text, or where the file is.
 * @returns The tensors of the file.
 * @throws RangeError if the file is no JSON, a key occurs twice, or an entry is wrong (`ERR_BATCHNORM_FILE`). The promise
 * rejects with it.
 */
export async function open(file: CheckpointSource | string): Promise<Checkpoint> {
  const text = typeof file === "string" ? file : textOf(await wholeOf(file));
  const tensors = [...parseMembers(text, tensorOf).values()].filter((tensor) => tensor !== null);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata: new Map() };
}

/**
 * Lists the batch normalizations in JSON text, as the function of `batchnorm/safetensors` does in a file of that format.
 *
 * @param file The text, where the file is, or what `open` returned.
 * @returns The prefixes of their names, with the number of channels.
 * @throws RangeError if the file is damaged (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 */
export async function findBatchNorms(file: CheckpointSource | Checkpoint | string): Promise<readonly FoundBatchNorm[]> {
  return batchNormsIn(await opened(file, open));
}

/**
 * Makes a layer of a batch normalization in JSON text, as the function of `batchnorm/safetensors` does of a file of that
 * format. The layer is in inference mode, with exactly the values of the text.
 *
 * @param file The text, where the file is, or what `open` returned.
 * @param prefix What stands before the names of the entries, for example `"bn1."`.
 * @param options The options of the layer. If the file has no `weight` and no `bias`, pass `affine: false`.
 * @returns The layer.
 * @throws RangeError if the file is damaged (`ERR_BATCHNORM_FILE`), if it has no batch normalization of that prefix or
 * entries are missing (`ERR_BATCHNORM_STATE`), or if an entry has a wrong shape (`ERR_BATCHNORM_SHAPE`) or a wrong value
 * (`ERR_BATCHNORM_VALUE`). The promise rejects with it.
 */
export async function load<D extends DType = FloatType>(
  file: CheckpointSource | Checkpoint | string,
  prefix: string,
  options?: BatchNormOptions<D>,
): Promise<BatchNorm<D>> {
  return layerOf(await opened(file, open), prefix, options);
}

const textOfNumber = (value: number): string =>
  Number.isFinite(value) ? (Object.is(value, -0) ? "-0" : String(value)) : JSON.stringify(String(value));

/** A float32 array is a plain one, which Python reads, and a counter is a number. */
function textOfArray({ name, dtype, shape, data }: NamedArray): string {
  if (dtype === "int64" && shape.length === 0) return String(data[0]);
  if (dtype !== "float32" && dtype !== "float64")
    throw typeError("ERR_BATCHNORM_TYPE", `"${name}" expected float32, float64 or a counter, got ${dtype}`);
  const list = `[${Array.from(data as Float64Array, textOfNumber).join(",")}]`;
  const isPlain = dtype === "float32" && shape.length === 1;
  return isPlain ? list : `{"dtype":"${dtype}","shape":${JSON.stringify(shape)},"data":${list}}`;
}

/**
 * Writes layers and states as JSON text, so that `load` gives back the same bits. NaN, Infinity and -Infinity are
 * strings. Arrays of float64 elements say so, as tensors `{ dtype, shape, data }`.
 *
 * @param states A layer, a state, or an object or Map of both by their prefixes.
 * @returns The text.
 * @throws TypeError if something is no layer, no state and no array of float32 or float64 (`ERR_BATCHNORM_TYPE`).
 * @throws RangeError if two entries have the same name or a counter is wrong (`ERR_BATCHNORM_VALUE`), or if a tensor has
 * not as many elements as its shape (`ERR_BATCHNORM_SHAPE`).
 */
export function save(states: SavedStates): string {
  const members = arraysOf(states).map((array) => `${JSON.stringify(array.name)}:${textOfArray(array)}`);
  return `{${members.join(",\n")}}\n`;
}
