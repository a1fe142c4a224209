// batchnorm in the page: in a shared arena on several threads and on one, and on ordinary arrays, which it copies.
import { backends, createArena, warmUp } from "batchnorm";
import { prepareOurs, type Arrays, type Ours } from "../../peers/our-tasks.js";
import type { Problem } from "../../peers/peer.js";
import type { Operation } from "../../shapes.js";
import type { Contender, Prepared } from "./contender.js";
import { OURS } from "./names.js";

const BACKEND = { name: "wasm" } as const;

const copied = (problem: Problem): Arrays => ({
  x: problem.x,
  dy: problem.dy,
  out: new Float32Array(problem.x.length),
});

function inArena({ x, dy }: Problem): { arrays: Arrays; dispose: () => void } {
  const arena = createArena(3 * (x.byteLength + 64), { shared: true });
  const copy = (values: Float32Array): Float32Array => {
    const array = arena.float32(values.length);
    array.set(values);
    return array;
  };
  return { arrays: { x: copy(x), dy: copy(dy), out: arena.float32(x.length) }, dispose: () => arena.dispose() };
}

/** One of its operations, which tells how many threads worked. */
function taskOf({ tasks, worked }: Ours, op: Operation, dispose: () => void): Prepared | string {
  const task = tasks[op];
  if (typeof task !== "object") return task ?? "it has no such operation";
  let most = 0;
  const sample = async (calls: number): Promise<number> => {
    const ms = await task.sample(calls);
    most = Math.max(most, worked(op));
    return ms;
  };
  return { ...task, sample, worked: () => most, dispose };
}

function arenaOn(threads: number, who: string): Contender {
  return {
    who,
    prepare(op, problem) {
      const { arrays, dispose } = inArena(problem);
      return taskOf(prepareOurs(problem, BACKEND, threads, arrays), op, dispose);
    },
  };
}

/** Milliseconds: calls that lost time on a busy machine use one thread for up to five seconds. */
const PATIENCE = 20_000;

/** How many threads worked on a large call, at most. */
async function mostThreads(threads: number, problem: Problem): Promise<number> {
  const task = await arenaOn(threads, OURS.arena).prepare("forward", problem);
  if (typeof task === "string") throw new Error(task);
  const worked = (): number => task.worked?.() ?? 0;
  for (const end = performance.now() + PATIENCE; worked() < threads && performance.now() < end;) {
    await task.sample(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await task.dispose();
  return worked();
}

/** @throws Error where it does not run on as many threads. */
export async function loadOurs(threads: number, problem: Problem): Promise<{ contenders: Contender[]; check: string }> {
  await warmUp({ backend: "wasm", threads });
  const reason = backends().find(({ name }) => name === "wasm")?.oneThread;
  const worked = await mostThreads(threads, problem);
  if (worked < threads) {
    const why = reason ?? "the machine may be busy";
    throw new Error(`batchnorm does not run on ${threads} threads here: ${worked} worked on a large call; ${why}`);
  }
  const one = threads > 1 ? [arenaOn(1, OURS.one)] : [];
  const arrays: Contender = {
    who: OURS.arrays,
    prepare: (op, problem) => taskOf(prepareOurs(problem, BACKEND, threads, copied(problem)), op, () => undefined),
  };
  const check = `batchnorm: ${worked} threads worked on a call of ${problem.shape.join("×")}`;
  return { contenders: [arenaOn(threads, OURS.arena), ...one, arrays], check };
}
