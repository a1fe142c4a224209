// The trainings of a run on worker threads, as many as there are cores. Each depends on its settings and its seed alone,
// so the number of workers changes nothing but the time.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Digits } from "./network/samples.js";
import type { Probe } from "./probes.js";
import type { Result } from "./train.js";
import type { Training } from "./training.js";

export interface Task {
  readonly training: Training;
  readonly probes: readonly Probe[];
}

/** What a worker is started with: the digits of each seed. */
export type Sets = ReadonlyMap<number, Digits>;

/** What a worker says: so many steps done, or the end of its task. */
export type Message = { readonly step: number } | { readonly result: Result };

export function workersFor(tasks: number): number {
  return Math.min(tasks, availableParallelism());
}

/** Gives a worker one task after another, until none waits. */
function work(
  worker: Worker,
  waiting: Iterator<[number, Task]>,
  onStep: (index: number, step: number) => void,
  onResult: (index: number, result: Result) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let index = -1;
    const next = (): void => {
      const following = waiting.next();
      if (following.done === true) return resolve();
      index = following.value[0];
      worker.postMessage(following.value[1]);
    };
    worker.on("message", (message: Message) => {
      if ("step" in message) return onStep(index, message.step);
      // A diverged training ends before its last step.
      onStep(index, message.result.training.steps);
      onResult(index, message.result);
      next();
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`a worker ended with code ${code} before its trainings did`)));
    next();
  });
}

/** Results in the order of `tasks`; `onStep` hears of the steps done by each. */
export async function runTasks(
  tasks: readonly Task[],
  sets: Sets,
  onStep: (index: number, step: number) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = tasks.entries();
  const workers = Array.from(
    { length: workersFor(tasks.length) },
    () => new Worker(new URL("./worker.mjs", import.meta.url), { workerData: sets }),
  );
  try {
    await Promise.all(workers.map((worker) => work(worker, waiting, onStep, (i, result) => (results[i] = result))));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return results;
}
