// Run in a process of its own: threads MODE. Prints a tally; what each mode does is at its function.
import { once } from "node:events";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { BatchNorm } from "../../src/index.js";
import { random } from "../../src/verify/data.js";

const SHAPE = [16, 32, 56, 56];
const SIZE = SHAPE.reduce((a, b) => a * b, 1);
const next = random(1);
const x = Float32Array.from({ length: SIZE }, () => next() - 0.5);

/** Bytes of a training step, and how many threads worked on its forward and backward. */
function step(threads: number): { bytes: Buffer; forward: number; backward: number } {
  const layer = new BatchNorm(32, { backend: "native", threads });
  const y = layer.forward(x, SHAPE);
  const forward = layer.threads;
  const { gradInput, gradWeight, gradBias } = layer.backward(y);
  const bytes = Buffer.concat([y, gradInput, gradWeight!, gradBias!].map(({ buffer }) => Buffer.from(buffer)));
  return { bytes, forward, backward: layer.threads };
}

/** Whether a step on so many threads has the bits of one thread's; the most threads seen in ten. */
function compare(threads: number): { same: number; threads: number } {
  const expected = step(1).bytes;
  const steps = Array.from({ length: 10 }, () => step(threads));
  return {
    same: Number(steps.every(({ bytes }) => bytes.equals(expected))),
    threads: Math.max(...steps.map(({ forward, backward }) => Math.min(forward, backward))),
  };
}

/** The system refuses threads from here on, by the preloaded library. */
function refused(): Record<string, number> {
  process.env["REFUSE_THREADS"] = "1";
  return compare(4);
}

/** Eight worker threads at once, one pool; one of them is ended while it works. */
async function workers(): Promise<Record<string, number>> {
  const expected = step(1).bytes;
  const list = Array.from({ length: 8 }, () => new Worker(new URL("threads.mjs", import.meta.url)));
  const last = list.pop()!;
  await once(last, "online");
  const answers = (await Promise.all(list.map((worker) => once(worker, "message")))) as [Uint8Array][];
  await Promise.all([last, ...list].map((worker) => worker.terminate()));
  const same = answers.every(([bytes]) => Buffer.from(bytes).equals(expected));
  return { answers: answers.length, same: Number(same), after: compare(2).same };
}

/** Growth of memory over 100 000 calls with outputs given, in bytes. */
function memory(): Record<string, number> {
  const layer = new BatchNorm(16, { backend: "native" });
  const data = x.subarray(0, 8192);
  const y = new Float32Array(8192);
  const dx = new Float32Array(8192);
  const run = (calls: number): NodeJS.MemoryUsage => {
    for (let i = 0; i < calls; i++) {
      layer.forward(data, [8, 16, 8, 8], { out: y });
      layer.backward(y, { out: dx });
    }
    globalThis.gc!();
    return process.memoryUsage();
  };
  const before = run(20_000);
  const after = run(100_000);
  return {
    heap: after.heapUsed - before.heapUsed,
    buffers: after.arrayBuffers - before.arrayBuffers,
    rss: after.rss - before.rss,
  };
}

if (!isMainThread) {
  for (let i = 0; i < 20; i++) step(2);
  parentPort!.postMessage(step(2).bytes);
} else {
  const mode = process.argv[2];
  const modes = { refused, workers, memory };
  console.log(JSON.stringify(await modes[mode as keyof typeof modes]()));
}
