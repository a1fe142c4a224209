// Operations of TensorFlow.js as tasks, on its cpu and wasm backends, whose operations have returned when their work is
// done. Channels last, as its batchNorm and the axes of its parameters are.
import type { Operation } from "../shapes.js";
import { none, timeSync, type Prepared, type Problem, type Result, type Task } from "./peer.js";

export interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}

/** Why it is left out elsewhere. */
export const CHANNELS_LAST = "its batchNorm takes channels last";

type Axes = readonly number[];
export type Backend = "cpu" | "wasm";

/** What is used of tfjs-core. */
export interface Core {
  enableProdMode(): void;
  setBackend(name: Backend): Promise<boolean>;
  getBackend(): string;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  tidy<T extends Tensor | readonly Tensor[]>(run: () => T): T;
  moments(x: Tensor, axes: Axes): { mean: Tensor; variance: Tensor };
  batchNorm(x: Tensor, mean: Tensor, variance: Tensor, bias: Tensor, weight: Tensor, eps: number): Tensor;
  grads(run: (x: Tensor, weight: Tensor, bias: Tensor) => Tensor): (args: readonly Tensor[], dy: Tensor) => Tensor[];
  sum(x: Tensor, axes: Axes): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
}

/** With one of its backends, which is in use after `select`. */
export interface Tfjs extends Core {
  readonly select: () => Promise<void>;
}

/** y, or dx, dγ and dβ. */
export function partsOf([out, gradWeight, gradBias]: readonly Float32Array[]): Result {
  return { out: out!, ...(gradWeight && { gradWeight }), ...(gradBias && { gradBias }) };
}

/** Keeps the newest outputs, to be read; those of the call before are disposed of. */
export function taskOf(tf: Tfjs, run: () => readonly Tensor[]): Task & { readonly dispose: () => void } {
  let outputs: readonly Tensor[] = [];
  const dispose = (): void => {
    for (const tensor of outputs) tensor.dispose();
    outputs = [];
  };
  const time = timeSync(() => {
    dispose();
    outputs = run();
  });
  return {
    dispose,
    sample: async (calls) => {
      await tf.select();
      return time(calls);
    },
    result: () => partsOf(outputs.map((tensor) => tensor.dataSync())),
  };
}

type Name = "x" | "dy" | "weight" | "bias" | "runningMean" | "runningVar" | "mean" | "invStd";
export type Tensors = Readonly<Record<Name, Tensor>>;

/** dx, dγ and dβ of the formulas, from the operations that the gradient of a tape is made of too. */
function composed(tf: Core, t: Tensors, axes: Axes, count: number): Tensor[] {
  const d = tf.sub(t.x, t.mean);
  const gradBias = tf.sum(t.dy, axes);
  const gradWeight = tf.mul(tf.sum(tf.mul(t.dy, d), axes), t.invStd);
  const along = tf.mul(d, tf.mul(tf.mul(gradWeight, t.invStd), 1 / count));
  const left = tf.sub(tf.sub(t.dy, tf.mul(gradBias, 1 / count)), along);
  return [tf.mul(left, tf.mul(t.weight, t.invStd)), gradWeight, gradBias];
}

export function tensorsOf(tf: Core, problem: Problem): Tensors {
  const { shape, extent, x, dy, weight, bias, runningMean, runningVar, mean, invStd } = problem;
  const channels = [extent.channels];
  return {
    x: tf.tensor(x, shape),
    dy: tf.tensor(dy, shape),
    weight: tf.tensor(weight, channels),
    bias: tf.tensor(bias, channels),
    runningMean: tf.tensor(runningMean, channels),
    runningVar: tf.tensor(runningVar, channels),
    mean: tf.tensor(mean, channels),
    invStd: tf.tensor(invStd, channels),
  };
}

/** y of given statistics, or dx, dγ and dβ. */
export type Operations = Readonly<Record<Operation, (x: Tensor, dy: Tensor) => readonly Tensor[]>>;

/** By its batchNorm; the backward is the gradient of its tape, or `composed` by hand. */
export function operationsOf(tf: Core, { extent, shape, eps }: Problem, t: Tensors, byHand: boolean): Operations {
  const axes = shape.slice(0, -1).map((_, axis) => axis);
  const training = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => {
    const { mean, variance } = tf.moments(x, axes);
    return tf.batchNorm(x, mean, variance, bias, weight, eps);
  };
  const gradient = tf.grads(training);
  return {
    forward: (x) => [tf.tidy(() => training(x, t.weight, t.bias))],
    inference: (x) => [tf.batchNorm(x, t.runningMean, t.runningVar, t.bias, t.weight, eps)],
    backward: (x, dy) =>
      byHand ? tf.tidy(() => composed(tf, { ...t, x, dy }, axes, extent.outer)) : gradient([x, t.weight, t.bias], dy),
  };
}

export function prepareTfjs(tf: Tfjs, problem: Problem, byHand: boolean): Prepared {
  if (problem.extent.inner !== 1) return none(CHANNELS_LAST);
  const t = tensorsOf(tf, problem);
  const operations = operationsOf(tf, problem, t, byHand);
  const task = (op: Operation): ReturnType<typeof taskOf> => taskOf(tf, () => operations[op](t.x, t.dy));
  const [forward, inference, backward] = [task("forward"), task("inference"), task("backward")];
  return {
    tasks: byHand ? { backward } : { forward, inference, backward },
    dispose: () => {
      for (const one of [forward, inference, backward, ...Object.values(t)]) one.dispose();
    },
  };
}
