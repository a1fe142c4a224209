// Tries changed WASM modules in processes of their own (wasm-trials.ts), since one may never come to an end.
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { root } from "./package-copy.js";
import type { Mutant } from "./wasm-mutants.js";
import type { WasmOutcome } from "./wasm-trials.js";

const CHILDREN = 2;

export interface WasmTally {
  /** Modules that the engine refuses, that trap, that do not come to an end, and that the self-check rejects. */
  invalid: number;
  trap: number;
  hang: number;
  rejected: number;
  /** All results are right. */
  right: number;
  /** Accepted by the self-check, and a result is wrong: the module and the result. */
  readonly wrong: string[];
  /** The same, but the check of another element type rejects the module. */
  readonly partlyWrong: string[];
}

function start(): Promise<ChildProcess> {
  const file = fileURLToPath(new URL("wasm-trials.ts", import.meta.url));
  const env = { ...process.env, NODE_OPTIONS: "" };
  const child = fork(file, { cwd: root, execArgv: ["--import", "tsx"], serialization: "advanced", env });
  return new Promise((resolve, reject) => {
    child.once("message", () => {
      resolve(child);
    });
    child.once("exit", (code) => {
      reject(new Error(`wasm-trials.ts ended with status ${code}`));
    });
  });
}

/** The outcome, or null where the child has ended without one. */
function outcomeOf(child: ChildProcess, { bytes }: Mutant): Promise<WasmOutcome | null> {
  return new Promise((resolve) => {
    const end = (outcome: WasmOutcome | null): void => {
      child.removeAllListeners();
      resolve(outcome);
    };
    child.once("message", (message) => {
      end(message as WasmOutcome);
    });
    child.once("exit", () => {
      end(null);
    });
    child.send(bytes);
  });
}

export async function tryModules(mutants: readonly Mutant[]): Promise<WasmTally> {
  const tally: WasmTally = { invalid: 0, trap: 0, hang: 0, rejected: 0, right: 0, wrong: [], partlyWrong: [] };
  const left = mutants.values();
  const work = async (): Promise<void> => {
    let child = await start();
    // The iterator is shared: each child takes the next one.
    for (const mutant of left) {
      const outcome = await outcomeOf(child, mutant);
      if (!outcome) {
        tally.hang++;
        child = await start();
      } else if (outcome.fate === "wrong") {
        (outcome.isRejected ? tally.partlyWrong : tally.wrong).push(`${mutant.name}: ${outcome.fault}`);
      } else tally[outcome.fate]++;
    }
    child.kill();
  };
  await Promise.all(Array.from({ length: CHILDREN }, work));
  return tally;
}
