// `npm run bench:tfjs`: the layer of batchnorm/tfjs beside that of TensorFlow.js, on its cpu and wasm backends. Prints
// docs/tfjs.md's table. A call of each takes turns with the others; a figure is a ratio of medians of one run.
import { cpus } from "node:os";
import { backends } from "../src/index.js";
import { bindTfjs } from "../src/tfjs.js";
import { gaussian, random } from "../src/verify/data.js";
import { loadTensorflow, TF_BACKENDS, type Layer, type Tensor, type Tf } from "../test/adapters/tensorflow.js";

const SHAPES = [
  [8, 8, 8, 16],
  [32, 14, 14, 64],
  [32, 28, 28, 32],
  [128, 1024],
];

/** A sample lasts at least so long, in milliseconds. */
const SAMPLE = 5;
const ROUNDS = Number(process.env["ROUNDS"] ?? 15);

type Run = () => void;

function timed(run: Run, calls: number): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) run();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** The medians of a call, in milliseconds. */
function compare(runs: readonly Run[]): number[] {
  const calls = runs.map((run) => {
    timed(run, 3);
    return Math.max(1, Math.ceil(SAMPLE / timed(run, 1)));
  });
  const samples: number[][] = runs.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, run] of runs.entries()) samples[i]!.push(timed(run, calls[i]!) / calls[i]!);
  }
  return samples.map(median);
}

function normals(tf: Tf, shape: readonly number[], seed: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(Float32Array.from({ length: size }, gaussian(random(seed))), shape);
}

/** What is timed: inference, a forward in training, and a step without the optimizer. The gradients are all three. */
function tasksOf(tf: Tf, shape: readonly number[]): Record<string, (layer: Layer) => Run> {
  const x = tf.variable(normals(tf, shape, 1));
  const dy = normals(tf, shape, 2);
  const forward =
    (layer: Layer, training: boolean): Run =>
    () =>
      // Nothing is returned: tidy would look for tensors in every element.
      tf.tidy(() => void layer.apply(x, { training }).dataSync());
  return {
    inference: (layer) => forward(layer, false),
    "training forward": (layer) => forward(layer, true),
    "forward and backward": (layer) => () =>
      tf.tidy(() => {
        const loss = (): Tensor => tf.sum(tf.mul(layer.apply(x, { training: true }), dy));
        for (const gradient of Object.values(tf.variableGrads(loss).grads)) gradient.dataSync();
      }),
  };
}

const tf = await loadTensorflow();
const { BatchNormalization } = bindTfjs(tf);
const own = [...new Set([backends().find(({ status }) => status === "in use")!.name, "wasm" as const])];
const factor = (theirs: number, ours: number): string => (theirs / ours).toPrecision(2);

console.log(
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]!.model}, Node ${process.version}, TensorFlow.js 4.22.0\n`,
);
console.log(
  `| TensorFlow.js's backend | shape | task | its layer, ms | ${own.map((name) => `by ${name}`).join(" | ")} |`,
);
console.log(`|---|---|---|---|${own.map(() => "---|").join("")}`);
for (const backend of TF_BACKENDS) {
  await tf.setBackend(backend);
  for (const shape of SHAPES) {
    const layers = [tf.layers.batchNormalization({}), ...own.map((name) => new BatchNormalization({ backend: name }))];
    for (const layer of layers) layer.build([null, ...shape.slice(1)]);
    for (const [task, make] of Object.entries(tasksOf(tf, shape))) {
      const [theirs, ...ours] = compare(layers.map(make)) as [number, ...number[]];
      const ratios = ours.map((ms) => factor(theirs, ms)).join(" | ");
      console.log(`| ${backend} | ${shape.join("×")} | ${task} | ${theirs.toPrecision(3)} | ${ratios} |`);
    }
  }
}
