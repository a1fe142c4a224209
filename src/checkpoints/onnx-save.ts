// Layers written back into the ONNX model that they came from: the same file with other elements.
import { describe, isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import { storeAs, widen } from "../base/storage.js";
import { DTYPES, isStoredIn16Bits, type DType } from "../base/types.js";
import { readEntries } from "../layer/state-keys.js";
import { viewOf, wholeOf } from "./bytes.js";
import { COUNTERS } from "./entry-names.js";
import { quoted } from "./json-text.js";
import { INPUTS, NAMES, storedOf, type OnnxBatchNorm } from "./onnx-nodes.js";
import { open } from "./onnx.js";
import { plainData } from "./onnx-tensor.js";
import type { CheckpointSource } from "./source.js";
import { arraysOf, type NamedArray, type SavedStates } from "./states.js";
import { bytesPerElement, countOf, type CheckpointTensor } from "./tensors.js";

/** The elements of an array in the type of a tensor of the model. */
function storedIn(tensor: CheckpointTensor, array: NamedArray): Uint8Array {
  const { dtype } = tensor;
  const { data } = array;
  const is16Bits = isStoredIn16Bits(array.dtype as DType);
  const values = Float64Array.from(
    is16Bits ? widen(array.dtype as DType, data as Uint16Array) : (data as Float32Array),
  );
  const stored = storeAs(dtype as DType, values);
  const back = isStoredIn16Bits(dtype as DType) ? widen(dtype as DType, stored as Uint16Array) : stored;
  const wide = values.findIndex((value, i) => Number.isFinite(value) && !Number.isFinite(back[i]!));
  if (wide < 0) return viewOf(stored);
  const text = `"${array.name}[${wide}]" expected a number that ${dtype} can hold, got ${values[wide]}`;
  throw rangeError("ERR_BATCHNORM_VALUE", text);
}

/** Where a tensor's elements begin in the file. All of them are there. */
function placeOf(tensor: CheckpointTensor, { node }: OnnxBatchNorm): number {
  const { dtype } = tensor;
  const stored = storedOf.get(tensor)!;
  const isHere = stored.external === null && !stored.isSegment && DTYPES.includes(dtype as DType);
  const place = isHere ? plainData(stored) : null;
  if (place?.end === (place?.begin ?? 0) + countOf(tensor.shape) * bytesPerElement(dtype)) return place.begin;
  const expected = "its elements in raw_data, or in the field of its type";
  const hint = stored.external ? ", got external data: save the model with its data inside" : "";
  const text = `${quoted(tensor.name)} of the node ${quoted(node)} expected ${expected}${hint}`;
  throw rangeError("ERR_BATCHNORM_FILE", text);
}

/** A state has no ε, and a layer one that the model has to agree with. */
function checkEps({ prefix, epsilon }: OnnxBatchNorm, states: ReadonlyMap<string, unknown>): void {
  const layer = states.get(prefix);
  const eps = isRecord(layer) ? fieldOf(layer, "eps") : undefined;
  if (typeof eps !== "number" || Math.fround(eps) === Math.fround(epsilon)) return;
  throw rangeError("ERR_BATCHNORM_STATE", `"${prefix}" expected eps ${epsilon} as in the model, got ${eps}`);
}

/** The arrays that take the place of a node's inputs. All of them have to be there. */
function writesOf(found: OnnxBatchNorm, arrays: ReadonlyMap<string, NamedArray>): readonly Write[] {
  return INPUTS.map((input) => {
    const name = found.prefix + NAMES[input];
    const [array, tensor] = [arrays.get(name), found.inputs[input]];
    if (!array || !tensor) {
      const lacking = array ? `${input} of the node ${quoted(found.node)} is no constant` : `"${name}" is missing`;
      throw rangeError("ERR_BATCHNORM_STATE", `the model needs all of scale, B, mean and variance: ${lacking}`);
    }
    const count = countOf(tensor.shape);
    if (countOf(array.shape) !== count)
      throw rangeError("ERR_BATCHNORM_SHAPE", `"${name}" expected length ${count}, got ${countOf(array.shape)}`);
    return { name, begin: placeOf(tensor, found), bytes: storedIn(tensor, array) };
  });
}

interface Write {
  readonly name: string;
  readonly begin: number;
  readonly bytes: Uint8Array;
}

/** Exporters store equal parameters once, and then cannot hold others. */
function checkShared(writes: readonly Write[]): void {
  const first = new Map<number, Write>();
  for (const write of writes) {
    const other = first.get(write.begin) ?? write;
    first.set(write.begin, other);
    if (write.bytes.every((byte, i) => byte === other.bytes[i])) continue;
    const text = `"${other.name}" and "${write.name}" share one tensor of the model, and so expected the same values`;
    throw rangeError("ERR_BATCHNORM_STATE", text);
  }
}

/**
 * Writes layers into the ONNX model that they were loaded from. It returns the same model with their parameters and
 * running statistics in the place of the old ones. Nothing else of it changes: neither its graph nor its attributes.
 *
 * @param file Where the model is. It is read as a whole.
 * @param states Layers or states by their prefixes, as `findBatchNorms` lists these. Nodes without one stay as they are.
 * @returns The bytes of the new model. Values are rounded to the types that the model has.
 * @throws RangeError if the file is damaged or has the elements where they cannot be replaced, as in another file (`ERR_BATCHNORM_FILE`); if a
 * prefix is unknown, an entry is missing, a layer's `eps` is not the node's, or tensors that the model stores once would
 * differ (`ERR_BATCHNORM_STATE`); if the numbers of channels differ (`ERR_BATCHNORM_SHAPE`); or if a value is too large for
 * the type (`ERR_BATCHNORM_VALUE`). The promise rejects with it.
 * @throws TypeError if something is no layer and no state (`ERR_BATCHNORM_TYPE`).
 */
export async function save(file: CheckpointSource, states: SavedStates): Promise<Uint8Array> {
  if (!isRecord(states))
    throw typeError("ERR_BATCHNORM_TYPE", `"states" expected an object of layers, got ${describe(states)}`);
  const arrays = new Map(arraysOf(states).map((array) => [array.name, array]));
  const model = (await wholeOf(file)).slice();
  const { batchNorms } = await open(model);
  // Counters have no place in a model.
  const isOf = (name: string, { prefix }: OnnxBatchNorm): boolean =>
    [...Object.values<string>(NAMES), ...COUNTERS].some((own) => name === prefix + own);
  const used = batchNorms.filter((found) => [...arrays.keys()].some((name) => isOf(name, found)));
  const unknown = [...arrays.keys()].find((name) => !used.some((found) => isOf(name, found)));
  if (unknown !== undefined)
    throw rangeError("ERR_BATCHNORM_STATE", `"${unknown}" belongs to no batch normalization of the model`);
  const isLayer = typeof fieldOf(states, "stateDict") === "function";
  const entries = isLayer ? new Map([["", states]]) : readEntries(states);
  for (const found of used) checkEps(found, entries);
  const writes = used.flatMap((found) => writesOf(found, arrays));
  checkShared(writes);
  for (const { begin, bytes } of writes) model.set(bytes, begin);
  return model;
}
