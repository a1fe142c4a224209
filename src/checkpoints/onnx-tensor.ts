// The TensorProto of an ONNX file: where its elements are, and how they are read.
import { MOST_AXES } from "../base/axes.js";
import type { FilesBeside } from "./onnx-external.js";
import { EXTERNAL_KEYS, type ExternalEntries } from "./onnx-location.js";
import { BYTES, fail, WireReader, type Field } from "./onnx-wire.js";
import { bytesPerElement, countOf, elementsOf, TENSOR_ARRAYS, type TensorArray, type TensorDType } from "./tensors.js";

/** The numbers of the element types in TensorProto.DataType that an array of JavaScript can hold. */
const DTYPES: ReadonlyMap<number, TensorDType> = new Map([
  [1, "float32"],
  [2, "uint8"],
  [3, "int8"],
  [4, "uint16"],
  [5, "int16"],
  [6, "int32"],
  [7, "int64"],
  [9, "bool"],
  [10, "float16"],
  [11, "float64"],
  [12, "uint32"],
  [13, "uint64"],
  [16, "bfloat16"],
  [17, "float8_e4m3"],
  [19, "float8_e5m2"],
  [24, "float8_e8m0"],
]);

const RAW_DATA = 9;
/** The fields of elements beside raw_data. The first two are packed in the bytes that raw_data would have. */
const FLOAT_DATA = 4;
const DOUBLE_DATA = 10;
const INT32_DATA = 5;
const DATA = [FLOAT_DATA, INT32_DATA, 7, RAW_DATA, DOUBLE_DATA, 11];

/** A tensor whose elements have not been read. */
export interface StoredTensor {
  readonly name: string;
  /** null for types that no array holds: strings, complex numbers, 4 bits. */
  readonly dtype: TensorDType | null;
  readonly shape: readonly number[];
  /** The fields that hold elements. */
  readonly data: readonly Field[];
  /** What the model says about the file that has the elements, or null if the model itself has them. */
  readonly external: ExternalEntries | null;
  /** It is a part of a tensor. */
  readonly isSegment: boolean;
}

/** A model, and what its tensors are read from. */
export interface ModelFiles {
  readonly wire: WireReader;
  readonly beside: FilesBeside;
}

/** A StringStringEntryProto: key 1, value 2. */
export async function readEntry(wire: WireReader, field: Field): Promise<readonly [key: string, value: string]> {
  const entry: [string, string] = ["", ""];
  await wire.inside(field, async (inner) => {
    if (inner.number === 1 || inner.number === 2) entry[inner.number - 1] = await wire.text(inner);
  });
  return entry;
}

/** What a TensorProto says, field by field. */
interface Fields {
  name: string;
  type: number;
  shape: number[];
  data: Field[];
  isSegment: boolean;
  isExternal: boolean;
  external: Map<string, string>;
}

/** dims 1, data_type 2, segment 3, elements, name 8, external_data 13, data_location 14. */
async function readField(wire: WireReader, field: Field, to: Fields): Promise<void> {
  const { number, value } = field;
  if (number === 1) to.shape.push(...(await wire.numbers(field, MOST_AXES)));
  else if (number === 2) to.type = value;
  else if (number === 3) to.isSegment = true;
  else if (number === 8) to.name = await wire.text(field);
  else if (number === 13) {
    const [key, text] = await readEntry(wire, field);
    if (to.external.has(key)) fail(to.name, `one ${key} of its external data, got another`);
    if (EXTERNAL_KEYS.includes(key)) to.external.set(key, text);
  } else if (number === 14) to.isExternal = value === 1;
  else if (DATA.includes(number)) to.data.push(field);
  if (to.shape.length > MOST_AXES) fail(to.name, `at most ${MOST_AXES} axes`);
  if (to.data.length > 1) fail(to.name, "its elements in one field, which is packed");
}

/** Reads a TensorProto but for its elements. */
export async function readTensor(wire: WireReader, field: Field): Promise<StoredTensor> {
  const fields: Fields = {
    ...{ name: "", type: 0, shape: [], data: [] },
    ...{ isSegment: false, isExternal: false, external: new Map<string, string>() },
  };
  await wire.inside(field, (inner) => readField(wire, inner, fields));
  const { name, shape, data, isSegment } = fields;
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) fail(name, `sizes, got [${shape.join(", ")}]`);
  const external = fields.isExternal ? fields.external : null;
  return { name, dtype: DTYPES.get(fields.type) ?? null, shape, data, external, isSegment };
}

/** Where the bytes of the elements are, if the file has them as they are in memory. */
export function plainData({ dtype, data: [field] }: StoredTensor): Field | null {
  if (field?.type !== BYTES) return null;
  const isPlain =
    field.number === RAW_DATA ||
    (field.number === FLOAT_DATA && dtype === "float32") ||
    (field.number === DOUBLE_DATA && dtype === "float64");
  return isPlain ? field : null;
}

/** The elements. No memory is taken for more of them than the file has bytes. */
export async function readElements(files: ModelFiles, tensor: StoredTensor, dtype: TensorDType): Promise<TensorArray> {
  const { wire, beside } = files;
  const { name, shape, external } = tensor;
  const [field] = tensor.data;
  const count = countOf(shape);
  if (tensor.isSegment) fail(name, "whole elements, got a segment");
  if (external !== null) {
    // An empty field has none.
    if (field && field.end > field.begin) fail(name, "its elements in the model or in another file, got both");
    return elementsOf(dtype, await beside.read(name, external, count * bytesPerElement(dtype)));
  }
  const plain = plainData(tensor);
  const got = plain ? plain.end - plain.begin : 0;
  if (plain || field === undefined) {
    const expected = count * bytesPerElement(dtype);
    if (got !== expected) fail(name, `${expected} bytes for its shape of ${dtype}, got ${got}`);
    return elementsOf(dtype, await wire.bytes.read(plain?.begin ?? 0, got));
  }
  const Elements = TENSOR_ARRAYS[dtype];
  if (field.number !== INT32_DATA || Elements.BYTES_PER_ELEMENT > 4 || dtype === "float32" || dtype === "uint32")
    return fail(name, `elements of ${dtype} in raw_data or in the field of their type, got field ${field.number}`);
  // A reader of its own: the one that reads the model may be at work elsewhere.
  const numbers = await new WireReader(wire.bytes, wire.size).numbers(field, count);
  if (numbers.length !== count) fail(name, `${count} elements for its shape, got ${numbers.length}`);
  const elements = (Elements as typeof Uint16Array).from(numbers);
  const wrong = numbers.findIndex((number, i) => number !== elements[i]);
  return wrong < 0 ? elements : fail(name, `elements that ${dtype} can hold, got ${numbers[wrong]}`);
}
