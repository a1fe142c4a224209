// ONNX models that are damaged or made to harm: each is refused with a stable code, and none takes memory or time beyond
// what the file has.
import { expect, test } from "vitest";
import { int, message, text } from "../../bench/peers/onnx-model.js";
import { findBatchNorms, load, open } from "../../src/onnx.js";
import { externalProto, graphProto, modelOf, tensorProto, type ModelNode } from "../support/onnx-models.js";

const MODEL = "this is no ONNX model, or it is damaged";
const bytes = (...parts: readonly (readonly number[])[]): Uint8Array => Uint8Array.from(parts.flat());
const opset = message(8, int(2, 15));
const graph = (...content: readonly (readonly number[])[]): number[] => message(7, content.flat());

const TABLE = Float32Array.of(1, 2, 3);
const INPUTS = ["x", "w", "b", "m", "v"];
const norm: ModelNode = { op: "BatchNormalization", name: "n", inputs: INPUTS, outputs: ["y"] };
const initializers = INPUTS.slice(1).map((name) => tensorProto(name, TABLE));
const identity = (from: string, to: string): ModelNode => ({ op: "Identity", inputs: [from], outputs: [to] });

const nested = (depth: number): number[] =>
  depth === 0 ? [] : graphProto({ nodes: [{ op: "If", inputs: [], outputs: ["z"], graph: nested(depth - 1) }] });

const OPENED: readonly (readonly [string, Uint8Array, string])[] = [
  ["nothing", bytes(), "the model expected a graph and an opset of ONNX: this is no ONNX model"],
  ["text", new TextEncoder().encode('{"a": 1}'), `the protobuf expected a field without groups at byte 1: ${MODEL}`],
  ["no graph", bytes(opset), "the model expected a graph and an opset of ONNX: this is no ONNX model"],
  ["no opset", bytes(graph()), "the model expected a graph and an opset of ONNX: this is no ONNX model"],
  [
    "an opset of others alone",
    bytes(graph(), message(8, text(1, "com.example"), int(2, 15))),
    "the model expected a graph and an opset of ONNX: this is no ONNX model",
  ],
  [
    "an opset below 0",
    bytes(graph(), message(8, int(2, -1))),
    "the model expected a graph and an opset of ONNX: this is no ONNX model",
  ],
  ["two graphs", bytes(graph(), graph(), opset), "the model expected one graph, got another"],
  ["a graph that is a number", bytes(int(7, 1)), `the protobuf expected a message at byte 2: ${MODEL}`],
  ["a key that does not end", bytes([0x80]), `the protobuf expected a number that ends at byte 1: ${MODEL}`],
  [
    "a number of 11 bytes",
    bytes([0x08], Array<number>(11).fill(0x80), [0]),
    `the protobuf expected a number of at most 64 bits at byte 11: ${MODEL}`,
  ],
  [
    "a number of 70 bits",
    bytes([0x08], Array<number>(9).fill(0xff), [0x7f]),
    `the protobuf expected a number of at most 64 bits at byte 11: ${MODEL}`,
  ],
  ["field 0", bytes([0, 0]), `the protobuf expected a field number from 1 to 2^29 - 1 at byte 1: ${MODEL}`],
  [
    "a field beyond the end",
    bytes([0x3a, 100, 1]),
    `the protobuf expected a field that ends by byte 3, got 100 bytes at byte 2: ${MODEL}`,
  ],
  [
    "a field of 2^62 bytes",
    bytes([0x3a], Array<number>(8).fill(0x80), [0x40]),
    `the protobuf expected a field that ends by byte 10, got ${2 ** 62} bytes at byte 10: ${MODEL}`,
  ],
  [
    "a field of -1 bytes",
    bytes([0x3a], Array<number>(9).fill(0xff), [1]),
    `the protobuf expected a field that ends by byte 11, got -1 bytes at byte 11: ${MODEL}`,
  ],
  [
    "a field beyond the end of its message",
    bytes([0x3a, 3, 0x12, 50, 1], Array<number>(60).fill(0)),
    `the protobuf expected a field that ends by byte 5, got 50 bytes at byte 4: ${MODEL}`,
  ],
  [
    "8 bytes that are not there",
    bytes([0x09, 1]),
    `the protobuf expected a field that ends by byte 2, got 8 bytes at byte 1: ${MODEL}`,
  ],
  ["a group", bytes([0x0b, 0x0c]), `the protobuf expected a field without groups at byte 1: ${MODEL}`],
  [
    "a name that is no UTF-8",
    bytes(graph(message(5, message(8, [0xff]))), opset),
    `the protobuf expected text in UTF-8 at byte 6: ${MODEL}`,
  ],
  [
    "a name of 20 000 bytes",
    bytes(graph(message(5, text(8, "a".repeat(20_000)))), opset),
    `the protobuf expected a text of at most 16384 bytes at byte 20012: ${MODEL}`,
  ],
  ["a tensor without a name", bytes(graph(message(5, int(2, 1))), opset), '"" in the model expected a name'],
  [
    "a tensor twice",
    modelOf({ nodes: [], initializers: [tensorProto("a", TABLE), tensorProto("a", TABLE)] }),
    '"a" in the model expected to be defined once',
  ],
  [
    "a tensor that is also an output",
    modelOf({ nodes: [identity("b", "a")], initializers: [tensorProto("a", TABLE)] }),
    '"a" in the model expected to be defined once',
  ],
  [
    "a size below 0",
    modelOf({ nodes: [], initializers: [tensorProto("a", TABLE, { dims: [-3] })] }),
    '"a" in the model expected sizes, got [-3]',
  ],
  [
    "a size of 2^60",
    modelOf({ nodes: [], initializers: [tensorProto("a", TABLE, { dims: [2 ** 60] })] }),
    `"a" in the model expected sizes, got [${2 ** 60}]`,
  ],
  [
    "65 axes",
    modelOf({ nodes: [], initializers: [tensorProto("a", TABLE, { dims: Array<number>(65).fill(1) })] }),
    expect.stringMatching(/^the protobuf expected at most 64 numbers at byte \d+: /) as string,
  ],
  [
    "65 axes, each in a field of its own",
    bytes(graph(message(5, ...Array.from({ length: 65 }, () => int(1, 1)))), opset),
    '"" in the model expected at most 64 axes',
  ],
  [
    "elements in two fields",
    modelOf({ nodes: [], initializers: [[...tensorProto("a", TABLE), ...message(4, [0, 0, 0, 0])]] }),
    '"a" in the model expected its elements in one field, which is packed',
  ],
];

test.each(OPENED)("%s", async (_, file, expected) => {
  await expect(open(file)).rejects.toMatchObject({ name: "RangeError", code: "ERR_BATCHNORM_FILE", message: expected });
});

test("graphs inside one another", async () => {
  await expect(open(bytes(graph(nested(15)), opset))).resolves.toMatchObject({ opset: 15 });
  const message = "the model expected at most 16 graphs inside one another";
  await expect(open(bytes(graph(nested(16)), opset))).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
  await expect(open(bytes(graph(nested(500)), opset))).rejects.toMatchObject({ code: "ERR_BATCHNORM_FILE", message });
});

const withTensor = (tensor: readonly number[]): Uint8Array =>
  modelOf({ nodes: [norm], initializers: [tensor, ...initializers.slice(1)] });

const LOADED: readonly (readonly [string, Uint8Array, string])[] = [
  [
    "external data",
    withTensor(externalProto("w", [3], { location: "weights.bin" })),
    '"w" in the model expected the file "weights.bin", which has its elements: pass the option "external" with it, or save the model with its data inside',
  ],
  [
    "a segment",
    withTensor([...tensorProto("w", TABLE), ...message(3, int(1, 0))]),
    '"w" in the model expected whole elements, got a segment',
  ],
  [
    "fewer bytes than the shape",
    withTensor(tensorProto("w", TABLE.subarray(1), { dims: [3] })),
    '"w" in the model expected 12 bytes for its shape of float32, got 8',
  ],
  [
    "no elements",
    withTensor([...message(1, [3]), ...int(2, 1), ...text(8, "w")]),
    '"w" in the model expected 12 bytes for its shape of float32, got 0',
  ],
  [
    "a huge shape",
    withTensor(tensorProto("w", TABLE, { dims: [2 ** 50] })),
    `"w" in the model expected ${2 ** 52} bytes for its shape of float32, got 12`,
  ],
  [
    "a huge shape of numbers",
    withTensor(tensorProto("w", Uint16Array.of(1, 2), { type: "float16", storing: "int32", dims: [2 ** 50] })),
    `"w" in the model expected ${2 ** 50} elements for its shape, got 2`,
  ],
  [
    "too many numbers",
    withTensor(tensorProto("w", Uint16Array.of(1, 2, 3, 4), { type: "float16", storing: "int32", dims: [3] })),
    expect.stringMatching(/^the protobuf expected at most 3 numbers at byte \d+: /) as string,
  ],
  [
    "a number that is no float16",
    withTensor(tensorProto("w", Uint32Array.of(1, 65536, 3), { type: "float16", storing: "int32" })),
    '"w" in the model expected elements that float16 can hold, got 65536',
  ],
  [
    "float64 in float_data",
    withTensor(tensorProto("w", TABLE, { type: "float64", storing: "float" })),
    '"w" in the model expected elements of float64 in raw_data or in the field of their type, got field 4',
  ],
  [
    "whole numbers",
    withTensor(tensorProto("w", BigInt64Array.of(1n, 2n, 3n), { type: "int64" })),
    '"w" expected elements of a floating-point type, got int64',
  ],
];

test.each(LOADED)("%s", async (_, file, expected) => {
  const opened = await open(file);
  await expect(load(opened, "n.")).rejects.toMatchObject({
    ...{ name: "RangeError", code: "ERR_BATCHNORM_FILE", message: expected },
  });
});

test("strings are no parameters", async () => {
  const file = withTensor(tensorProto("w", TABLE, { type: "string" }));
  expect(await findBatchNorms(file)).toMatchObject([{ missing: ["weight"] }]);
  await expect(load(file, "n.")).rejects.toMatchObject({ code: "ERR_BATCHNORM_STATE" });
});

test("names that mean something elsewhere", async () => {
  const inputs = ["x", "__proto__", "constructor", "toString", "한국어"];
  const tensors = inputs.slice(1).map((name) => tensorProto(name, TABLE));
  const file = modelOf({ nodes: [{ ...norm, inputs, name: "__proto__" }], initializers: tensors });
  expect([...(await open(file)).tensors.keys()]).toEqual(inputs.slice(1));
  expect((await load(file, "__proto__.")).weight).toEqual(TABLE);
});

test("values that are passed on in a circle, or too often", async () => {
  const circle = [identity("w", "u"), identity("u", "w"), norm];
  const message = '"w" in the model expected at most 16 nodes Identity before it';
  const expected = { code: "ERR_BATCHNORM_FILE", message };
  await expect(open(modelOf({ nodes: circle, initializers: initializers.slice(1) }))).rejects.toMatchObject(expected);
  const chain = Array.from({ length: 16 }, (_, i) => identity(`w${i + 1}`, i === 0 ? "w" : `w${i}`));
  const end = [tensorProto("w16", TABLE), ...initializers.slice(1)];
  expect((await load(modelOf({ nodes: [...chain, norm], initializers: end }), "n.")).weight).toEqual(TABLE);
});

test("a message does not have the length of a name", async () => {
  const name = "a".repeat(10_000);
  const twice = modelOf({ nodes: [], initializers: [tensorProto(name, TABLE), tensorProto(name, TABLE)] });
  const message = `"${"a".repeat(100)}…" in the model expected to be defined once`;
  await expect(open(twice)).rejects.toMatchObject({ message });
});

test("a million names and no more", async () => {
  const node = message(1, text(4, "BatchNormalization"));
  const nodes = new Uint8Array(node.length * 1_000_001);
  for (let i = 0; i < 1_000_001; i++) nodes.set(node, i * node.length);
  // The length of the graph in four bytes.
  const length = [0, 7, 14, 21].map((shift, i) => ((nodes.length >> shift) & 127) | (i < 3 ? 128 : 0));
  const file = new Uint8Array(5 + nodes.length + opset.length);
  file.set([0x3a, ...length]);
  file.set(nodes, 5);
  file.set(opset, 5 + nodes.length);
  await expect(open(file)).rejects.toMatchObject({ message: "the model expected at most 1000000 nodes and tensors" });
});
