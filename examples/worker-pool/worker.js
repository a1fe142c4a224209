// A worker: takes a job, normalizes x into y, and says so. Both arrays are in shared memory: a message copies none of them.
import { parentPort, workerData } from "node:worker_threads";
import { BatchNorm } from "batchnorm";

const bn = new BatchNorm(workerData.channels, { threads: 1 });
bn.loadStateDict(workerData.state);
bn.eval();

parentPort.on("message", ({ id, x, y, shape }) => {
  try {
    bn.forward(x, shape, { out: y });
    parentPort.postMessage({ id });
  } catch (error) {
    parentPort.postMessage({ id, message: error.message });
  }
});
