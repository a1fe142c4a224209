// A rank of a group in which one rank, the last but one argument, does something wrong: what the others are told.
import { Worker } from "node:worker_threads";
import { mpiGroup } from "../../src/mpi.js";
import { args, plain, report } from "./rank.js";

const [fault, culprit, limit, form = "blocking"] = args as [string, string, string, string?];
const group = mpiGroup({ timeout: Number(limit) });
const isCulprit = group.rank === Number(culprit);

const pause = (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/**
 * Ends the process at a random point, in the middle of a call of MPI too. Not before the first gathers, in which ranks connect:
 * MPICH's launcher ends all of them where one is gone that it has to answer.
 */
function killSoon(): void {
  const code = `
    const { workerData } = require("node:worker_threads");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, workerData);
    process.kill(process.pid, "SIGKILL");`;
  new Worker(code, { eval: true, workerData: Math.random() * 100 });
}

const FAULTS: Record<string, () => unknown> = {
  kill: killSoon,
  hang: () => pause(Number(limit) + 1500),
  throw: () => {
    throw new Error("the data are bad");
  },
  abort: () => {
    group.abort("the data are bad");
    pause(1500);
  },
  exit: () => process.exit(3),
};

/** The length of the n-th gather; that of the culprit is another one at last. */
function lengthOf(n: number): number {
  return fault === "length" && isCulprit && n === 20 ? 301 : 10 * (n % 60);
}

let done = 0;
const newest = { start: 0 };
try {
  for (let n = 0; ; n++) {
    if (isCulprit && n === 20) FAULTS[fault]?.();
    newest.start = performance.now();
    const values = new Float64Array(lengthOf(n)).fill(group.rank);
    const options = { call: `gather ${n}` };
    const all = form === "async" ? await group.allGatherAsync(values, options) : group.allGather(values, options);
    if (all.some((value, i) => value !== Math.floor(i / values.length))) throw new Error(`gather ${n} is wrong`);
    done++;
  }
} catch (error) {
  const waited = performance.now() - newest.start;
  let again: unknown;
  try {
    group.allGather(new Float64Array(1));
  } catch (second) {
    again = plain(second);
  }
  report(group.rank, { ...plain(error), again, done, waited });
  // As a program does that does not know the error.
  if (isCulprit && fault === "throw") throw error;
}
