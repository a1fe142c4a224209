// Run in a process of its own: a worker writes to the control block and the data, all in shared memory, while the main
// thread calls kernels on them. Prints the tally, and how many bytes outside of the arrays have changed.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { BatchNorm, batchNormBackward, batchNormTraining } from "../../src/index.js";
import { controlLength, traversalOf, type Extent } from "../../src/kernels/control.js";
import { Slot, Traversal } from "../../src/kernels/layout.js";
import { KERNEL_NAMES } from "../../src/kernels/operands.js";
import { entryOperandsOf, loadSets, writeHeader } from "./addon.js";

const EXTENT: Extent = { outer: 40, channels: 3, inner: 17 };
const SIZE = EXTENT.outer * EXTENT.channels * EXTENT.inner;
const GUARD = 1024; // bytes around each array
const CANARY = 0xa5;
const BLOCK = controlLength(EXTENT);
const SIZES = [8 * BLOCK, ...Array.from({ length: 6 }, () => 4 * SIZE)];

/** Byte offset of each array; the last is the memory's length. */
const offsets = SIZES.reduce((all, size) => [...all, all.at(-1) + size + GUARD], [GUARD]);
const viewsOf = (memory: SharedArrayBuffer): { block: Float64Array; data: Float32Array[] } => ({
  block: new Float64Array(memory, offsets[0], BLOCK),
  data: SIZES.slice(1).map((size, i) => new Float32Array(memory, offsets[i + 1], size / 4)),
});

/** Sizes that fit, that do not, that overflow, and no sizes. */
const HEADERS: readonly (readonly [slot: number, values: readonly number[]])[] = [
  [Slot.outer, [EXTENT.outer, 1, 39, 41, 2 ** 53, 2 ** 32, NaN, -1, 0.5]],
  [Slot.channels, [EXTENT.channels, 1, 2, 4, 2 ** 32, 1e6, NaN]],
  [Slot.inner, [EXTENT.inner, 1, 16, 18, 3, 2 ** 53, 2 ** 31, 0]],
  [Slot.traversal, [...Array<number>(9).fill(Traversal.planes), Traversal.rows, Traversal.fewColumns, 3]],
  [Slot.flags, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 27, 31, 32]],
  [Slot.storage, [0, 1, 2, 3, NaN]],
  [Slot.slope, [0.5, 0, NaN, -1]],
  [Slot.threads, [1, 2, 3, 0, 2 ** 53, NaN]],
  [Slot.grain, [0, 1, 100, -1]],
  [Slot.streamFrom, [0, Infinity, NaN]],
  [Slot.count, [EXTENT.outer * EXTENT.inner, 0, 1e300, Infinity]],
];

interface Tally {
  results: number;
  errors: number;
}

/** Counts a result or an error of the right kind; anything else ends the process. */
function attempt(tally: Tally, call: () => unknown): void {
  try {
    call();
    tally.results++;
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    tally.errors++;
  }
}

/** Every entry point of every instruction set. */
function callAddon(path: string, memory: SharedArrayBuffer, rounds: number): Tally {
  const { block, data } = viewsOf(memory);
  const tally = { results: 0, errors: 0 };
  const sets = loadSets(path);
  for (let round = 0; round < rounds; round++) {
    if (round % 8 === 0) writeHeader(block, EXTENT, traversalOf(EXTENT));
    for (const [, kernels] of sets) {
      for (const name of KERNEL_NAMES)
        attempt(tally, () => kernels[name](block, ...data.slice(0, entryOperandsOf(name).length)));
    }
  }
  return tally;
}

/** The public calls; their control blocks are their own, data and parameters are shared. */
function callLibrary(backend: "native" | "wasm" | "oracle", memory: SharedArrayBuffer, rounds: number): Tally {
  const [x, out, residual, dy, dx] = viewsOf(memory).data as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const tally = { results: 0, errors: 0 };
  const shape = [EXTENT.outer, EXTENT.channels, EXTENT.inner];
  const layer = new BatchNorm(EXTENT.channels, { backend, activation: "relu" });
  for (let round = 0; round < rounds; round++) {
    attempt(tally, () => layer.forward(x, shape, { out, residual }));
    attempt(tally, () => layer.backward(dy, { out: dx }));
    attempt(tally, () => layer.forward(x, shape, { out: x, save: false }));
    attempt(tally, () => {
      const weight = residual.subarray(0, EXTENT.channels);
      const { saved } = batchNormTraining(x, shape, { out, weight, backend });
      return batchNormBackward(dy, saved, { out: dy, backend });
    });
  }
  return tally;
}

async function main(target: string, calls: number): Promise<void> {
  const memory = new SharedArrayBuffer(offsets.at(-1));
  const bytes = new Uint8Array(memory);
  bytes.fill(CANARY);
  const { block, data } = viewsOf(memory);
  block.fill(0);
  for (const array of data) array.fill(1);
  const rounds = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL("hammer.mjs", import.meta.url), {
    workerData: { block, data, headers: HEADERS, rounds },
    execArgv: [],
  });
  worker.on("error", (error) => {
    throw error;
  });
  await once(worker, "message");
  const before = Atomics.load(rounds, 0);
  const isName = target === "native" || target === "wasm" || target === "oracle";
  const tally = isName ? callLibrary(target, memory, calls) : callAddon(target, memory, calls);
  const hammered = Atomics.load(rounds, 0) - before;
  await worker.terminate();
  SIZES.forEach((size, i) => bytes.fill(CANARY, offsets[i], offsets[i]! + size));
  console.log(JSON.stringify({ ...tally, hammered, escapes: bytes.filter((byte) => byte !== CANARY).length }));
}

await main(process.argv[2]!, Number(process.argv[3]));
