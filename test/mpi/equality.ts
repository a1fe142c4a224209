// A rank that normalizes its part of batches, cut where the contract's groups end, and compares every bit with one layer that
// has the whole batch.
import { BatchNorm, type BatchNormOptions } from "../../src/index.js";
import { mpiGroup, type MpiGroup } from "../../src/mpi.js";
import { SyncBatchNorm } from "../../src/sync.js";
import { report } from "./rank.js";

interface Case {
  readonly name: string;
  readonly shape: readonly number[];
  /** Samples of a group of the contract. */
  readonly unit: number;
  readonly channels: number;
  readonly options?: BatchNormOptions<"float32">;
  readonly isMasked?: boolean;
}

const CASES: readonly Case[] = [
  { name: "channels-first, a group a sample", shape: [8, 1, 256, 256], unit: 1, channels: 1 },
  { name: "channels-first, sixteen samples", shape: [50, 2, 56, 56], unit: 16, channels: 2 },
  { name: "channels-last", shape: [9, 64, 64, 16], unit: 1, channels: 16, options: { layout: "channels-last" } },
  { name: "n×c", shape: [3 * 4096 + 100, 16], unit: 4096, channels: 16 },
  {
    name: "a ReLU and cumulative",
    shape: [30, 2, 128, 128],
    unit: 4,
    channels: 2,
    options: { activation: "relu", momentum: null },
  },
  {
    name: "masked",
    shape: [8, 64, 64, 16],
    unit: 1,
    channels: 16,
    options: { layout: "channels-last" },
    isMasked: true,
  },
];

/** Numbers of every size, the same on every rank. */
function drawn(length: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.4) * 2 ** ((state >>> 8) % 9);
  });
}

/** The samples of a rank, in whole groups. A rank may have none. */
function rangeOf({ shape, unit }: Case, rank: number, size: number): [number, number] {
  const units = Math.ceil(shape[0]! / unit);
  return [rank, rank + 1].map((edge) => Math.min(shape[0]!, unit * Math.floor((edge * units) / size))) as [
    number,
    number,
  ];
}

const found: string[] = [];

function compare(what: string, got: ArrayLike<number>, expected: ArrayLike<number>): void {
  const differs = Array.from(got).findIndex((value, i) => !Object.is(value, expected[i]));
  if (got.length !== expected.length || differs >= 0)
    found.push(`${what}: ${got[differs]} at ${differs}, not ${expected[differs]}`);
}

async function run(one: Case, group: MpiGroup, steps: number, isAsync: boolean): Promise<void> {
  const { name, shape, channels, options = {}, isMasked = false } = one;
  const length = shape.reduce((product, size) => product * size);
  const stride = length / shape[0]!;
  const [begin, end] = rangeOf(one, group.rank, group.size);
  const mask = isMasked ? Uint8Array.from({ length: shape[0]! }, (_, i) => (i % 3 === 1 ? 0 : 1)) : undefined;
  const whole = new BatchNorm(channels, options);
  const part = new SyncBatchNorm(channels, { ...options, group, parameterGrads: "global", name });
  for (let step = 0; step < steps; step++) {
    const [x, dy] = [drawn(length, 7 + step), drawn(length, 99 + step)];
    const y = whole.forward(x, [...shape], mask && { mask });
    const all = whole.backward(dy);
    const own = [end - begin, ...shape.slice(1)];
    const given = mask && { mask: mask.subarray(begin, end) };
    const [px, pdy] = [x, dy].map((values) => values.subarray(begin * stride, end * stride)) as [
      Float32Array,
      Float32Array,
    ];
    const py = isAsync ? await part.forwardAsync(px, own, given) : part.forward(px, own, given);
    const gradients = isAsync ? await part.backwardAsync(pdy) : part.backward(pdy);
    compare(`${name}, y`, py, y.subarray(begin * stride, end * stride));
    compare(`${name}, gradInput`, gradients.gradInput, all.gradInput.subarray(begin * stride, end * stride));
    compare(`${name}, gradWeight`, gradients.gradWeight!, all.gradWeight!);
    compare(`${name}, gradBias`, gradients.gradBias!, all.gradBias!);
    compare(`${name}, runningMean`, part.runningMean!, whole.runningMean!);
    compare(`${name}, runningVar`, part.runningVar!, whole.runningVar!);
  }
}

const group = mpiGroup({ timeout: 60_000 });
for (const [i, one] of CASES.entries()) await run(one, group, i < 2 ? 2 : 1, i % 2 === 1);
report(group.rank, { size: group.size, found });
