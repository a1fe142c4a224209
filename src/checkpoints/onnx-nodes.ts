// The nodes BatchNormalization of an ONNX model, with torch's names for their inputs.
import type { FoundBatchNorm } from "./batch-norms.js";
import { tensorOf, type Model, type NormNode } from "./onnx-graph.js";
import { readElements, type ModelFiles, type StoredTensor } from "./onnx-tensor.js";
import { countOf, type CheckpointTensor } from "./tensors.js";

/** A node `BatchNormalization` of an ONNX model. */
export interface OnnxBatchNorm extends FoundBatchNorm {
  /** The name of the node, which may be empty. */
  readonly node: string;
  /** The attribute `epsilon`, as the shortest number that is the same float32: 1e-5 and not 0.0000099999997. */
  readonly epsilon: number;
  /** The attribute `momentum`: the weight of the old statistics. It is the shortest number too. */
  readonly momentum: number;
  /** Whether it has the attribute `spatial` 0 of opsets 1 to 8: then each position of a sample is a channel of its own. */
  readonly perActivation: boolean;
  /** Whether the node trains: `training_mode` 1, or, before opset 14, more outputs than Y, or `is_test` 0 before opset 7. */
  readonly training: boolean;
  /** The inputs by ONNX's names. One that the graph computes or is given is null. */
  readonly inputs: Readonly<Record<OnnxInput, CheckpointTensor | null>>;
}

/** The inputs of a `BatchNormalization` behind X. */
export type OnnxInput = "scale" | "B" | "input_mean" | "input_var";

/** Torch's names of the inputs. */
export const NAMES = { scale: "weight", B: "bias", input_mean: "running_mean", input_var: "running_var" } as const;
export const INPUTS = Object.keys(NAMES) as readonly OnnxInput[];

/** The shortest decimal number that is this float32. The exporter was given such a one. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/** What the file has of a tensor, for `save`. */
export const storedOf = new WeakMap<CheckpointTensor, StoredTensor>();

export function checkpointTensor(files: ModelFiles, stored: StoredTensor, flat = false): CheckpointTensor | null {
  const { name, dtype, shape } = stored;
  if (dtype === null) return null;
  const read: CheckpointTensor["read"] = () => readElements(files, stored, dtype);
  const tensor = { name, dtype, shape: flat ? [countOf(shape)] : shape, read };
  storedOf.set(tensor, stored);
  return tensor;
}

/** Torch's prefix if the inputs have torch's names. Else the node's name, its output, or its number. */
function prefixesOf({ name, inputs, outputs }: NormNode, index: number): readonly string[] {
  const [, , , mean = "", variance = ""] = inputs;
  const own = mean.slice(0, -NAMES.input_mean.length);
  const isTorch = mean === own + NAMES.input_mean && variance === own + NAMES.input_var && /(?:^|[./])$/.test(own);
  const names = [name, outputs[0] ?? "", `BatchNormalization_${index}`].filter((one) => one !== "");
  return [...(isTorch ? [own] : []), ...names.map((one) => `${one}.`)];
}

function isTraining({ attributes, outputs }: NormNode, opset: number): boolean {
  if (opset >= 14) return attributes.get("training_mode")?.int === 1;
  if (opset < 7) return attributes.get("is_test")?.int !== 1;
  return outputs.slice(1).some((name) => name !== "");
}

function batchNormOf(files: ModelFiles, node: NormNode, opset: number, prefix: string): OnnxBatchNorm {
  const { graph, attributes } = node;
  const perActivation = opset < 9 && attributes.get("spatial")?.int === 0;
  const tensors = INPUTS.map((_, i) => {
    const stored = tensorOf(graph, node.inputs[i + 1] ?? "");
    return stored && checkpointTensor(files, stored, perActivation);
  });
  const [scale = null, B = null, mean = null, variance = null] = tensors;
  const known = mean ?? variance ?? scale ?? B;
  return {
    prefix,
    channels: known ? countOf(known.shape) : 0,
    dtype: known?.dtype ?? "float32",
    missing: INPUTS.filter((_, i) => !tensors[i]).map((input) => NAMES[input]),
    node: node.name,
    epsilon: shortest(attributes.get("epsilon")?.float ?? Math.fround(1e-5)),
    momentum: shortest(attributes.get("momentum")?.float ?? Math.fround(0.9)),
    perActivation,
    training: isTraining(node, opset),
    inputs: { scale, B, input_mean: mean, input_var: variance },
  };
}

export function batchNormsOf(files: ModelFiles, { nodes, opset }: Model): readonly OnnxBatchNorm[] {
  const used = new Set<string>();
  return nodes.map((node, index) => {
    const free = (prefix: string): boolean => !used.has(prefix);
    const candidates = prefixesOf(node, index);
    let prefix = candidates.find(free) ?? candidates.at(-1)!;
    while (!free(prefix)) prefix = `_${prefix}`;
    used.add(prefix);
    return batchNormOf(files, node, opset, prefix);
  });
}
