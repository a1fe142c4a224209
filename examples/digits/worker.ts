// A worker thread that runs one training and sends its progress and its result.
import { parentPort, workerData } from "node:worker_threads";
import type { Digits } from "./network/samples.js";
import { train, type Result, type Training } from "./train.js";

export interface Task {
  readonly training: Training;
  readonly digits: Digits;
}

export type Message = { readonly step: number } | { readonly result: Result };

const { training, digits } = workerData as Task;
const every = Math.ceil(training.steps / 100);

function send(message: Message): void {
  parentPort?.postMessage(message);
}

send({
  result: train(training, digits, (step) => {
    if (step % every === 0 || step === training.steps) send({ step });
  }),
});
