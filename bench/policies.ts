// `npm run bench:policies`: what a forward and a backward cost with an option beside those without it, in one process and in
// turns. `--markdown` prints the table of docs/layer.md.
import { BatchNorm, MicroBatches, type BatchNormOptions } from "batchnorm";
import { median } from "./report/rows.js";
import { draw, markdownTable } from "./report/table.js";

const SHAPES = [
  [32, 64, 56, 56],
  [32, 256, 14, 14],
  [8, 16, 8, 8],
] as const;
const ROUNDS = 15;
/** Values that one round of a way goes through at least. */
const VALUES = 4e6;

type Shape = readonly [number, number, number, number];
interface Tensors {
  readonly shape: Shape;
  readonly x: Float32Array;
  readonly dy: Float32Array;
  readonly y: Float32Array;
  readonly dx: Float32Array;
}
type Step = () => void;
type Way = (tensors: Tensors) => Step;

const layerWay =
  (
    options: BatchNormOptions = {},
    ofForward: (tensors: Tensors) => object = () => ({}),
    channelsOf = (shape: Shape): number => shape[1],
  ): Way =>
  (tensors) => {
    const { shape, x, dy, y, dx } = tensors;
    const bn = new BatchNorm(channelsOf(shape), options);
    const given = { ...ofForward(tensors), out: y };
    return () => {
      bn.forward(x, shape, given);
      bn.backward(dy, { out: dx });
    };
  };

function later({ shape, x, dy, y, dx }: Tensors): Step {
  const bn = new BatchNorm(shape[1]);
  return () => {
    bn.forward(x, shape, { out: y, updateRunningStats: "later" });
    bn.commit(bn.saved!);
    bn.backward(dy, { out: dx });
  };
}

function microBatches({ shape, x, dy, y, dx }: Tensors): Step {
  const parts = 4;
  const size = x.length / parts;
  const part = (data: Float32Array, i: number): Float32Array => data.subarray(i * size, (i + 1) * size);
  const own = [shape[0] / parts, ...shape.slice(1)];
  const batch = new MicroBatches(new BatchNorm(shape[1]), parts, (i) => ({
    x: part(x, i),
    shape: own,
    out: part(y, i),
  }));
  return () => {
    batch.forward(() => undefined);
    batch.backward(
      (i) => part(dy, i),
      ({ gradInput }, i) => part(dx, i).set(gradInput),
    );
  };
}

const ones = (length: number): Float32Array => new Float32Array(length).fill(1);

const WAYS: Record<string, Way> = {
  plain: layerWay(),
  '`convention: "keras"`, channels first': layerWay({ convention: "keras", layout: "channels-first" }),
  '`onNonFinite: "skip"`': layerWay({ onNonFinite: "skip" }),
  "`momentum` as a function": layerWay({ momentum: (batch) => 1 / batch }),
  '`updateRunningStats: "later"` and `commit`': later,
  "`sampleWeights`": layerWay({}, ({ shape }) => ({ sampleWeights: ones(shape[0]) })),
  "`renorm`": layerWay({ renorm: { rMax: 3, dMax: 5 } }),
  "`virtualBatchSize`, a quarter of the batch": (tensors) =>
    layerWay({ virtualBatchSize: tensors.shape[0] / 4 })(tensors),
  'the same, `"interleaved"`': (tensors) =>
    layerWay({ virtualBatchSize: tensors.shape[0] / 4, virtualBatches: "interleaved" })(tensors),
  "`weight` and `bias` for each sample": layerWay({ affine: false }, ({ shape: [samples, channels] }) => {
    return { weight: ones(samples * channels), bias: ones(samples * channels) };
  }),
  "`axis: [1, 3]`": layerWay({ axis: [1, 3] }, undefined, (shape) => shape[1] * shape[3]),
  "`MicroBatches`, four": microBatches,
  '`activation: "relu"`': layerWay({ activation: "relu" }),
  '`activation: "hard-swish"`': layerWay({ activation: "hard-swish" }),
  PReLU: (tensors) => layerWay({ activation: { type: "prelu", slope: ones(tensors.shape[1]) } })(tensors),
};

function tensorsOf(shape: Shape): Tensors {
  const size = shape.reduce((a, b) => a * b, 1);
  const make = (f: (i: number) => number): Float32Array => Float32Array.from({ length: size }, (_, i) => f(i));
  const x = make((i) => ((i * 7919) % 1009) / 500 - 1);
  const dy = make((i) => ((i * 104729) % 1013) / 500 - 1);
  return { shape, x, dy, y: new Float32Array(size), dx: new Float32Array(size) };
}

function millisecondsOf(step: Step, repeats: number): number {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) step();
  return (performance.now() - start) / repeats;
}

/** Medians, over all rounds, of each way's time by the plain one's of the same round. The first round warms up. */
function measure(shape: Shape): number[] {
  const tensors = tensorsOf(shape);
  const repeats = Math.ceil(VALUES / tensors.x.length);
  const steps = Object.values(WAYS).map((way) => way(tensors));
  const ratios = steps.map((): number[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    process.stderr.write(process.stderr.isTTY ? `\r${shape.join("×")}: ${round}/${ROUNDS} ` : "");
    const times: number[] = [];
    // Every other round the other way round, so that no way always comes after the same one.
    const order = [...steps.keys()];
    for (const i of round % 2 ? order : order.reverse()) times[i] = millisecondsOf(steps[i]!, repeats);
    if (round > 0) ratios.forEach((list, i) => list.push(times[i]! / times[0]!));
  }
  return ratios.map(median);
}

const measured = SHAPES.map(measure);
const table = {
  head: ["beside plain batch normalization", ...SHAPES.map((shape) => shape.join("×"))],
  rows: Object.keys(WAYS)
    .slice(1)
    .map((name, i) => [name, ...measured.map((ratios) => ratios[i + 1]!.toFixed(2))]),
};
const isMarkdown = process.argv.includes("--markdown");
console.log(`\nforward and backward, ${new BatchNorm(1).backend}, float32, medians of ${ROUNDS} ratios`);
console.log(isMarkdown ? markdownTable(table) : draw(table));
