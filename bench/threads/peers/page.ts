// What the page runs: loads the libraries, checks their threads and results, and times them in turns.
import { firstCall, reasonOf, resultOf } from "../../peers/first-call.js";
import { toleranceFor } from "../../peers/check.js";
import type { PeerSetting } from "../../peers/options.js";
import type { Problem, Result } from "../../peers/peer.js";
import { makeProblem } from "../../peers/problem.js";
import { timeInTurns, type Entrant } from "../../peers/rounds.js";
import { median } from "../../report/rows.js";
import { extentOf, shapes, type Operation } from "../../shapes.js";
import type { Contender, Prepared } from "./contender.js";
import { secondsFor, type Compared, type Job, type Row, type Skipped } from "./job.js";
import { isOurs } from "./names.js";
import { loadOnnx } from "./onnx.js";
import { loadOurs } from "./ours.js";
import { loadTfjs } from "./tfjs.js";

/** Where the page's server has the files of the peers. */
export interface Places {
  readonly onnx: string;
  readonly tfjs: string;
  readonly tfjsWasm: string;
}

const collect = (globalThis as { gc?: () => void }).gc ?? null;

interface Ready extends Entrant {
  readonly who: string;
  readonly error: number;
  readonly task: Prepared;
}

/** Its checked first call, or why it is not timed. */
async function enter(
  { who, prepare }: Contender,
  op: Operation,
  problem: Problem,
  { expected, threads }: { readonly expected: Result; readonly threads: number },
): Promise<Ready | string> {
  const { shape, layout } = problem.setting;
  const { outer, inner } = extentOf(shape, layout);
  let task: Prepared | string;
  try {
    task = await prepare(op, problem);
  } catch (error) {
    return reasonOf(error);
  }
  if (typeof task === "string") return task;
  const first = await firstCall(task, expected, toleranceFor(outer * inner));
  if (typeof first !== "string") return { who, task, spins: threads > 1 && !isOurs(who), ...first };
  await task.dispose();
  return first;
}

/** The result of the first contender, which is ours. */
async function expectedOf({ prepare }: Contender, op: Operation, problem: Problem): Promise<Result> {
  const task = await prepare(op, problem);
  const { out, ...rest } = await resultOf(task);
  // Its memory goes away.
  const expected = { ...rest, out: out.slice() };
  if (typeof task !== "string") await task.dispose();
  return expected;
}

async function timeOperation(
  op: Operation,
  problem: Problem,
  contenders: readonly Contender[],
  { threads, rounds }: Job,
): Promise<Pick<Compared, "rows" | "skipped">> {
  const { setting } = problem;
  const id = { shape: setting.shape.name, layout: setting.layout, op };
  const expected = await expectedOf(contenders[0]!, op, problem);
  const skipped: Skipped[] = [];
  const ready: Ready[] = [];
  for (const contender of contenders) {
    const entered = await enter(contender, op, problem, { expected, threads });
    if (typeof entered === "string") skipped.push({ ...id, who: contender.who, reason: entered });
    else ready.push(entered);
  }
  const bounds = { seconds: secondsFor(setting), most: rounds, warmUpMs: 60, collect };
  const samples = await timeInTurns(ready, bounds);
  for (const { task } of ready) await task.dispose();
  const rows = ready.map(({ who, task, error }, i): Row => {
    const own = samples[i]!;
    const worked = task.worked?.() ?? threads;
    return { ...id, who, threads: worked, medianMs: median(own), minMs: Math.min(...own), samples: own.length, error };
  });
  return { rows, skipped };
}

/** Large enough for the threads of all, and small enough to be soon made. */
const FIRST: PeerSetting = {
  shape: shapes.find(({ name }) => name === "A")!,
  layout: "channels-last",
  data: "gaussian",
  dtype: "float32",
  variant: "plain",
};

/** `tell` hears what was done. @throws Error where a library does not run on as many threads as the job says. */
export async function compare(job: Job, places: Places, tell: (what: string) => void): Promise<Compared> {
  if (!globalThis.crossOriginIsolated) throw new Error("the page is not cross-origin isolated, so it has no threads");
  const loaded = [
    await loadOurs(job.threads, makeProblem(FIRST)),
    await loadOnnx(places.onnx, job.threads),
    await loadTfjs(places.tfjs, places.tfjsWasm, job.threads),
  ];
  const checks = loaded.map(({ check }) => check);
  const contenders = loaded.flatMap((one) => one.contenders);
  const rows: Row[] = [];
  const skipped: Skipped[] = [];
  for (const setting of job.settings) {
    const problem = makeProblem(setting);
    for (const op of setting.shape.operations) {
      const timed = await timeOperation(op, problem, contenders, job);
      rows.push(...timed.rows);
      skipped.push(...timed.skipped);
      tell(`${setting.shape.name} ${setting.shape.shape.join("×")} ${setting.layout} ${op}`);
    }
  }
  return { rows, skipped, checks };
}
