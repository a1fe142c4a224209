// `npm run bench:memory`: bytes that a chain of normalizations with leaky ReLU holds for its backward, and its time, where
// forwards save x and where they save their output in x's place.
import { BatchNorm } from "batchnorm";
import { median } from "./report/rows.js";
import { draw, milliseconds } from "./report/table.js";

const DEPTH = 8;
const SHAPE = [32, 64, 28, 28];
const SIZE = SHAPE.reduce((a, b) => a * b, 1);
const ROUNDS = 9;
const TENSOR = 4 * SIZE;

interface Measured {
  readonly heldBytes: number;
  readonly forwardMs: number;
  readonly backwardMs: number;
}

if (!(globalThis as { gc?: unknown }).gc) throw new Error("run with --expose-gc: npm run bench:memory");

const layers = Array.from({ length: DEPTH }, () => new BatchNorm(SHAPE[1]!, { activation: { type: "leaky-relu" } }));

function collect(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

function measure(input: Float32Array, inPlace: boolean): Measured {
  let x: Float32Array = input.slice();
  collect();
  const before = process.memoryUsage().arrayBuffers - x.byteLength;
  const start = performance.now();
  for (const layer of layers) x = layer.forward(x, SHAPE, inPlace ? { save: "output", out: x } : {});
  const forwardMs = performance.now() - start;
  collect();
  const heldBytes = process.memoryUsage().arrayBuffers - before;
  let gradient: Float32Array = input.slice();
  const middle = performance.now();
  for (const layer of [...layers].reverse()) gradient = layer.backward(gradient, { out: gradient }).gradInput;
  return { heldBytes, forwardMs, backwardMs: performance.now() - middle };
}

const input = Float32Array.from({ length: SIZE }, (_, i) => ((i * 7919) % 1009) / 500 - 1);
const ways = [
  { name: "x saved, fresh outputs", inPlace: false },
  { name: 'save: "output", out: x', inPlace: true },
];
const measured = new Map<string, Measured[]>(ways.map(({ name }) => [name, []]));
// In turns, so that both meet the same machine; the first round warms up.
for (let round = 0; round <= ROUNDS; round++) {
  process.stderr.write(process.stderr.isTTY ? `\r${round}/${ROUNDS}` : "");
  for (const { name, inPlace } of ways) {
    const result = measure(input, inPlace);
    if (round > 0) measured.get(name)!.push(result);
  }
}

console.log(
  `\n${DEPTH} layers with leaky ReLU on ${SHAPE.join("×")} float32, ${layers[0]!.backend}; medians of ${ROUNDS}`,
);
console.log(
  draw({
    head: ["", "held for backward, MB", "tensors", "forward ms", "backward ms"],
    rows: [...measured].map(([name, results]) => {
      const held = median(results.map(({ heldBytes }) => heldBytes));
      const forward = median(results.map(({ forwardMs }) => forwardMs));
      const backward = median(results.map(({ backwardMs }) => backwardMs));
      const tensors = (held / TENSOR).toFixed(1);
      return [name, (held / 1e6).toFixed(1), tensors, milliseconds(forward), milliseconds(backward)];
    }),
  }),
);
