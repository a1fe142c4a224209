// TensorFlow.js with its WebAssembly backend in the page.
import {
  CHANNELS_LAST,
  operationsOf,
  partsOf,
  taskOf,
  tensorsOf,
  type Core,
  type Operations,
  type Tensor,
  type Tensors,
} from "../../peers/tfjs-tasks.js";
import { timeSync, type Problem } from "../../peers/peer.js";
import type { Operation } from "../../shapes.js";
import type { Contender, Prepared } from "./contender.js";
import { OTHERS } from "./names.js";
import { checkThreads } from "./verify.js";
import { counted } from "./workers.js";

const NAME = "TensorFlow.js";
const FEATURES = ["WASM_HAS_SIMD_SUPPORT", "WASM_HAS_MULTITHREAD_SUPPORT"];

/** Tensors of the size of x in the gradient of its tape, by `tf.profile` and with room for what is not filled. */
const TAPE = 21;
/** Bytes of its memory, at most. Where that is full it does not fail, but goes on without an end. */
const MEMORY = 2 ** 32;
const FULL = "the tape of its gradient needs more than the 4 GB of its memory";

/** What is used of the core and of the backend. */
interface Tf extends Core {
  setWasmPaths(folder: string): void;
  setThreadsCount(threads: number): void;
  getThreadsCount(): number;
  env(): { getAsync(flag: string): Promise<boolean> };
  add(a: Tensor, b: Tensor | number): Tensor;
  rsqrt(x: Tensor): Tensor;
}

/** y = x·scale + shift by elementwise operations, which threads share: its batchNorm is a loop of one thread. */
function composedOf(tf: Tf, problem: Problem, t: Tensors): Operations {
  const axes = problem.shape.slice(0, -1).map((_, axis) => axis);
  const normalize = (x: Tensor, mean: Tensor, variance: Tensor): Tensor => {
    const scale = tf.mul(t.weight, tf.rsqrt(tf.add(variance, problem.eps)));
    return tf.add(tf.mul(x, scale), tf.sub(t.bias, tf.mul(mean, scale)));
  };
  return {
    forward: (x) =>
      tf.tidy(() => {
        const { mean, variance } = tf.moments(x, axes);
        return [normalize(x, mean, variance)];
      }),
    inference: (x) => tf.tidy(() => [normalize(x, t.runningMean, t.runningVar)]),
    backward: operationsOf(tf, problem, t, true).backward,
  };
}

/** From tensors in the backend's memory to tensors there, as between the layers of a network. */
function resident(tf: Tf, t: Tensors, run: Operations[Operation]): Prepared {
  const task = taskOf({ ...tf, select: () => Promise.resolve() }, () => run(t.x, t.dy));
  const dispose = (): void => {
    for (const one of [task, ...Object.values(t)]) one.dispose();
  };
  return { ...task, dispose };
}

/** Tensors are made of arrays and read into arrays; those of the parameters stay. */
function fromArrays(
  tf: Tf,
  { x, dy, shape }: Problem,
  t: Tensors,
  op: Operation,
  run: Operations[Operation],
): Prepared {
  const { x: ownX, dy: ownDy, ...parameters } = t;
  for (const tensor of [ownX, ownDy]) tensor.dispose();
  let read: readonly Float32Array[] = [];
  const sample = timeSync(() => {
    const made = tf.tensor(x, shape);
    const inputs = [made, op === "backward" ? tf.tensor(dy, shape) : made] as const;
    const outputs = run(...inputs);
    read = outputs.map((tensor) => tensor.dataSync());
    for (const tensor of [...inputs, ...outputs]) tensor.dispose();
  });
  const dispose = (): void => {
    for (const tensor of Object.values(parameters)) tensor.dispose();
  };
  return { sample, result: () => partsOf(read), dispose };
}

function refusalOf(who: string, op: Operation, { setting, x }: Problem): string | null {
  if (setting.layout !== "channels-last") return CHANNELS_LAST;
  return who === OTHERS.tensors && op === "backward" && TAPE * x.byteLength > MEMORY ? FULL : null;
}

function contendersOf(tf: Tf): Contender[] {
  const contender = (who: string, make: (op: Operation, problem: Problem, t: Tensors) => Prepared): Contender => ({
    who,
    prepare: (op, problem) => refusalOf(who, op, problem) ?? make(op, problem, tensorsOf(tf, problem)),
  });
  return [
    contender(OTHERS.tensors, (op, problem, t) => resident(tf, t, operationsOf(tf, problem, t, false)[op])),
    contender(OTHERS.tensorsComposed, (op, problem, t) => resident(tf, t, composedOf(tf, problem, t)[op])),
    contender(OTHERS.arraysComposed, (op, problem, t) =>
      fromArrays(tf, problem, t, op, composedOf(tf, problem, t)[op]),
    ),
  ];
}

/**
 * TensorFlow.js has at most half as many threads as it sees cores, because two are often one core with hyper-threading
 * (init_with_threads_count in its backend.cc). Here it sees enough.
 */
async function withCores<T>(cores: number, load: () => Promise<T>): Promise<T> {
  Object.defineProperty(navigator, "hardwareConcurrency", { value: cores, configurable: true });
  try {
    return await load();
  } finally {
    Reflect.deleteProperty(navigator, "hardwareConcurrency");
  }
}

async function load(script: string, folder: string, threads: number): Promise<Tf> {
  const tf = (await import(script)) as Tf;
  // Without its checks for NaN and advice on the console.
  tf.enableProdMode();
  tf.setWasmPaths(folder);
  tf.setThreadsCount(threads);
  if (!(await tf.setBackend("wasm"))) throw new Error(`${NAME}'s wasm backend does not start`);
  return tf;
}

/** Of a module with the core and the backend. @throws Error where it does not run on as many threads. */
export async function loadTfjs(
  script: string,
  folder: string,
  threads: number,
): Promise<{ contenders: Contender[]; check: string }> {
  const { loaded: tf, tally } = await counted(() => withCores(2 * threads, () => load(script, folder, threads)));
  const features: Record<string, boolean> = {};
  for (const flag of FEATURES) features[flag] = await tf.env().getAsync(flag);
  const says = { what: "getThreadsCount()", threads: tf.getThreadsCount() };
  const check = checkThreads({ name: NAME, asked: threads, says, features, ...tally });
  return { contenders: contendersOf(tf), check };
}
