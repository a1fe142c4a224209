// ONNX models: the nodes BatchNormalization of a graph, whose initializers become tensors with torch's names.
// https://github.com/onnx/onnx/blob/main/docs/IR.md
import { isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { layerOf } from "./batch-norms.js";
import { bytesOf, wholeOf, type Bytes } from "./bytes.js";
import { quoted } from "./json-text.js";
import { readModel } from "./onnx-graph.js";
import { INPUTS, NAMES, batchNormsOf, checkpointTensor, type OnnxBatchNorm } from "./onnx-nodes.js";
import { WireReader } from "./onnx-wire.js";
import type { CheckpointSource } from "./source.js";
import { opened, type Checkpoint, type CheckpointTensor } from "./tensors.js";

/** An ONNX model that was opened. */
export interface OnnxCheckpoint extends Checkpoint {
  /** The initializers of the model by their names, in the order of the file. Those of types that no array has are left out. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** The version of ONNX's operators. */
  readonly opset: number;
  /** The nodes `BatchNormalization`, in the order of the file. */
  readonly batchNorms: readonly OnnxBatchNorm[];
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
    throw typeError(
      "ERR_BATCHNORM_TYPE",
      `"file" expected an ONNX model, got a file of another format that was opened`,
    );
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

/** The options that the attributes of a node stand for, and those that the caller gives, which go before. */
function optionsOf<D extends DType>(found: OnnxBatchNorm, options: object = {}): BatchNormOptions<D> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const { epsilon: eps, momentum: decay, perActivation } = found;
  return {
    convention: "onnx",
    eps,
    // `decay` means the same in every convention.
    ...(!("momentum" in given || "decay" in given) && { decay }),
    ...(perActivation && !("layout" in given || "axis" in given) && { layout: "per-activation" }),
    ...given,
  };
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
  const own = found && (options === undefined || isRecord(options)) ? optionsOf<D>(found, options) : options;
  return layerOf<D>({ tensors, metadata: model.metadata }, prefix, own);
}
