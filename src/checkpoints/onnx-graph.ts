// The graphs of an ONNX model, as far as batch normalizations need them: the nodes, and the tensors with fixed values.
import { rangeError } from "../base/errors.js";
import { readEntry, readTensor, type StoredTensor } from "./onnx-tensor.js";
import { BYTES, fail, type Field, type WireReader } from "./onnx-wire.js";

/** A graph of a model, or one inside a node such as If, which sees the values of the graphs around it. */
export interface Graph {
  readonly around: Graph | null;
  /** Initializers and constants by name. A text is the name of the value that an Identity passes on. */
  readonly values: Map<string, StoredTensor | string>;
  readonly initializers: StoredTensor[];
}

/** A node BatchNormalization. */
export interface NormNode {
  readonly graph: Graph;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** An attribute by the fields that it has. */
interface Attribute {
  readonly float: number | null;
  readonly int: number | null;
  readonly tensor: Field | null;
}

export interface Model {
  /** The graph itself, whose initializers are the tensors of the file. */
  readonly main: Graph;
  readonly nodes: readonly NormNode[];
  readonly opset: number;
  readonly metadata: ReadonlyMap<string, string>;
}

const MOST_DEPTH = 16;
/** Inputs and outputs beyond those of a BatchNormalization are not kept. */
const MOST_NAMES = 5;
/** What is kept of a tensor takes more memory than its name takes of the file. */
const MOST_VALUES = 1_000_000;
/** Exporters make one Identity for parameters that are equal. */
const MOST_HOPS = 16;
const OWN_DOMAINS = ["", "ai.onnx"];

class ModelReader {
  readonly #wire: WireReader;
  readonly #nodes: NormNode[] = [];
  readonly #metadata = new Map<string, string>();
  #main: Graph | null = null;
  #opset = 0;
  #kept = 0;

  constructor(wire: WireReader) {
    this.#wire = wire;
  }

  /** ModelProto: graph 7, opset_import 8, metadata_props 14. */
  async model(): Promise<Model> {
    const wire = this.#wire;
    const whole = { number: 0, type: BYTES, value: 0, begin: 0, end: wire.size };
    await wire.inside(whole, async (field) => {
      if (field.number === 7) {
        if (this.#main) throw rangeError("ERR_BATCHNORM_FILE", "the model expected one graph, got another");
        this.#main = await this.#graph(field, null, 1);
      } else if (field.number === 8) await this.#readOpset(field);
      else if (field.number === 14) this.#keep(this.#metadata, ...(await readEntry(wire, field)));
    });
    if (this.#main === null || this.#opset < 1)
      throw rangeError("ERR_BATCHNORM_FILE", "the model expected a graph and an opset of ONNX: this is no ONNX model");
    return { main: this.#main, nodes: this.#nodes, opset: this.#opset, metadata: this.#metadata };
  }

  /** OperatorSetIdProto: domain 1, version 2. Those of other operators say nothing about these. */
  async #readOpset(field: Field): Promise<void> {
    const set = { domain: "", version: 0 };
    await this.#wire.inside(field, async (inner) => {
      if (inner.number === 1) set.domain = await this.#wire.text(inner);
      else if (inner.number === 2) set.version = inner.value;
    });
    if (OWN_DOMAINS.includes(set.domain)) this.#opset = set.version;
  }

  /** GraphProto: node 1, initializer 5. */
  async #graph(field: Field, around: Graph | null, depth: number): Promise<Graph> {
    const graph: Graph = { around, values: new Map(), initializers: [] };
    if (depth > MOST_DEPTH)
      throw rangeError("ERR_BATCHNORM_FILE", `the model expected at most ${MOST_DEPTH} graphs inside one another`);
    await this.#wire.inside(field, async (inner) => {
      if (inner.number === 1) await this.#node(inner, graph, depth);
      else if (inner.number === 5) {
        const tensor = await readTensor(this.#wire, inner);
        this.#keep(graph.values, tensor.name, tensor);
        graph.initializers.push(tensor);
      }
    });
    return graph;
  }

  #count(): void {
    if (++this.#kept > MOST_VALUES)
      throw rangeError("ERR_BATCHNORM_FILE", `the model expected at most ${MOST_VALUES} nodes and tensors`);
  }

  #keep<T>(values: Map<string, T>, name: string, value: T): void {
    if (name === "" || values.has(name)) fail(name, name === "" ? "a name" : "to be defined once");
    this.#count();
    values.set(name, value);
  }

  /** NodeProto: input 1, output 2, name 3, op_type 4, attribute 5, domain 7. */
  async #node(field: Field, graph: Graph, depth: number): Promise<void> {
    const wire = this.#wire;
    const node = { name: "", op: "", domain: "", inputs: [] as string[], outputs: [] as string[] };
    const attributes = new Map<string, Attribute>();
    await wire.inside(field, async (inner) => {
      const { number } = inner;
      if (number === 1 && node.inputs.length < MOST_NAMES) node.inputs.push(await wire.text(inner));
      else if (number === 2 && node.outputs.length < MOST_NAMES) node.outputs.push(await wire.text(inner));
      else if (number === 3) node.name = await wire.text(inner);
      else if (number === 4) node.op = await wire.text(inner);
      else if (number === 5) attributes.set(...(await this.#attribute(inner, graph, depth)));
      else if (number === 7) node.domain = await wire.text(inner);
    });
    const { name, inputs, outputs } = node;
    const op = OWN_DOMAINS.includes(node.domain) ? node.op : "";
    const tensor = attributes.get("value")?.tensor;
    if (op === "BatchNormalization") {
      this.#count();
      this.#nodes.push({ graph, name, inputs, outputs, attributes });
    } else if (op === "Identity") this.#keep(graph.values, outputs[0] ?? "", inputs[0] ?? "");
    else if (op === "Constant" && tensor) {
      const stored = await readTensor(wire, tensor);
      this.#keep(graph.values, outputs[0] ?? "", { ...stored, name: outputs[0]! });
    }
  }

  /** AttributeProto: name 1, f 2, i 3, t 5, g 6, graphs 11. */
  async #attribute(field: Field, graph: Graph, depth: number): Promise<[name: string, attribute: Attribute]> {
    const attribute: Mutable<Attribute> = { float: null, int: null, tensor: null };
    let name = "";
    await this.#wire.inside(field, async (inner) => {
      const { number, value } = inner;
      if (number === 1) name = await this.#wire.text(inner);
      else if (number === 2) attribute.float = value;
      else if (number === 3) attribute.int = value;
      else if (number === 5) attribute.tensor = inner;
      else if (number === 6 || number === 11) await this.#graph(inner, graph, depth + 1);
    });
    return [name, attribute];
  }
}

export function readModel(wire: WireReader): Promise<Model> {
  return new ModelReader(wire).model();
}

/** The tensor of a value that is fixed, or null for one that the graph computes or is given. */
export function tensorOf(graph: Graph, name: string): StoredTensor | null {
  let at = name;
  let hops = 0;
  for (let scope: Graph | null = graph; scope !== null;) {
    const value = scope.values.get(at);
    if (value !== undefined && typeof value !== "string") return value;
    if (value === undefined) scope = scope.around;
    else {
      if (++hops > MOST_HOPS) fail(name, `at most ${MOST_HOPS} nodes Identity before it`);
      at = value;
    }
  }
  return null;
}
