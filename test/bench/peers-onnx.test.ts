// ONNX models: bytes against the fields of onnx.proto, and the graphs' shape.
import { expect, test } from "vitest";
import { composedGraphOf, graphOf } from "../../bench/peers/onnx-graphs.js";
import { encodeModel, type OnnxGraph } from "../../bench/peers/onnx-model.js";
import { planPeers } from "../../bench/peers/options.js";
import { makeProblem } from "../../bench/peers/problem.js";

const TINY: OnnxGraph = {
  nodes: [{ op: "O", inputs: ["x"], outputs: ["y"], attributes: { "f:e": 0.5, i: -1, l: [0, 2] } }],
  inputs: { x: [300] },
  outputs: { y: [1] },
};

/** A message of these bytes as a field of that number; all are shorter than 128 bytes. */
function field(number: number, ...lines: readonly string[]): string {
  const content = lines.join(" ");
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  return `${hex(number * 8 + 2)} ${hex(content.split(" ").length)} ${content}`;
}

const letter = (number: number, text: string): string => field(number, Buffer.from(text).toString("hex"));

test("the bytes of a model", () => {
  const value = (number: number, name: string, size: string): string =>
    field(number, letter(1, name), field(2, field(1, "08 01", field(2, field(1, `08 ${size}`)))));
  const node = field(
    1,
    letter(1, "x"),
    letter(2, "y"),
    letter(4, "O"),
    field(5, letter(1, "e"), "15 00 00 00 3f", "a0 01 01"),
    field(5, letter(1, "i"), "18 ff ff ff ff ff ff ff ff ff 01", "a0 01 02"),
    field(5, letter(1, "l"), "40 00", "40 02", "a0 01 07"),
  );
  // The graph's name; 300 in two bytes of 7 bits.
  const graph = field(7, node, field(2, "62 61 74 63 68 6e 6f 72 6d"), value(11, "x", "ac 02"), value(12, "y", "01"));
  const bytes = Buffer.from(encodeModel(TINY)).toString("hex").match(/../g)!;
  expect(bytes.join(" ")).toBe(["08 08", graph, field(8, "10 0f")].join(" "));
});

test.each(planPeers({ selection: { shape: ["F"] }, resnet50: false }))(
  "graphs of F $layout: every name is given before it is used",
  (group) => {
    const problem = makeProblem(group);
    const graphs = group.operations.flatMap((op) => [graphOf(op, problem), composedGraphOf(op, problem)]);
    for (const { nodes, inputs, outputs } of graphs) {
      const known = new Set(Object.keys(inputs));
      for (const node of nodes) {
        expect(node.inputs.filter((name) => !known.has(name))).toEqual([]);
        node.outputs.forEach((name) => known.add(name));
      }
      expect(Object.keys(outputs).filter((name) => !known.has(name))).toEqual([]);
      const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
      expect(size(outputs.out!)).toBe(problem.x.length);
      expect(size(inputs.weight!)).toBe(problem.weight.length);
    }
  },
);
