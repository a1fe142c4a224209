// ONNX models as bytes: the few fields of onnx.proto that float32 graphs without initializers need, in protobuf's wire
// format (https://protobuf.dev/programming-guides/encoding/): a key of field number and type, then the value.

const VARINT = 0;
const BYTES = 2;
const FIXED32 = 5;

const FLOAT = 1;
/** IR version 8 came with opset 15 (ONNX 1.10). */
const IR_VERSION = 8;
const OPSET = 15;

type Attribute = number | readonly number[];

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** "f:…" is a float attribute, any other an int or a list of ints. */
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  /** Shapes by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

/** A number in groups of 7 bits, lowest first. Negative ones are 64 bits long. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const key = (field: number, type: number): number[] => varint(field * 8 + type);
export const int = (field: number, value: number): number[] => [...key(field, VARINT), ...varint(value)];
export const message = (field: number, ...parts: readonly (readonly number[])[]): number[] => {
  const content = parts.flat();
  return [...key(field, BYTES), ...varint(content.length), ...content];
};
export const text = (field: number, value: string): number[] => message(field, [...new TextEncoder().encode(value)]);
export const float = (field: number, value: number): number[] => [
  ...key(field, FIXED32),
  ...new Uint8Array(Float32Array.of(value).buffer),
];

/** AttributeProto: name 1, f 2, i 3, ints 8, type 20 (1 float, 2 int, 7 ints). */
export function attribute([name, value]: [string, Attribute]): number[] {
  if (name.startsWith("f:")) return message(5, text(1, name.slice(2)), float(2, Number(value)), int(20, 1));
  if (typeof value === "number") return message(5, text(1, name), int(3, value), int(20, 2));
  return message(5, text(1, name), ...value.map((one) => int(8, one)), int(20, 7));
}

/** NodeProto: input 1, output 2, op_type 4, attribute 5. */
function node({ op, inputs, outputs, attributes }: OnnxNode): number[] {
  return message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, op),
    ...Object.entries(attributes ?? {}).map(attribute),
  );
}

/** ValueInfoProto: name 1, type 2 { tensor_type 1 { elem_type 1, shape 2 { dim 1 { dim_value 1 } } } }. */
function values(field: number, shapes: Readonly<Record<string, readonly number[]>>): number[][] {
  return Object.entries(shapes).map(([name, shape]) => {
    const dimensions = shape.map((size) => message(1, int(1, size)));
    return message(field, text(1, name), message(2, message(1, int(1, FLOAT), message(2, ...dimensions))));
  });
}

/** ModelProto: ir_version 1, graph 7, opset_import 8; GraphProto: node 1, name 2, input 11, output 12. */
export function encodeModel({ nodes, inputs, outputs }: OnnxGraph): Uint8Array {
  const graph = message(7, ...nodes.map(node), text(2, "batchnorm"), ...values(11, inputs), ...values(12, outputs));
  return Uint8Array.from([...int(1, IR_VERSION), ...graph, ...message(8, int(2, OPSET))]);
}
