// `npm run bench`: forward, inference and backward of 32×64×56×56 on every backend of this machine, as
// ratios to copying the same tensor in the same run.
import Table from "cli-table3";
import { BatchNorm, backends } from "batchnorm";
import { measure, median } from "./benny.js";

const LAYOUTS = [
  { layout: "channels-first", shape: [32, 64, 56, 56] },
  { layout: "channels-last", shape: [32, 56, 56, 64] },
] as const;

/** Gaussian values by the polar method, from a fixed seed. */
function gaussian(length: number): Float32Array {
  let state = 1;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
  return Float32Array.from({ length }, () => {
    for (;;) {
      const u = uniform();
      const square = u * u + uniform() ** 2;
      if (square > 0 && square < 1) return u * Math.sqrt((-2 * Math.log(square)) / square);
    }
  });
}

const names = backends()
  .filter(({ name, status }) => name !== "oracle" && (status === "in use" || status === "available"))
  .map(({ name }) => name);
const length = 32 * 64 * 56 * 56;
const [x, dy, y, dx] = [
  gaussian(length),
  gaussian(length),
  new Float32Array(length),
  new Float32Array(length),
] as const;
const table = new Table({ head: ["layout", "backend", "forward", "inference", "backward"] });

for (const { layout, shape } of LAYOUTS) {
  const cases: Record<string, () => void> = { copy: () => y.set(x) };
  for (const backend of names) {
    process.stderr.write(`${layout} ${backend}\n`);
    const training = new BatchNorm(64, { layout, backend });
    const inference = new BatchNorm(64, { layout, backend }).eval();
    training.forward(x, shape, { out: y });
    // A token serves one backward: the layer's own call makes a new one, so the pair is timed and forward taken off.
    cases[`${backend} forward`] = () => void training.forward(x, shape, { out: y });
    cases[`${backend} inference`] = () => void inference.forward(x, shape, { out: y });
    cases[`${backend} both`] = () => {
      training.forward(x, shape, { out: y });
      training.backward(dy, { out: dx });
    };
  }
  const samples = await measure(cases);
  const time = (name: string): number => median(samples.get(name)!);
  const ratio = (milliseconds: number): string => (milliseconds / time("copy")).toFixed(2);
  for (const backend of names) {
    const forward = time(`${backend} forward`);
    table.push([
      layout,
      backend,
      ratio(forward),
      ratio(time(`${backend} inference`)),
      ratio(time(`${backend} both`) - forward),
    ]);
  }
  console.log(`${layout}: copying ${(length * 4) / 1e6} MB takes ${time("copy").toFixed(2)} ms`);
}
console.log(
  `32×64×56×56 float32, medians as ratios to copying the tensor (y.set(x)), outputs given, one thread\n${table.toString()}`,
);
