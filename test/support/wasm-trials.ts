// A process that tries changed WASM modules, one for each message: what the self-check makes of it, and if it accepts the
// module, whether calls whose results are known are right. It ends itself where a module does not come to an end.
import { Worker } from "node:worker_threads";
import { DTYPES, type DType } from "../../src/base/types.js";
import { oracle } from "../../src/backends/oracle/oracle.js";
import { selfCheck } from "../../src/backends/self-check/self-check.js";
import { checkMeans, instantiate } from "../../src/backends/wasm/wasm.js";
import type { Kernels } from "../../src/kernels/kernels.js";
import { referenceOf, type Reference } from "../../src/verify/case-reference.js";
import { cases, halfCases, sizeOf } from "../../src/verify/cases.js";
import { runCase } from "./kernel-runner.js";

export type WasmFate = "invalid" | "trap" | "rejected" | "right" | "wrong";
export interface WasmOutcome {
  readonly fate: WasmFate;
  readonly fault: string;
  /** Of a wrong one: whether the check of another element type rejects it. */
  readonly isRejected: boolean;
}

/** Shapes of every traversal, kind and option, and some of several blocks and groups. */
function referencesOf(dtype: DType, isWeighted: boolean): Reference[] {
  const all = [...cases, ...halfCases].filter((one) => one.dtype === dtype);
  const small = all.filter(({ extent }) => sizeOf(extent) <= 6000).filter((_, i) => i % 3 === 0);
  const large = all.filter(({ extent }) => sizeOf(extent) > 30_000 && sizeOf(extent) < 140_000);
  return [...small.slice(0, 40), ...large.slice(0, 4)].map((one) => {
    const { calls, ...rest } = referenceOf(one, oracle);
    return { ...rest, calls: calls.filter(({ operands }) => Boolean(operands.w) === isWeighted) };
  });
}

interface Use {
  readonly dtype: DType;
  readonly isWeighted: boolean;
  readonly references: readonly Reference[];
}

const uses: readonly Use[] = DTYPES.flatMap((dtype) =>
  [false, true].map((isWeighted) => ({ dtype, isWeighted, references: referencesOf(dtype, isWeighted) })),
);

/** The module as the package instantiates it, and with so little memory that tensors pass through it in parts. */
function instancesOf(module: WebAssembly.Module): readonly [whole: Kernels, parts: Kernels] {
  return [instantiate(module), instantiate(module, { pages: 14, tileBytes: 4096 })];
}

function tryModule(bytes: Uint8Array<ArrayBuffer>): WasmOutcome {
  let isRejected = false;
  if (!WebAssembly.validate(bytes)) return { fate: "invalid", fault: "", isRejected };
  const module = new WebAssembly.Module(bytes);
  const [whole, parts] = instancesOf(module);
  const means = checkMeans(() => module);
  const rejected = new Set<DType>();
  for (const use of uses) {
    // With weights both checks are passed first.
    if (rejected.has(use.dtype)) continue;
    if (selfCheck(whole, use.dtype, use.isWeighted, means) !== null) {
      isRejected = true;
      rejected.add(use.dtype);
      continue;
    }
    for (const [name, kernels] of [
      ["whole", whole],
      ["parts", parts],
    ] as const) {
      for (const reference of use.references) {
        const [fault] = runCase(kernels, reference).faults;
        if (fault) return { fate: "wrong", fault: `${name}: ${fault}`, isRejected };
      }
    }
  }
  return { fate: isRejected ? "rejected" : "right", fault: "", isRejected };
}

/** Of the processor, in seconds: a healthy module takes one. */
const LIMIT = 10;

/**
 * The processor's time and not the clock's: a busy machine slows a module down without making it endless, and an endless one
 * is not waited for any longer than it takes to know.
 */
const started = new Float64Array(new SharedArrayBuffer(8));
const processorSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const WATCH = `
  const { workerData: { started, limit } } = require("node:worker_threads");
  setInterval(() => {
    const { user, system } = process.cpuUsage();
    if ((user + system) / 1e6 - started[0] > limit) process.kill(process.pid, "SIGKILL");
  }, 200);`;
started[0] = Infinity;
new Worker(WATCH, { eval: true, execArgv: [], workerData: { started, limit: LIMIT } }).unref();

process.on("message", (bytes: Uint8Array) => {
  started[0] = processorSeconds();
  let outcome: WasmOutcome;
  try {
    outcome = tryModule(new Uint8Array(bytes));
  } catch (error) {
    outcome = { fate: "trap", fault: String(error), isRejected: false };
  }
  started[0] = Infinity;
  process.send!(outcome);
});
process.send!("ready");
