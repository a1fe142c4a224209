// A worker thread that runs one training after another, and sends their progress and their results.
import { parentPort, workerData } from "node:worker_threads";
import type { Message, Sets, Task } from "./pool.js";
import { train } from "./train.js";

const sets = workerData as Sets;

function send(message: Message): void {
  parentPort?.postMessage(message);
}

parentPort?.on("message", ({ training, probes }: Task) => {
  const every = Math.ceil(training.steps / 20);
  const onStep = (step: number): void => {
    if (step % every === 0) send({ step });
  };
  send({ result: train(training, sets.get(training.seed)!, probes, onStep) });
});
