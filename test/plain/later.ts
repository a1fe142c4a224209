// Asynchronous kernel calls on three threads beside synchronous ones, for ThreadSanitizer: node later.js ADDON SET…
// Several run at once, some are stopped, some are left when the process ends.
import { Control } from "../../src/kernels/control.js";
import { Slot } from "../../src/kernels/layout.js";
import { random } from "../../src/verify/data.js";
import type { AddonKernels } from "../support/addon-kernels.js";

interface Exports {
  readonly instructionSets: Record<string, AddonKernels>;
  readonly makeOutput: (kind: number, length: number) => unknown;
  readonly takeOutput: (output: unknown) => ArrayBuffer;
}

const EXTENTS = [
  { outer: 8, channels: 6, inner: 900 },
  { outer: 700, channels: 33, inner: 1 },
  { outer: 4, channels: 3, inner: 9000 },
];
const ROUNDS = 8;

const [path, ...names] = process.argv.slice(2);
if (path === undefined) throw new RangeError("usage: node later.js ADDON SET…");
const addon: { exports: Partial<Exports> } = { exports: {} };
process.dlopen(addon, path);
const { instructionSets, makeOutput, takeOutput } = addon.exports as Exports;

function controlOf(extent: (typeof EXTENTS)[number], threads: number): Float64Array {
  const { block } = new Control("float32", extent);
  block[Slot.threads] = threads;
  block[Slot.grain] = 1;
  return block;
}

async function compare(set: AddonKernels, extent: (typeof EXTENTS)[number], stopped: boolean): Promise<boolean> {
  const size = extent.outer * extent.channels * extent.inner;
  const next = random(size);
  const x = new Float32Array(new SharedArrayBuffer(4 * size)).map(() => next() - 0.5);
  const shared = new Float32Array(new SharedArrayBuffer(4 * size));
  shared.set(x);
  const [expected, control] = [controlOf(extent, 1), controlOf(extent, 3)];
  const y = new Float32Array(size);
  set.forward(expected, x, y);
  const output = makeOutput(0, size);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const call = set.later.forward(control, stop, shared, output);
  if (stopped) Atomics.store(stop, 0, 1);
  await call;
  const got = Buffer.from(takeOutput(output));
  return stopped || got.equals(Buffer.from(y.buffer));
}

let failed = 0;
for (const name of names) {
  const set = instructionSets[name]!;
  let passed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const calls = EXTENTS.flatMap((extent) => [false, false, true].map((stopped) => compare(set, extent, stopped)));
    for (const isSame of await Promise.all(calls))
      if (isSame) passed++;
      else failed++;
  }
  console.log(`${name}: ${passed} asynchronous calls passed, ${failed} failed`);
}
// Left to the end of the process.
for (const name of names) void compare(instructionSets[name]!, EXTENTS[2]!, false);
if (failed > 0) process.exit(1);
