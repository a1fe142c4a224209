// ONNX models: the nodes BatchNormalization of a graph, whose initializers become tensors with torch's names.
// https://github.com/onnx/onnx/blob/main/docs/IR.md
import { isRecord } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { fieldOf } from "../base/options.js";
import type { DType, FloatType } from "../base/types.js";
import type { BatchNorm } from "../layer/batch-norm.js";
import type { BatchNormOptions } from "../layer/options.js";
import { layerOf } from "./batch-norms.js";
import { sizedBytesOf } from "./bytes.js";
import { quoted } from "./json-text.js";
import { checkNoFiles, FILE_OPTIONS, FilesBeside, type OnnxFileOptions } from "./onnx-external.js";
import { readModel } from "./onnx-graph.js";
import { INPUTS, NAMES, batchNormsOf, checkpointTensor, type OnnxBatchNorm } from "./onnx-nodes.js";
import { WireReader } from "./onnx-wire.js";
import type { CheckpointSource } from "./source.js";
import { isOpened, type Checkpoint, type CheckpointTensor } from "./tensors.js";

/** An ONNX model that was opened. */
export interface OnnxCheckpoint extends Checkpoint {
  /** The initializers of the model by their names, in the order of the file. Those of types that no array has are left out. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  /** The version of ONNX's operators. */
  readonly opset: number;
  /** The nodes `BatchNormalization`, in the order of the file. */
  readonly batchNorms: readonly OnnxBatchNorm[];
}

/** The options of `load` of `batchnorm/onnx`: those of the layer, and the files beside the model. */
export type OnnxLoadOptions<D extends DType = DType> = BatchNormOptions<D> & OnnxFileOptions;

/**
 * Opens an ONNX model. It reads the nodes and the descriptions of the initializers, and skips their elements, which the
 * tensors' own `read` reads later. The nodes of graphs inside others, as of `If`, are among them. Functions of the model
 * are not.
 *
 * A large model has its elements in other files, as ONNX's
 * [external data](https://github.com/onnx/onnx/blob/main/docs/ExternalData.md). The option `external` gives these files.
 * Of a file, only the bytes of the tensors that are read are read. A location that leads out of the model's folder is
 * refused before the option is asked for it.
 *
 * @param file Where the file is.
 * @param options The files beside the model.
 * @returns The initializers of the model and its batch normalizations.
 * @throws RangeError if the file is damaged or no ONNX model (`ERR_BATCHNORM_FILE`). The promise rejects with it.
 * A tensor's `read` does so if its file is missing, too short or another one, or its location leads elsewhere.
 * @throws TypeError if `file` or a file beside it has the wrong kind (`ERR_BATCHNORM_TYPE`), or an option is unknown
 * (`ERR_BATCHNORM_OPTION`). Errors of the source itself are passed on.
 */
export async function open(file: CheckpointSource, options?: OnnxFileOptions): Promise<OnnxCheckpoint> {
  const beside = new FilesBeside(options);
  const bytes = await sizedBytesOf(file);
  const files = { wire: new WireReader(bytes, bytes.size!), beside };
  const model = await readModel(files.wire);
  const tensors = new Map<string, CheckpointTensor>();
  for (const stored of model.main.initializers) {
    const tensor = checkpointTensor(files, stored);
    if (tensor) tensors.set(tensor.name, tensor);
  }
  return { tensors, metadata: model.metadata, opset: model.opset, batchNorms: batchNormsOf(files, model) };
}

async function modelOf(file: CheckpointSource | OnnxCheckpoint, options: object): Promise<OnnxCheckpoint> {
  if (!isOpened(file)) return open(file, options);
  checkNoFiles(options);
  if (!Array.isArray(fieldOf(file, "batchNorms")))
    throw typeError(
      "ERR_BATCHNORM_TYPE",
      `"file" expected an ONNX model, got a file of another format that was opened`,
    );
  return file;
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
  return (await modelOf(file, {})).batchNorms;
}

/** The options of a caller for the files and for the layer. */
function divided<D extends DType>(options: object): { readonly files: object; readonly layer: BatchNormOptions<D> } {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const isOfFiles = ([key]: readonly [string, unknown]): boolean => FILE_OPTIONS.some((name) => name === key);
  const layer = Object.fromEntries(given.filter((entry) => !isOfFiles(entry)));
  return { files: Object.fromEntries(given.filter(isOfFiles)), layer };
}

/** The options that the attributes of a node stand for, and those that the caller gives, which go before. */
function optionsOf<D extends DType>(found: OnnxBatchNorm, given: object): BatchNormOptions<D> {
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
 * @param options The options of the layer, which go before the attributes of the node, and the files beside a model that is
 * not open yet.
 * @returns The layer.
 * @throws RangeError if the file or one beside it is damaged or missing (`ERR_BATCHNORM_FILE`), if no node has that
 * prefix or an input is no constant (`ERR_BATCHNORM_STATE`), if an input has a wrong shape (`ERR_BATCHNORM_SHAPE`) or a
 * wrong value (`ERR_BATCHNORM_VALUE`), or if files are given to an open model (`ERR_BATCHNORM_OPTION`). The promise rejects
 * with it.
 */
export async function load<D extends DType = FloatType>(
  file: CheckpointSource | OnnxCheckpoint,
  prefix: string,
  options?: OnnxLoadOptions<D>,
): Promise<BatchNorm<D>> {
  const isObject = options === undefined || isRecord(options);
  const { files, layer } = isObject ? divided<D>(options ?? {}) : { files: {}, layer: options };
  const model = await modelOf(file, files);
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
  const own = found && isObject ? optionsOf<D>(found, layer) : layer;
  return layerOf<D>({ tensors, metadata: model.metadata }, prefix, own);
}
