// `npm run bench`: forward, inference and backward of 32×64×56×56 on every backend of this machine, as
// ratios to copying the same tensor in the same run.
import Table from "cli-table3";
import { BatchNorm, backends } from "batchnorm";
import { measure, median, type Samples } from "./benny.js";

const LAYOUTS = [
  { layout: "channels-first", shape: [32, 64, 56, 56] },
  { layout: "channels-last", shape: [32, 56, 56, 64] },
] as const;
const LENGTH = 32 * 64 * 56 * 56;
const OPERATIONS = ["forward", "inference", "backward"] as const;

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
const x = gaussian(LENGTH);
const dy = gaussian(LENGTH);
const y = new Float32Array(LENGTH);
const dx = new Float32Array(LENGTH);

function casesOf({ layout, shape }: (typeof LAYOUTS)[number]): Record<string, () => void> {
  const cases: Record<string, () => void> = { copy: () => y.set(x) };
  for (const backend of names) {
    const training = new BatchNorm(64, { layout, backend });
    const inference = new BatchNorm(64, { layout, backend }).eval();
    training.forward(x, shape, { out: y });
    const token = training.saved!;
    cases[`${backend} forward`] = () => void training.forward(x, shape, { out: y });
    cases[`${backend} inference`] = () => void inference.forward(x, shape, { out: y });
    // A token serves one backward, and is plain data: a copy of it serves another.
    cases[`${backend} backward`] = () => void training.backward(dy, { out: dx, saved: { ...token } });
  }
  return cases;
}

function rowOf(samples: Samples, backend: string): string[] {
  const copy = median(samples.get("copy")!);
  return OPERATIONS.map((operation) => (median(samples.get(`${backend} ${operation}`)!) / copy).toFixed(2));
}

const table = new Table({ head: ["layout", "backend", ...OPERATIONS], style: { head: [], border: [], compact: true } });
for (const setting of LAYOUTS) {
  const { layout } = setting;
  const samples = await measure(casesOf(setting), (round, rounds) => {
    process.stderr.write(`${layout}: round ${round} of ${rounds}\n`);
  });
  for (const backend of names) table.push([layout, backend, ...rowOf(samples, backend)]);
  console.log(
    `${layout}: copying ${(LENGTH * 4) / 1e6} MB takes ${median(samples.get("copy")!).toFixed(2)} ms (median)`,
  );
}
console.log(`32×64×56×56 float32, medians as ratios to copying x to y (y.set(x)), outputs given, one thread`);
console.log(table.toString());
