// TensorFlow.js on its cpu and wasm backends, whose operations have returned when their work is done. Channels last, as
// its batchNorm and the axes of its parameters are.
import { loadPackage, versionOf } from "./packages.js";
import { none, timeSync, type Peer, type Prepared, type Problem, type Result, type Task } from "./peer.js";

interface Tensor {
  dataSync(): Float32Array;
  dispose(): void;
}

type Axes = readonly number[];
type Backend = "cpu" | "wasm";

/** What is used of tfjs-core. */
interface Core {
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
interface Tfjs extends Core {
  readonly select: () => Promise<void>;
}

/** Keeps the newest outputs, to be read; those of the call before are disposed of. */
function taskOf(tf: Tfjs, run: () => readonly Tensor[]): Task & { readonly dispose: () => void } {
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
    result: (): Result => {
      const [out, gradWeight, gradBias] = outputs.map((tensor) => tensor.dataSync());
      return { out: out!, ...(gradWeight && { gradWeight }), ...(gradBias && { gradBias }) };
    },
  };
}

type Name = "x" | "dy" | "weight" | "bias" | "runningMean" | "runningVar" | "mean" | "invStd";

/** dx, dγ and dβ of the formulas, from the operations that the gradient of a tape is made of too. */
function composed(tf: Core, t: Readonly<Record<Name, Tensor>>, axes: Axes, count: number): Tensor[] {
  const d = tf.sub(t.x, t.mean);
  const gradBias = tf.sum(t.dy, axes);
  const gradWeight = tf.mul(tf.sum(tf.mul(t.dy, d), axes), t.invStd);
  const along = tf.mul(d, tf.mul(tf.mul(gradWeight, t.invStd), 1 / count));
  const left = tf.sub(tf.sub(t.dy, tf.mul(gradBias, 1 / count)), along);
  return [tf.mul(left, tf.mul(t.weight, t.invStd)), gradWeight, gradBias];
}

function tensorsOf(tf: Core, problem: Problem): Record<Name, Tensor> {
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

function prepare(tf: Tfjs, problem: Problem, byHand: boolean): Prepared {
  const { extent, shape, eps } = problem;
  if (extent.inner !== 1) return none("its batchNorm takes channels last");
  const axes = shape.slice(0, -1).map((_, axis) => axis);
  const t = tensorsOf(tf, problem);
  const training = (x: Tensor, weight: Tensor, bias: Tensor): Tensor => {
    const { mean, variance } = tf.moments(x, axes);
    return tf.batchNorm(x, mean, variance, bias, weight, eps);
  };
  const gradient = tf.grads(training);
  const forward = taskOf(tf, () => [tf.tidy(() => training(t.x, t.weight, t.bias))]);
  const inference = taskOf(tf, () => [tf.batchNorm(t.x, t.runningMean, t.runningVar, t.bias, t.weight, eps)]);
  const backward = taskOf(tf, () =>
    byHand ? tf.tidy(() => composed(tf, t, axes, extent.outer)) : gradient([t.x, t.weight, t.bias], t.dy),
  );
  return {
    tasks: byHand ? { backward } : { forward, inference, backward },
    dispose: () => {
      for (const one of [forward, inference, backward, ...Object.values(t)]) one.dispose();
    },
  };
}

async function load(backend: Backend, names: readonly { name: string; byHand: boolean }[]): Promise<Peer[]> {
  const core = loadPackage<Core>("@tensorflow/tfjs-core");
  // Without its checks for NaN and advice on the console.
  core.enableProdMode();
  loadPackage(`@tensorflow/tfjs-backend-${backend}`);
  loadPackage("@tensorflow/tfjs-core/dist/register_all_gradients");
  const tf = { ...core, select: async () => void (await core.setBackend(backend)) };
  await tf.select();
  if (core.getBackend() !== backend) throw new Error(`its ${backend} backend does not start`);
  return names.map(({ name, byHand }) => ({
    name,
    version: versionOf("@tensorflow/tfjs-core"),
    threads: 1,
    slow: backend === "cpu",
    prepare: async (problem) => {
      await tf.select();
      return prepare(tf, problem, byHand);
    },
  }));
}

export function loadTfjsCpu(): Promise<Peer[]> {
  return load("cpu", [{ name: "tfjs-cpu", byHand: false }]);
}

export function loadTfjsWasm(): Promise<Peer[]> {
  return load("wasm", [
    { name: "tfjs-wasm", byHand: false },
    { name: "tfjs-wasm-composed", byHand: true },
  ]);
}
