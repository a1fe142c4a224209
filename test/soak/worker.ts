// Trains until it is ended, on the threads that the whole process shares.
import { parentPort } from "node:worker_threads";
import { BatchNorm } from "../../src/index.js";

const SHAPE = [8, 64, 32, 32];
const layer = new BatchNorm(64, { threads: 2 });
const x = Float32Array.from({ length: 8 * 64 * 32 * 32 }, (_, i) => (i % 251) / 8);

function step(): void {
  layer.forward(x, SHAPE);
  layer.backward(x);
}

step();
parentPort!.postMessage("training");
for (;;) step();
