// ONNX models as bytes, for tests: graphs with initializers, constants and graphs inside, of any opset and type.
import { attribute, int, message, text } from "../../bench/peers/onnx-model.js";
import type { TensorArray } from "../../src/safetensors.js";

/** The numbers of TensorProto.DataType. */
export const TYPES = { float32: 1, int64: 7, string: 8, float16: 10, float64: 11, bfloat16: 16 } as const;
export type TypeName = keyof typeof TYPES;

/** Where the elements of a tensor are: raw_data 9, float_data 4, int32_data 5, double_data 10. */
export type Storing = "raw" | "float" | "int32" | "double";

const varint = (value: number): number[] => int(1, value).slice(1);
const bytesOf = (array: TensorArray): number[] => [...new Uint8Array(array.buffer, array.byteOffset, array.byteLength)];

const STORED: Readonly<Record<Storing, (data: TensorArray) => number[]>> = {
  raw: (data) => message(9, bytesOf(data)),
  float: (data) => message(4, bytesOf(Float32Array.from(data as Float32Array))),
  double: (data) => message(10, bytesOf(Float64Array.from(data as Float64Array))),
  int32: (data) => message(5, ...Array.from(data as Uint16Array, varint)),
};

interface Stored {
  readonly type?: TypeName;
  readonly dims?: readonly number[];
  readonly storing?: Storing;
}

/** A TensorProto without its key. */
export function tensorProto(name: string, data: TensorArray, more: Stored = {}): number[] {
  const { type = "float32", dims = [data.length], storing = "raw" } = more;
  const sizes = message(1, ...dims.map(varint));
  return [...sizes, ...int(2, TYPES[type]), ...text(8, name), ...STORED[storing](data)];
}

/** A TensorProto without its key, whose elements are in another file. The entries are those of `external_data`. */
export function externalProto(
  name: string,
  dims: readonly number[],
  entries: Readonly<Record<string, string | number>>,
  type: TypeName = "float32",
): number[] {
  const told = Object.entries(entries).map(([key, value]) => message(13, text(1, key), text(2, String(value))));
  return [...message(1, ...dims.map(varint)), ...int(2, TYPES[type]), ...text(8, name), ...told.flat(), ...int(14, 1)];
}

export interface ModelNode {
  readonly op: string;
  readonly name?: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** "f:…" is a float attribute, any other an int. */
  readonly attributes?: Readonly<Record<string, number>>;
  /** The attribute `value` of a Constant: a TensorProto. */
  readonly value?: readonly number[];
  /** The attribute `then_branch` of an If: a GraphProto. */
  readonly graph?: readonly number[];
}

function node({ op, name = "", domain = "", inputs, outputs, attributes = {}, value, graph }: ModelNode): number[] {
  return message(
    1,
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    text(3, name),
    text(4, op),
    ...Object.entries(attributes).map(attribute),
    ...(value ? [message(5, text(1, "value"), message(5, value), int(20, 4))] : []),
    ...(graph ? [message(5, text(1, "then_branch"), message(6, graph), int(20, 5))] : []),
    ...(domain ? [text(7, domain)] : []),
  );
}

/** A ValueInfoProto of a tensor. */
function value(field: number, name: string, type: TypeName, dims: readonly number[]): number[] {
  const shape = message(2, ...dims.map((size) => message(1, int(1, size))));
  return message(field, text(1, name), message(2, message(1, int(1, TYPES[type]), shape)));
}

export interface ModelGraph {
  readonly nodes: readonly ModelNode[];
  readonly initializers?: readonly (readonly number[])[];
  readonly inputs?: readonly (readonly [name: string, type: TypeName, dims: readonly number[]])[];
  readonly outputs?: readonly (readonly [name: string, type: TypeName, dims: readonly number[]])[];
}

/** A GraphProto without its key. */
export function graphProto({ nodes, initializers = [], inputs = [], outputs = [] }: ModelGraph): number[] {
  return [
    ...nodes.flatMap(node),
    ...text(2, "graph"),
    ...initializers.flatMap((tensor) => message(5, tensor)),
    ...inputs.flatMap((input) => value(11, ...input)),
    ...outputs.flatMap((output) => value(12, ...output)),
  ];
}

/** The IR version with which each opset came. onnxruntime wants one that knows the opset. */
const irVersion = (opset: number): number => (opset < 9 ? 3 : opset < 15 ? 4 : 8);

export function modelOf(graph: ModelGraph, opset = 15, ...more: readonly (readonly number[])[]): Uint8Array {
  const parts = [int(1, irVersion(opset)), message(7, graphProto(graph)), message(8, int(2, opset)), ...more];
  return Uint8Array.from(parts.flat());
}
