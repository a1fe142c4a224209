// The worker of hammered-calls.ts: writes to shared memory until it is ended. Plain JavaScript: workers load no TypeScript.
import { parentPort, workerData } from "node:worker_threads";

const { block, data, headers, rounds } = workerData;
const JUNK = [0, NaN, 1e300, -1, 2 ** 53];
const VALUES = [0, NaN, 1e38, -1e-40, Infinity];
const HEADER = 16;

const below = (limit) => Math.floor(Math.random() * limit);

for (;;) {
  for (let i = 0; i < 64; i++) {
    const [slot, values] = headers[below(headers.length)];
    // The valid value most of the time: else hardly a call would get past the checks.
    block[slot] = values[Math.random() < 0.8 ? 0 : below(values.length)];
    block[HEADER + below(block.length - HEADER)] = JUNK[below(JUNK.length)];
    for (const array of data) array[below(array.length)] = VALUES[below(VALUES.length)];
  }
  if (Atomics.add(rounds, 0, 1) === 0) parentPort.postMessage("writing");
}
