// One batch normalization of tensors, with its gradients. A `BatchNorm` computes; the tensors stay the state.
import { checkVariances, describe } from "../../base/check.js";
import { rangeError, typeError } from "../../base/errors.js";
import { resolveAxes } from "../../base/axes.js";
import type { BatchNorm } from "../../layer/batch-norm.js";
import type { Saved } from "../../values/saved.js";
import { composedGradients, type Differentiated } from "./composed.js";
import { lendMemory } from "./lend.js";
import { checkSynchronous, elementsLater, elementsOf, isInHeap, lastingElementsOf, outputOf } from "./memory.js";
import type { Settings } from "./settings.js";
import { isTensor, type CustomGradient, type Tensor, type Tensorflow } from "./tensorflow.js";

/** The tensors of a call, which are checked. All but x have one element per channel. */
export interface Operands {
  readonly x: Tensor;
  readonly gamma: Tensor | null;
  readonly beta: Tensor | null;
  /** The moving statistics. Without them, training moves nothing. */
  readonly mean: Tensor | null;
  readonly variance: Tensor | null;
}

const TABLES = ["gamma", "beta", "mean", "variance"] as const;

export interface Call {
  readonly tf: Tensorflow;
  readonly bn: BatchNorm;
  readonly operands: Operands;
  readonly settings: Settings;
  readonly training: boolean;
}

const CASTABLE = ["int32", "bool"];

/** Checks x, and makes its elements float32. */
export function checkInput(tf: Tensorflow, x: unknown): Tensor {
  if (!isTensor(x)) throw typeError("ERR_BATCHNORM_TYPE", `"x" expected a tensor, got ${describe(x)}`);
  if (x.isDisposed) throw typeError("ERR_BATCHNORM_TYPE", `"x" expected a tensor, got one that is disposed of`);
  if (x.dtype === "float32") return x;
  if (CASTABLE.includes(x.dtype)) return tf.cast(x, "float32");
  throw typeError("ERR_BATCHNORM_TYPE", `"x" expected a float32 tensor, got ${x.dtype}`);
}

/** The channel axis of x, from 0. */
export function axisOf({ shape }: Tensor, { axis }: Pick<Settings, "axis">): number {
  return resolveAxes(axis, shape)[0]!;
}

type Read = (name: string, tensor: Tensor) => Float32Array;

/** Gives the layer the values of the tensors. */
function fill({ bn, training, settings, operands }: Call, read: Read): void {
  const { gamma, beta, mean, variance } = operands;
  const set = (table: Float32Array, name: string, tensor: Tensor | null, without: number): void => {
    if (tensor) table.set(read(name, tensor));
    else table.fill(without);
  };
  set(bn.weight!, "gamma", gamma, 1);
  set(bn.bias!, "beta", beta, 0);
  set(bn.runningMean!, "movingMean", mean, 0);
  set(bn.runningVar!, "movingVariance", variance, 1);
  // After data that were NaN the statistics are NaN, and so is all that follows, as in TensorFlow.js.
  if (!training || settings.renorm) checkVariances("movingVariance", bn.runningVar!, bn.runningMean);
}

/** Runs the forward on the elements of x. A token is kept only for a gradient. */
function run(
  { bn, training }: Call,
  x: Float32Array,
  shape: readonly number[],
  save: boolean,
  out?: Float32Array,
): Float32Array {
  if (training) bn.train();
  else bn.eval();
  return bn.forward(x, shape, { save, out });
}

/** Normalizes, on a backend whose tensors can be read at once. The gradients reach all tensors but training's statistics. */
export function normalize(call: Call): Tensor {
  const { tf, operands, training } = call;
  checkSynchronous(tf);
  const { x, gamma, beta, mean, variance } = operands;
  const tables = training ? [gamma, beta] : [gamma, beta, mean, variance];
  const inputs = [x, ...tables.filter((tensor) => tensor !== null)];
  return tf.customGrad((...args) => {
    const save = args.at(-1) as (tensors: readonly Tensor[]) => void;
    const result = forward(call, (dy, saved) =>
      named(call, saved, (given) => gradients(call, result.saved, dy, given)),
    );
    save(inputs);
    return result;
  })(...inputs);
}

/** The saved tensors by their names, and the gradients in the order of the inputs. */
function named(
  { operands, training }: Call,
  saved: readonly Tensor[],
  run: (given: Operands) => Record<keyof Operands, Tensor | null>,
): Tensor[] {
  const names = (["x", ...TABLES] as const).filter(
    (name) => operands[name] !== null && !(training && (name === "mean" || name === "variance")),
  );
  const given = Object.fromEntries(names.map((name, i) => [name, saved[i]!]));
  const grads = run({ x: saved[0]!, gamma: null, beta: null, mean: null, variance: null, ...given });
  return names.map((name) => grads[name]!);
}

function forward(
  call: Call,
  gradFunc: CustomGradient["gradFunc"],
): CustomGradient & { readonly saved: Saved<"float32"> | null } {
  const { tf, bn, operands, settings } = call;
  const { x } = operands;
  const isDifferentiated = tf.engine().state.gradientDepth > 0;
  lendMemory(tf, bn);
  // Made first: the views below are good until TensorFlow.js allocates.
  const output = outputOf(tf, x);
  fill(call, (name, tensor) => elementsOf(tf, name, tensor));
  // The tokens of virtual batches are views of one array, so a moved x could not be put in its place.
  const isCopied = settings.virtualBatchSize !== undefined && isDifferentiated;
  const elements = isCopied ? lastingElementsOf("x", x) : elementsOf(tf, "x", x);
  const y = run(call, elements, x.shape, isDifferentiated, output ? elementsOf(tf, "y", output) : undefined);
  const value = output ?? tf.tensor(y, x.shape, "float32");
  return { value, gradFunc, saved: isDifferentiated ? bn.saved : null };
}

function gradients(
  call: Call,
  token: Saved<"float32"> | null,
  dy: Tensor,
  given: Operands,
): Record<keyof Operands, Tensor | null> {
  const { tf, bn, settings } = call;
  // A tape around this one is recording: the gradient will be differentiated.
  if (tf.engine().state.gradientDepth > 0) return composed(call, dy, given);
  const output = outputOf(tf, given.x);
  const isMoved = settings.virtualBatchSize === undefined && isInHeap(tf, given.x);
  const saved = isMoved ? { ...token!, x: elementsOf(tf, "x", given.x) } : token;
  const options = { saved, ...(output && { out: elementsOf(tf, "gradInput", output) }) };
  const { gradInput, gradWeight, gradBias } = bn.backward(elementsOf(tf, "dy", dy), options);
  const { weight, invStd } = token!;
  const table = (values: Float32Array): Tensor => tf.tensor(values, [values.length], "float32");
  return {
    x: output ?? tf.tensor(gradInput, given.x.shape, "float32"),
    gamma: given.gamma && table(gradWeight!),
    beta: given.beta && table(gradBias!),
    mean: given.mean && table(gradBias!.map((sum, c) => -weight[c]! * invStd[c]! * sum)),
    variance: given.variance && table(gradWeight!.map((sum, c) => -0.5 * weight[c]! * invStd[c]! ** 2 * sum)),
  };
}

function composed(
  { tf, settings, training }: Call,
  dy: Tensor,
  given: Operands,
): Record<keyof Operands, Tensor | null> {
  if (training && (settings.renorm ?? settings.virtualBatchSize) !== undefined) {
    const message = `the gradient of a gradient needs a training without "renorm" and "virtualBatchSize"`;
    throw rangeError("ERR_BATCHNORM_OPTION", message);
  }
  const { x, gamma, mean, variance } = given;
  const differentiated: Differentiated = {
    x,
    gamma,
    mean,
    variance,
    epsilon: settings.epsilon,
    axis: axisOf(x, settings),
  };
  const { gradInput, gradGamma, gradBeta, gradMean, gradVariance } = composedGradients(tf, dy, differentiated);
  return { x: gradInput, gamma: gradGamma, beta: gradBeta, mean: gradMean, variance: gradVariance };
}

/** Normalizes on any backend, without gradients. */
export async function normalizeLater(call: Call): Promise<Tensor> {
  const { tf, operands } = call;
  const { x } = operands;
  const elements = new Map<Tensor, Float32Array>();
  await Promise.all(
    Object.entries(operands).map(async ([name, tensor]: [string, Tensor | null]) => {
      if (tensor) elements.set(tensor, await elementsLater(name, tensor));
    }),
  );
  fill(call, (_, tensor) => elements.get(tensor)!);
  return tf.tensor(run(call, elements.get(x)!, x.shape, false), x.shape, "float32");
}

/** The moving statistics after a training, as new tensors. */
export function movedOf({ tf, bn }: Call): { mean: Tensor; variance: Tensor } {
  const table = (values: Float32Array): Tensor => tf.tensor(values.slice(), [values.length], "float32");
  return { mean: table(bn.runningMean!), variance: table(bn.runningVar!) };
}
