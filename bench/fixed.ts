// Costs that no tensor causes: a call of the layer on small ones, and a process's way to its first result.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BatchNorm } from "batchnorm";
import { lengthOf, shapes } from "../test/shapes.js";
import { measure } from "./benny.js";
import { median } from "./rows.js";

export interface FixedCosts {
  /** A forward with `out` through a layer with default options, by shape. */
  readonly microsecondsPerCall: Readonly<Record<string, number>>;
  /** A process that imports the package and computes F, over an empty one. */
  readonly firstResultMs: number;
  /** The check of the backend's bits, which is part of it. */
  readonly selfCheckMs: number;
}

const SMALL = ["F", "G"];
const root = fileURLToPath(new URL("..", import.meta.url));

const EMPTY = "";
/** Prints what the package's own clock said of the self-check, after what is timed. */
const FIRST_RESULT = `
import { BatchNorm, backends } from "batchnorm";
new BatchNorm(16).forward(new Float32Array(8192).fill(1), [8, 16, 8, 8]);
if (process.argv[1] === "self-check") console.log(backends().find(({ status }) => status === "in use").selfCheckMs ?? 0);`;

interface Run {
  readonly milliseconds: number;
  readonly stdout: string;
}

function runModule(code: string, ...args: string[]): Run {
  const start = performance.now();
  const all = ["--input-type=module", "--eval", code, "--", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { cwd: root, encoding: "utf8" });
  const milliseconds = performance.now() - start;
  if (status !== 0) throw new Error(`a process that measures the first result failed:\n${stderr}`);
  return { milliseconds, stdout };
}

/** In turns, so that a slow moment falls on each alike. */
function startUp(times: number): Pick<FixedCosts, "firstResultMs" | "selfCheckMs"> {
  const differences: number[] = [];
  const checks: number[] = [];
  for (let i = 0; i < times; i++) {
    const empty = runModule(EMPTY).milliseconds;
    differences.push(runModule(FIRST_RESULT).milliseconds - empty);
    checks.push(Number(runModule(FIRST_RESULT, "self-check").stdout));
  }
  return { firstResultMs: median(differences), selfCheckMs: median(checks) };
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

export function describeFixed({ microsecondsPerCall, firstResultMs, selfCheckMs }: FixedCosts): string {
  const calls = Object.entries(microsecondsPerCall).map(([name, value]) => `${name} ${value.toFixed(1)} µs`);
  return (
    `A forward of the layer with out: ${calls.join(", ")}.\n` +
    `Import to first result: ${firstResultMs.toFixed(1)} ms over an empty process, ` +
    `${selfCheckMs.toFixed(1)} ms of them the self-check.`
  );
}
