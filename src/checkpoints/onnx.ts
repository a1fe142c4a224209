// ONNX models: the nodes BatchNormalization of a graph, whose initializers become tensors with torch's names.
// https://github.com/onnx/onnx/blob/main/docs/IR.md
import { isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { layerOf, type FoundBatchNorm } from "./batch-norms.js";
import { bytesOf, wholeOf, type Bytes } from "./bytes.js";
import { quoted } from "./json-text.js";
import { readModel, tensorOf, type Model, type NormNode } from "./onnx-graph.js";
import { readElements, type StoredTensor } from "./onnx-tensor.js";
import { WireReader } from "./onnx-wire.js";
import type { CheckpointSource } from "./source.js";
import { countOf, opened, type Checkpoint, type CheckpointTensor } from "./tensors.js";

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

/** An ONNX model that was opened. */
export interface OnnxCheckpoint extends Checkpoint {
  /** The initializers of the model by their names, in the order of the file. Those of types that no array has are left out. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** The version of ONNX's operators. */
  readonly opset: number;
  /** The nodes `BatchNormalization`, in the order of the file. */
  readonly batchNorms: readonly OnnxBatchNorm[];
}

/** Torch's names of the inputs. */
const NAMES = { scale: "weight", B: "bias", input_mean: "running_mean", input_var: "running_var" } as const;
const INPUTS = Object.keys(NAMES) as readonly OnnxInput[];

/** The shortest decimal number that is this float32. The exporter was given such a one. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

function checkpointTensor(wire: WireReader, stored: StoredTensor, flat = false): CheckpointTensor | null {
  const { name, dtype, shape } = stored;
  if (dtype === null) return null;
  const read: CheckpointTensor["read"] = () => readElements(wire, stored, dtype);
  return { name, dtype, shape: flat ? [countOf(shape)] : shape, read };
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

function batchNormOf(wire: WireReader, node: NormNode, opset: number, prefix: string): OnnxBatchNorm {
  const { graph, attributes } = node;
  const perActivation = opset < 9 && attributes.get("spatial")?.int === 0;
  const tensors = INPUTS.map((_, i) => {
    const stored = tensorOf(graph, node.inputs[i + 1] ?? "");
    return stored && checkpointTensor(wire, stored, perActivation);
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

function batchNormsOf(wire: WireReader, { nodes, opset }: Model): readonly OnnxBatchNorm[] {
  const used = new Set<string>();
  return nodes.map((node, index) => {
    const free = (prefix: string): boolean => !used.has(prefix);
    const candidates = prefixesOf(node, index);
    let prefix = candidates.find(free) ?? `BatchNormalization_${index}.`;
    while (!free(prefix)) prefix = `_${prefix}`;
    used.add(prefix);
    return batchNormOf(wire, node, opset, prefix);
  });
}

/**
 * Opens an ONNX model. It reads the nodes and the descriptions of the initializers, and skips their elements, which the
 * tensors' own `read` reads later. The nodes of graphs inside others, as of `If`, are among them. Functions of the model
 * are not.
 *
 * @param file Where the file is.
 * @returns The initializers of the model and its batch normalizations.
 * @throws RangeError if the file is damaged or no ONNX model (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 * @throws TypeError if `file` has the wrong kind (`ERR_BATCHNORM_TYPE`). Errors of the source itself are passed on.
 */
export async function open(file: CheckpointSource): Promise<OnnxCheckpoint> {
  const bytes = await sizedBytesOf(file);
  const wire = new WireReader(bytes, bytes.size!);
  const model = await readModel(wire);
  const tensors = new Map<string, CheckpointTensor>();
  for (const stored of model.main.initializers) {
    const tensor = checkpointTensor(wire, stored);
    if (tensor) tensors.set(tensor.name, tensor);
  }
  return { tensors, metadata: model.metadata, opset: model.opset, batchNorms: batchNormsOf(wire, model) };
}

/** A message does not say where it ends. If a server does not either, the whole file is fetched. */
async function sizedBytesOf(file: unknown): Promise<Bytes> {
  const bytes = await bytesOf(file);
  return bytes.size === null ? bytesOf(await wholeOf(file)) : bytes;
}

async function modelOf(file: CheckpointSource | OnnxCheckpoint): Promise<OnnxCheckpoint> {
  const model = (await opened(file as CheckpointSource, open)) as OnnxCheckpoint;
  if (!Array.isArray(fieldOf(model, "batchNorms")))
    throw typeError("ERR_BATCHNORM_TYPE", `"file" expected an ONNX model, got a file of another format that was opened`);
  return model;
}

/**
 * Lists the nodes `BatchNormalization` of an ONNX model. A prefix is the one that torch gives the parameters, such as
 * `"layer1.0.bn1."`, if the inputs of the node have torch's names. Else it is the name of the node, or of its output, with
 * a period behind it.
 *
 * @param file Where the file is, or the file that `open` opened.
 * @returns The nodes in the order of the file: the prefix that `load` takes, the number of channels, and the attributes.
 * @throws RangeError if the file is damaged or no ONNX model (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 */
export async function findBatchNorms(file: CheckpointSource | OnnxCheckpoint): Promise<readonly OnnxBatchNorm[]> {
  return (await modelOf(file)).batchNorms;
}

/** The options that the attributes of a node stand for, but for those that the caller gives. */
function optionsOf<D extends DType>(found: OnnxBatchNorm, options: unknown): BatchNormOptions<D> {
  const given = (isRecord(options) ? options : {}) as Record<string, unknown>;
  const isGiven = (...names: readonly string[]): boolean => names.some((name) => given[name] !== undefined);
  const { epsilon: eps, momentum: decay, perActivation } = found;
  return {
    convention: "onnx",
    eps,
    // `decay` means the same in every convention.
    ...(!isGiven("momentum", "decay") && { decay }),
    ...(perActivation && !isGiven("layout", "axis") && { layout: "per-activation" }),
    ...given,
  } as BatchNormOptions<D>;
}

/**
 * Makes a layer of a node `BatchNormalization`. It is in inference mode, with the convention `"onnx"`, the node's epsilon
 * and momentum, and exactly the values of the model. It is one of float64 data if the statistics are float64, else one of
 * float32 data. With `spatial` 0 its layout is `"per-activation"`.
 *
 * @param file Where the file is, or the file that `open` opened.
 * @param prefix The prefix of the node, as `findBatchNorms` lists it.
 * @param options The options of the layer. They go before the attributes of the node.
 * @returns The layer.
 * @throws RangeError if the file is damaged or has its data in other files (`ERR_BATCHNORM_FILE`), if no node has that
 * prefix or an input is no constant (`ERR_BATCHNORM_STATE`), or if an input has a wrong shape (`ERR_BATCHNORM_SHAPE`) or a
 * wrong value (`ERR_BATCHNORM_VALUE`). The promise rejects with it.
 */
export async function load<D extends DType = FloatType>(
  file: CheckpointSource | OnnxCheckpoint,
  prefix: string,
  options?: BatchNormOptions<D>,
): Promise<BatchNorm<D>> {
  const model = await modelOf(file);
  const found = model.batchNorms.find((one) => one.prefix === prefix);
  const all = found ? [found] : model.batchNorms;
  const tensors = new Map<string, CheckpointTensor>();
  for (const one of all)
    for (const input of INPUTS) {
      const tensor = one.inputs[input];
      if (tensor) tensors.set(one.prefix + NAMES[input], tensor);
    }
  if (found && found.missing.length > 0) {
    const missing = INPUTS.filter((input) => !found.inputs[input]).join(", ");
    const text = `the node ${quoted(found.node)} gets ${missing} from the graph: only initializers and constants can be loaded`;
    throw rangeError("ERR_BATCHNORM_STATE", text);
  }
  const isBad = options !== undefined && !isRecord(options);
  return layerOf<D>({ tensors, metadata: model.metadata }, prefix, isBad || !found ? options : optionsOf(found, options));
}
