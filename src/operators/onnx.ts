// The operator BatchNormalization of ONNX, in each of its versions.
import { checkInRange, checkVariances, describe } from "../base/check.js";
import { rangeError, typeError } from "../base/errors.js";
import { readOptions } from "../base/options.js";
import { storeAs } from "../base/storage.js";
import type { DType, Floats } from "../base/types.js";
import { batchNormInference, batchNormTraining } from "../functional/forward.js";
import { mixInto, variance as varianceOf, type ChannelMoments } from "../kernels/moments.js";
import {
  parametersOf,
  readOnnxTensor,
  type GivenTensor,
  type OnnxTensor,
  type OnnxTensorLike,
} from "./onnx-tensors.js";
import type { OnnxAttributes, OnnxDataOf, OnnxInputs, OnnxOptions, OnnxTrainingOutputs } from "./onnx-types.js";
import { INPUTS, checkTypes, outputsOf, versionOf, type InputName, type Version } from "./onnx-versions.js";

/**
 * Computes ONNX's operator BatchNormalization in training, as a node with `training_mode` 1 does since opset 14. See the
 * other form.
 *
 * @param opset The version of ONNX's operators, 14 or more.
 * @param inputs The tensors X, scale, B, input_mean and input_var.
 * @param attributes The attributes of the node.
 * @param options The number of outputs, and what runs the call.
 * @returns The tensors Y, running_mean and running_var.
 */
export function onnxBatchNormalization<X extends OnnxTensorLike, S extends OnnxTensorLike>(
  opset: number,
  inputs: OnnxInputs<X, S>,
  attributes: OnnxAttributes & { readonly training_mode: 1 },
  options?: OnnxOptions & { readonly outputs?: 3 | undefined },
): OnnxTrainingOutputs<X, S>;
/**
 * Computes ONNX's operator BatchNormalization, as a node of an opset from 7 on does.
 *
 * In inference Y = (X − mean)/√(var + epsilon)·scale + B. In training mean and var are those of the batch, with the biased
 * variance, and running = input·momentum + batch·(1 − momentum). These are the formulas of opset 14. The older ones do not
 * say which variance is meant and in which order training works. They are read in the same way.
 *
 * | opset | attributes | types | outputs in training |
 * | --- | --- | --- | --- |
 * | 7, 8 | `epsilon`, `momentum`, `spatial` | one type for all inputs, no bfloat16 | Y, mean, var, saved_mean, saved_var |
 * | 9 to 13 | `epsilon`, `momentum` | one type for all inputs, no bfloat16 | Y, mean, var, saved_mean, saved_var |
 * | 14 | `epsilon`, `momentum`, `training_mode` | mean and var may have another one | Y, running_mean, running_var |
 * | from 15 on | `epsilon`, `momentum`, `training_mode` | scale and B may have another one too | Y, running_mean, running_var |
 *
 * saved_mean and saved_var are the batch's. Parameters and statistics of a wider type than X's arithmetic are rounded to
 * it: float64 ones to float32 for X of float32 or of 16 bits. The running statistics are computed in float64 and rounded
 * once to the type of the inputs. An X without elements leaves them as they are.
 *
 * @param opset The version of ONNX's operators that the model was made for, from 7 on.
 * @param inputs The tensors X, scale, B, mean and var, as of onnxruntime or transformers.js. X is N×C×D1×…, or since opset
 * 9 a vector of N values of one channel.
 * @param attributes The attributes of the node.
 * @param options The number of outputs, and what runs the call.
 * @returns The outputs in the order of the node's, as new plain objects `{ data, dims, type }`.
 * @throws TypeError if an argument has the wrong kind or the opset does not have the types (`ERR_BATCHNORM_TYPE`), or does
 * not have the attribute (`ERR_BATCHNORM_OPTION`).
 * @throws RangeError if a value is wrong (`ERR_BATCHNORM_VALUE`) or dims do not fit (`ERR_BATCHNORM_SHAPE`).
 * @throws BackendUnavailableError if the backend that was asked for cannot be used.
 */
export function onnxBatchNormalization<X extends OnnxTensorLike, S extends OnnxTensorLike>(
  opset: number,
  inputs: OnnxInputs<X, S>,
  attributes?: OnnxAttributes,
  options?: OnnxOptions,
): readonly [Y: OnnxTensor<OnnxDataOf<X>>, ...statistics: OnnxTensor<OnnxDataOf<S>>[]];
export function onnxBatchNormalization(...[opset, inputs, attributes, options]: unknown[]): unknown {
  const version = versionOf(opset);
  const { outputs, ...resources } = { ...readOptions(options, ["outputs", "backend", "threads"]) };
  const given = readOptions(attributes, version.attributes, "attributes");
  const flag = (name: string, value: unknown = 0): unknown => checkFlag(name, value);
  const { training, count } = outputsOf(version, outputs, flag("training_mode", given.training_mode));
  const epsilon = checkInRange("epsilon", given.epsilon ?? 1e-5, 0, Number.MAX_VALUE);
  const momentum = checkInRange("momentum", given.momentum ?? 0.9, 0, 1);
  const tensors = readInputs(version, inputs);
  const call = callOf(tensors, { version, perActivation: flag("spatial", given.spatial ?? 1) === 0, epsilon });
  const results = training ? train(call, resources, momentum, version) : [infer(call, resources)];
  return results.slice(0, count);
}

/** An attribute that is 0 or 1. ONNX has no boolean ones. */
function checkFlag(name: string, value: unknown): 0 | 1 {
  if (value === 0 || value === 1) return value;
  const isNumber = typeof value === "number";
  const message = `"${name}" expected 0 or 1, got ${describe(value)}`;
  throw isNumber ? rangeError("ERR_BATCHNORM_VALUE", message) : typeError("ERR_BATCHNORM_TYPE", message);
}

type Tensors = Readonly<Record<InputName, GivenTensor>>;

function readInputs(version: Version, inputs: unknown): Tensors {
  if (!Array.isArray(inputs))
    throw typeError("ERR_BATCHNORM_TYPE", `"inputs" expected an array of tensors, got ${describe(inputs)}`);
  const list = inputs as readonly unknown[];
  if (list.length !== INPUTS.length)
    throw rangeError("ERR_BATCHNORM_VALUE", `"inputs" expected 5 tensors, ${INPUTS.join(", ")}, got ${list.length}`);
  const tensors = Object.fromEntries(INPUTS.map((name, i) => [name, readOnnxTensor(name, list[i])])) as Tensors;
  checkTypes(version, Object.fromEntries(INPUTS.map((name) => [name, tensors[name].type])) as Record<InputName, DType>);
  return tensors;
}

/** The arguments as the stateless functions take them. */
interface OperatorCall {
  readonly x: GivenTensor;
  readonly shape: readonly number[];
  readonly sizes: readonly number[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly mean: Floats;
  readonly variance: Floats;
  /** The statistics as they were given, and their type. */
  readonly statistics: { readonly mean: Floats; readonly variance: Floats; readonly type: DType };
}

function callOf(
  tensors: Tensors,
  { version, perActivation, epsilon }: { version: Version; perActivation: boolean; epsilon: number },
): OperatorCall {
  const { X: x, scale, B, input_mean: mean, input_var: variance } = tensors;
  const { dims, type } = x;
  const least = version.takesVectors ? 1 : 2;
  if (dims.length < least)
    throw rangeError("ERR_BATCHNORM_SHAPE", `"X" expected at least ${least} axes, got dims [${dims.join(", ")}]`);
  const shape = dims.length === 1 ? [dims[0]!, 1] : dims;
  const sizes = perActivation ? shape.slice(1) : [shape[1]!];
  const options = {
    dtype: type,
    layout: perActivation && shape.length > 1 ? "per-activation" : "channels-first",
    weight: parametersOf(scale, sizes, type),
    bias: parametersOf(B, sizes, type),
    eps: epsilon,
  };
  const statistics = {
    mean: parametersOf(mean, sizes, "float64"),
    variance: parametersOf(variance, sizes, "float64"),
    type: mean.type,
  };
  const inType = { mean: parametersOf(mean, sizes, type), variance: parametersOf(variance, sizes, type) };
  return { x, shape, sizes, options, ...inType, statistics };
}

type Loose<R> = (x: unknown, shape: readonly number[], options: object) => R;

/** Y has the dims and the type of X, and statistics have those of the inputs. */
const outputOf = ({ x: { dims, type } }: OperatorCall, data: unknown): OnnxTensor<unknown> => ({
  data,
  dims: [...dims],
  type,
});

function infer(call: OperatorCall, resources: object): OnnxTensor<unknown> {
  const { x, shape, options, mean, variance } = call;
  checkVariances("input_var", variance);
  const infers = batchNormInference as Loose<{ output: unknown }>;
  const all = { ...options, runningMean: mean, runningVar: variance, ...resources };
  return outputOf(call, infers(x.data, shape, all).output);
}

function train(
  call: OperatorCall,
  resources: object,
  momentum: number,
  version: Version,
): readonly OnnxTensor<unknown>[] {
  const { x, shape, sizes, options, statistics } = call;
  const trains = batchNormTraining as Loose<{ output: unknown; moments: ChannelMoments }>;
  const { output, moments } = trains(x.data, shape, { ...options, save: false, ...resources });
  const tensor = (values: Float64Array): OnnxTensor<unknown> => ({
    data: storeAs(statistics.type, values),
    dims: [...sizes],
    type: statistics.type,
  });
  const batch = { mean: moments.mean, variance: varianceOf(moments, 0) };
  const running = (old: Floats, own: Float64Array): OnnxTensor<unknown> => {
    const values = Float64Array.from(old);
    mixInto(values, own, moments.count > 0 ? 1 - momentum : 0);
    return tensor(values);
  };
  const updated = [running(statistics.mean, batch.mean), running(statistics.variance, batch.variance)];
  const saved = version.outputs === 5 ? [tensor(batch.mean), tensor(batch.variance)] : [];
  return [outputOf(call, output), ...updated, ...saved];
}
