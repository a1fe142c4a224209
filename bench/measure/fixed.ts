// Costs that no tensor causes: a call of the layer on small ones, and a process's way to its first result.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BatchNorm } from "batchnorm";
import { lengthOf, shapes } from "../shapes.js";
import { measure } from "./benny.js";
import { median } from "../report/rows.js";

export interface FixedCosts {
  /** A forward with `out` through a layer with default options, by shape. */
  readonly microsecondsPerCall: Readonly<Record<string, number>>;
  /** A process that imports the package and computes F, over an empty one. */
  readonly firstResultMs: number;
  /** The same on WebAssembly. */
  readonly wasmFirstResultMs: number;
}

const SMALL = ["F", "G"];
const root = fileURLToPath(new URL("../..", import.meta.url));

const EMPTY = "";
const FIRST_RESULT = `
import { BatchNorm } from "batchnorm";
new BatchNorm(16).forward(new Float32Array(8192).fill(1), [8, 16, 8, 8]);`;

/** Milliseconds of a process that runs this module. */
function timeModule(code: string, variables: Readonly<Record<string, string>> = {}): number {
  const start = performance.now();
  const env = { ...process.env, ...variables };
  const args = ["--input-type=module", "--eval", code];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", env });
  const milliseconds = performance.now() - start;
  if (status !== 0) throw new Error(`a process that measures the first result failed:\n${stderr}`);
  return milliseconds;
}

/** In turns, so that a slow moment falls on each alike. */
function startUp(times: number): Pick<FixedCosts, "firstResultMs" | "wasmFirstResultMs"> {
  const best: number[] = [];
  const wasm: number[] = [];
  for (let i = 0; i < times; i++) {
    const empty = timeModule(EMPTY);
    best.push(timeModule(FIRST_RESULT) - empty);
    wasm.push(timeModule(FIRST_RESULT, { BATCHNORM_BACKEND: "wasm" }) - empty);
  }
  return { firstResultMs: median(best), wasmFirstResultMs: median(wasm) };
}

async function perCall(seconds: number): Promise<Record<string, number>> {
  const cases = new Map<string, () => void>();
  for (const shape of shapes.filter(({ name }) => SMALL.includes(name))) {
    const layer = new BatchNorm(shape.shape[1]);
    const x = Float32Array.from({ length: lengthOf(shape) }, (_, i) => Math.sin(i));
    const out = new Float32Array(x.length);
    cases.set(shape.name, () => void layer.forward(x, shape.shape, { out }));
  }
  const samples = await measure(cases, { seconds, least: 3, most: 1000, secondsPerCase: 0.05, warmUpSeconds: 0.3 });
  return Object.fromEntries([...samples].map(([name, values]) => [name, 1000 * median(values)]));
}

export async function measureFixed({ quick }: { readonly quick: boolean }): Promise<FixedCosts> {
  const microsecondsPerCall = await perCall(quick ? 1 : 4);
  return { microsecondsPerCall, ...startUp(quick ? 9 : 25) };
}

export function describeFixed({ microsecondsPerCall, firstResultMs, wasmFirstResultMs }: FixedCosts): string {
  const calls = Object.entries(microsecondsPerCall).map(([name, value]) => `${value.toFixed(1)} µs for ${name}`);
  return (
    `A forward through a layer, with a given output, takes ${calls.join(" and ")}.\n` +
    `A process that imports the package and computes one result takes ${firstResultMs.toFixed(1)} ms longer than an ` +
    `empty one; on WebAssembly it takes ${wasmFirstResultMs.toFixed(1)} ms longer.`
  );
}
