// One rank, in a worker thread or in a process of its own: it does a job, and tells what came of it.
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { DType } from "../../../src/index.js";
import {
  SyncBatchNorm,
  gather,
  gatherAsync,
  processGroup,
  workerGroup,
  type Group,
  type GroupError,
  type SharedGroup,
} from "../../../src/sync.js";
import { random } from "../../../src/verify/data.js";
import { CASES } from "../../sync/cases.js";
import { partResults, rangesOf, type Results } from "./whole-and-parts.js";

/** What goes wrong in a rank. The others make their calls. */
export type Fault =
  | "none"
  | "hang"
  | "exit"
  | "uncaught"
  | "bad argument"
  | "channels"
  | "order"
  | "options"
  | "abort"
  | "close"
  | "length";

export type Job =
  | {
      readonly kind: "case";
      readonly name: string;
      readonly seed: number;
      readonly ends: readonly number[];
      readonly blocks: boolean;
    }
  | {
      readonly kind: "steps";
      readonly fault: Fault;
      readonly victim: number;
      readonly at: number;
      readonly steps: number;
      readonly timeout: number;
      readonly blocks: boolean;
    }
  | { readonly kind: "subsets"; readonly blocks: boolean };

/** How the steps of a rank ended. */
export interface Ended {
  readonly steps: number;
  readonly tracked: number;
  readonly mean: readonly number[];
  readonly variance: readonly number[];
  readonly error: {
    readonly name: string;
    readonly code: unknown;
    readonly ranks: readonly number[];
    readonly message: string;
  } | null;
  /** How long the call took that threw. */
  readonly milliseconds: number;
}

export type Answer = Results | Ended | readonly number[][];

const SHAPE = [6, 4, 5];
const SIZE = 6 * 4 * 5;

/** The part of a rank in a step, which the parent can make too. */
export function partOfStep(step: number, rank: number): Float32Array {
  const next = random(1000 * step + rank + 1);
  return Float32Array.from({ length: SIZE }, () => 2 * next() - 1);
}

export { SHAPE as STEP_SHAPE };

function told(error: unknown): Ended["error"] {
  const { name, code, ranks, message } = error as GroupError;
  return { name, code, ranks: ranks ?? [], message };
}

type Layer = SyncBatchNorm<DType>;

/** One forward and one backward. */
async function step(layer: Layer, x: Float32Array, blocks: boolean): Promise<void> {
  if (blocks) {
    layer.forward(x, SHAPE);
    layer.backward(x);
  } else {
    await layer.forwardAsync(x, SHAPE);
    await layer.backwardAsync(x);
  }
}

/** Blocks this thread, or this process, for good. */
function hang(): never {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  throw new Error("woken");
}

/** Does what should not be done, in the place of a step or before it. */
async function fail(fault: Fault, group: Group, layer: Layer, x: Float32Array, blocks: boolean): Promise<void> {
  switch (fault) {
    case "none":
      return;
    case "hang":
      return hang();
    case "exit":
      return process.exit(3);
    case "uncaught":
      throw new Error("a program's own error");
    case "bad argument":
      return void (blocks ? layer.forward(x, [1, 4, 5]) : await layer.forwardAsync(x, [1, 4, 5]));
    case "channels":
      return step(new SyncBatchNorm<DType>(4, { group, layout: "channels-last" }), x, blocks);
    case "order": {
      await (blocks ? layer.forward(x, SHAPE) : layer.forwardAsync(x, SHAPE));
      return void (blocks ? layer.forward(x, SHAPE) : await layer.forwardAsync(x, SHAPE));
    }
    case "options":
      layer.eps = 0.5;
      return;
    case "abort":
      group.abort!("the loss was NaN");
      return;
    case "close":
      return void (await group.close!());
    case "length":
      return void (await group.allGather(new Float64Array(3)));
  }
}

/** How long ranks may take to start. */
const START = 60_000;

async function doSteps(group: Group, job: Job & { kind: "steps" }, ready: () => void): Promise<Ended> {
  const { fault, victim, at, steps, timeout, blocks } = job;
  // All ranks have started.
  if (blocks) gather(group, new Float64Array(0), { timeout: START });
  else await gatherAsync(group, new Float64Array(0), { timeout: START });
  ready();
  const layer: Layer = new SyncBatchNorm<DType>(4, { group, timeout });
  let done = 0;
  let begin = 0;
  let error: Ended["error"] = null;
  try {
    for (; done < steps; done++) {
      const x = partOfStep(done, group.rank);
      begin = performance.now();
      if (group.rank === victim && done === at) await fail(fault, group, layer, x, blocks);
      await step(layer, x, blocks);
    }
  } catch (thrown) {
    if (fault === "uncaught" && group.rank === victim) throw thrown;
    error = told(thrown);
  }
  const milliseconds = performance.now() - begin;
  const [mean, variance] = [[...layer.runningMean!], [...layer.runningVar!]];
  return { steps: done, tracked: layer.numBatchesTracked, mean, variance, error, milliseconds };
}

/** Sums of ranks over subsets that overlap, in turns. */
async function doSubsets(group: Group, blocks: boolean): Promise<number[][]> {
  const lists = [
    [0, 1, 2, 3],
    [0, 2],
    [1, 3],
    [3, 2, 1],
    [0, 2],
  ];
  const results: number[][] = [];
  for (const ranks of lists) {
    if (!ranks.includes(group.rank)) continue;
    const own = await group.split!(ranks);
    const values = Float64Array.from({ length: 5 * (own.rank + 1) }, () => group.rank);
    const all = blocks ? gather(own, values) : await gatherAsync(own, values);
    results.push([own.rank, own.size, ...all.flatMap((part) => [...part])]);
  }
  return results;
}

async function answerOf(group: Group, job: Job, ready: () => void): Promise<Answer> {
  if (job.kind === "steps") return doSteps(group, job, ready);
  if (job.kind === "subsets") return doSubsets(group, job.blocks);
  const one = CASES.find(({ name }) => name === job.name)!;
  return partResults(one, job.seed, group, rangesOf(job.ends)[group.rank]!, { blocks: job.blocks });
}

/** What a rank says when all ranks have started. */
export const READY = "ready";

export interface ThreadData {
  readonly shared: SharedGroup;
  readonly rank: number;
  readonly job: Job;
}

if (!isMainThread && (workerData as ThreadData | null)?.shared) {
  const { shared, rank, job } = workerData as ThreadData;
  parentPort!.postMessage(await answerOf(workerGroup(shared, rank), job, () => parentPort!.postMessage(READY)));
} else if (process.env["RANK_JOB"]) {
  const group = await processGroup();
  const answer = await answerOf(group, JSON.parse(process.env["RANK_JOB"]) as Job, () => process.send!(READY));
  await new Promise((resolve) => process.send!(answer, undefined, undefined, resolve));
  await group.close();
  process.disconnect();
}
