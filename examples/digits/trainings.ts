// The four trainings of a run, as many at a time as there are cores. Each depends on its options and
// the seed alone, so their number at a time changes nothing but the time.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Digits } from "./network/samples.js";
import type { Options } from "./options.js";
import type { Result, Training } from "./train.js";
import type { Message, Task } from "./worker.js";

/** Without and with batch normalization at the rate, then both at ten times the rate. */
export function planTrainings({ steps, batch, rate, seed, activation, backend }: Options): Training[] {
  // 12 digits: 10 × 1.1 is to be called 11.
  const rates = [rate, Number((10 * rate).toPrecision(12))];
  return rates.flatMap((each) =>
    [false, true].map((normalized) => ({
      steps,
      batch,
      rate: each,
      seed,
      activation,
      normalized,
      ...(backend !== undefined && { backend }),
    })),
  );
}

export function nameOf({ normalized, rate }: Training): string {
  return `${normalized ? "with" : "without"} batch norm, rate ${rate}`;
}

function runInWorker(task: Task, onStep: (step: number) => void): Promise<Result> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.mjs", import.meta.url), { workerData: task });
    worker.on("message", (message: Message) => {
      if ("result" in message) resolve(message.result);
      else onStep(message.step);
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`a training's worker ended with code ${code} and no result`)));
  });
}

/** Results in the order of `trainings`; `onStep` hears of the steps done by each. */
export async function runTrainings(
  trainings: readonly Training[],
  digits: Digits,
  onStep: (index: number, step: number) => void,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = trainings.entries();
  const runWaiting = async (): Promise<void> => {
    for (const [index, training] of waiting) {
      results[index] = await runInWorker({ training, digits }, (step) => onStep(index, step));
    }
  };
  const atATime = Math.min(trainings.length, availableParallelism());
  await Promise.all(Array.from({ length: atATime }, runWaiting));
  return results;
}
