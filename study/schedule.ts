// Gives the points of a plan to worker threads. Each point depends on its settings and its seed alone, so the number of
// workers and the order change nothing but the time.
import { Worker } from "node:worker_threads";
import { costOf } from "./cost.js";
import { idOf, type Planned } from "./experiments/plan.js";
import type { Message, Start } from "./worker.js";
import type { Trained } from "./training/train.js";

export interface Listener {
  /** `share` of a point's steps is done. */
  readonly progress: (planned: Planned, share: number) => void;
  readonly trained: (planned: Planned, trained: Trained) => void;
  readonly failed: (planned: Planned, message: string) => void;
}

/**
 * The first seed of everything comes before the second, and short trainings before long ones: a study that is stopped early
 * says a little of all, and loses little.
 */
export function inOrder(plan: readonly Planned[]): Planned[] {
  return [...plan].sort((a, b) => a.seed - b.seed || costOf(a.settings) - costOf(b.settings));
}

/** Runs one point after another in the worker. */
async function work(worker: Worker, waiting: Iterator<Planned>, listener: Listener): Promise<void> {
  for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
    await runPoint(worker, next.value, listener);
  }
}

function runPoint(worker: Worker, planned: Planned, listener: Listener): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => void worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    const onError = (error: unknown): void => {
      end();
      reject(error instanceof Error ? error : new Error(String(error)));
    };
    const onExit = (code: number): void => onError(new Error(`the worker of ${idOf(planned)} ended with code ${code}`));
    const onMessage = (message: Message): void => {
      if (message.kind === "step") {
        listener.progress(planned, message.step / planned.settings.steps);
        return;
      }
      end();
      if (message.kind === "trained") listener.trained(planned, message.trained);
      else listener.failed(planned, message.message);
      resolve();
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.postMessage(planned);
  });
}

/** Trains every point of the plan; resolves when the last one has ended. */
export async function runPlan(
  plan: readonly Planned[],
  start: Start,
  workers: number,
  listener: Listener,
): Promise<void> {
  const waiting = inOrder(plan).values();
  const threads = Array.from(
    { length: Math.min(workers, plan.length) },
    () => new Worker(new URL("./worker.mjs", import.meta.url), { workerData: start }),
  );
  try {
    await Promise.all(threads.map((worker) => work(worker, waiting, listener)));
  } finally {
    await Promise.all(threads.map((worker) => worker.terminate()));
  }
}
