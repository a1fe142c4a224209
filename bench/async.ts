// `npm run bench:async`: how long the event loop waits while large tensors are normalized, synchronously and asynchronously, and
// how many requests are served meanwhile. `--markdown` prints the tables of docs/async.md.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { BatchNorm } from "batchnorm";
import { median } from "./report/rows.js";
import { draw, markdownTable } from "./report/table.js";

/** 103 MB of float32. */
const SHAPE = [32, 64, 112, 112];
const SIZE = SHAPE.reduce((a, b) => a * b, 1);
const ROUNDS = 7;
const REQUESTS = 4;

type Memory = "ordinary" | "shared";
interface Tensors {
  readonly x: Float32Array;
  readonly dy: Float32Array;
}

function tensor(memory: Memory, prime: number): Float32Array {
  const bytes = 4 * SIZE;
  const data = new Float32Array(memory === "shared" ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  for (let i = 0; i < SIZE; i++) data[i] = ((i * prime) % 1009) / 500 - 1;
  return data;
}

interface Measured {
  /** Of one forward and backward. */
  readonly ms: number;
  /** The longest wait of the event loop beyond the millisecond that it is asked every. */
  readonly blockMs: number;
}

async function measure(step: () => unknown): Promise<Measured> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  // It looks from its first turn on, also after a reset.
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.reset();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const start = performance.now();
  await step();
  const ms = performance.now() - start;
  // What blocked the loop to the end shows at its next turn.
  await new Promise((resolve) => setTimeout(resolve, 5));
  delay.disable();
  return { ms, blockMs: Math.max(0, delay.max / 1e6 - 1) };
}

type Way = (tensors: Record<Memory, Tensors>) => () => unknown;

/** Asynchronous calls on arrays of a memory, whose results go away or are given back. */
const asynchronous =
  (memory: Memory): Way =>
  ({ [memory]: { x, dy } }) => {
    const bn = new BatchNorm(SHAPE[1]!);
    return async () => (await bn.forwardAsync(x, SHAPE), bn.backwardAsync(dy));
  };
const reusing =
  (memory: Memory): Way =>
  ({ [memory]: { x, dy } }) => {
    const bn = new BatchNorm(SHAPE[1]!, { reuse: true });
    return async () => {
      const y = await bn.forwardAsync(x, SHAPE);
      const { gradInput } = await bn.backwardAsync(dy);
      bn.release(y);
      bn.release(gradInput);
    };
  };

const WAYS: Record<string, Way> = {
  synchronous: ({ ordinary: { x, dy } }) => {
    const bn = new BatchNorm(SHAPE[1]!);
    return () => (bn.forward(x, SHAPE), bn.backward(dy));
  },
  "asynchronous, ordinary arrays": asynchronous("ordinary"),
  "asynchronous, ordinary arrays and `reuse`": reusing("ordinary"),
  "asynchronous, shared arrays": asynchronous("shared"),
  "asynchronous, shared arrays and `reuse`": reusing("shared"),
};

/** Milliseconds for each of four forwards in inference that are asked for at once. */
const four =
  (memory: Memory): Way =>
  ({ [memory]: { x } }) => {
    const layers = makeLayers();
    return () => Promise.all(layers.map((bn) => bn.forwardAsync(x, SHAPE)));
  };
const FOUR: Record<string, Way> = {
  synchronous: ({ ordinary: { x } }) => {
    const layers = makeLayers();
    return () => layers.forEach((bn) => bn.forward(x, SHAPE));
  },
  "asynchronous, ordinary arrays": four("ordinary"),
  "asynchronous, shared arrays": four("shared"),
  "asynchronous, shared arrays and `reuse`": ({ shared: { x } }) => {
    const layers = makeLayers(true);
    return () => Promise.all(layers.map(async (bn) => bn.release(await bn.forwardAsync(x, SHAPE))));
  },
};

const makeLayers = (reuse = false): BatchNorm[] =>
  Array.from({ length: REQUESTS }, () => new BatchNorm(SHAPE[1]!, { reuse }).eval());

/** Pings a port every few milliseconds until it is told to end; sends the times. */
const PINGER = `
const { parentPort, workerData } = require("node:worker_threads");
const http = require("node:http");
const agent = new http.Agent({ keepAlive: true });
const times = [];
let ends = false;
parentPort.once("message", () => (ends = true));
const ping = () => new Promise((resolve, reject) =>
  http.get({ port: workerData, agent, host: "127.0.0.1" }, (r) => r.resume().on("end", resolve)).on("error", reject));
(async () => {
  await ping();
  parentPort.postMessage("ready");
  while (!ends) {
    const start = performance.now();
    await ping();
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  parentPort.postMessage(times);
  agent.destroy();
})();`;

/** The 99th percentile of the time of a ping while four large requests run again and again. */
async function pings(step: () => unknown): Promise<number> {
  const server = createServer((_, response) => response.end("pong"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const worker = new Worker(PINGER, { eval: true, workerData: (server.address() as AddressInfo).port });
  await once(worker, "message");
  const end = performance.now() + 3000;
  while (performance.now() < end) {
    await step();
    await new Promise((resolve) => setImmediate(resolve));
  }
  worker.postMessage("end");
  const [times] = (await once(worker, "message")) as [number[]];
  server.close();
  await worker.terminate();
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? NaN;
}

const tensors: Record<Memory, Tensors> = {
  ordinary: { x: tensor("ordinary", 7919), dy: tensor("ordinary", 104729) },
  shared: { x: tensor("shared", 7919), dy: tensor("shared", 104729) },
};
const isMarkdown = process.argv.includes("--markdown");
const show = (title: string, head: string[], rows: string[][]): void =>
  console.log(`\n${title}\n${isMarkdown ? markdownTable({ head, rows }) : draw({ head, rows })}`);

async function rowsOf(ways: typeof WAYS, requests: number): Promise<string[][]> {
  const steps = Object.entries(ways).map(([name, way]) => ({ name, step: way(tensors), measured: [] as Measured[] }));
  // In turns, so that all meet the same machine; the first round warms up.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const { name, step, measured } of steps) {
      process.stderr.write(process.stderr.isTTY ? `\r${round}/${ROUNDS} ${name}\u001b[K` : "");
      const one = await measure(step);
      if (round > 0) measured.push(one);
    }
  }
  return steps.map(({ name, measured }) => [
    name,
    (median(measured.map(({ ms }) => ms)) / requests).toFixed(0),
    median(measured.map(({ blockMs }) => blockMs)).toFixed(1),
    Math.max(...measured.map(({ blockMs }) => blockMs)).toFixed(1),
  ]);
}

const longest = ["longest block, median", "longest block, worst"];
console.log(`${SHAPE.join("×")} float32, ${new BatchNorm(1).backend}, ${ROUNDS} rounds, times in milliseconds`);
show("A forward in training and a backward", ["", "time", ...longest], await rowsOf(WAYS, 1));
show(`${REQUESTS} inferences at once`, ["", "time of each", ...longest], await rowsOf(FOUR, REQUESTS));
const rows: string[][] = [];
for (const [name, way] of Object.entries(FOUR)) rows.push([name, (await pings(way(tensors))).toFixed(1)]);
show(`Pings of a server while ${REQUESTS} inferences run`, ["", "99th percentile"], rows);
