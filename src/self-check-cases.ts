// What the self-check runs: every kernel on small tensors that reach all walks, their tails, each mask,
// the second pass and the escape. A case's results are hashed; the oracle's hashes are in self-check.ts.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import { Control, Flag, Part, type Extent, type FIELDS } from "./control.js";
import type { Kernels } from "./kernels.js";
import { allocate, type Data, type DType } from "./types.js";

export interface Case extends Extent {
  readonly dtype: DType;
  readonly flags: number;
  readonly residual: boolean;
}

// Planes with a tail, whole vectors and a tail of columns, small inner as columns, few columns. Tails of 15
// fill every lane but one, so that no register of a narrow instruction set holds padding alone.
const EXTENTS: readonly Extent[] = [
  { outer: 2, channels: 3, inner: 31 },
  { outer: 27, channels: 31, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
  { outer: 47, channels: 3, inner: 1 },
];
const VARIANTS = [
  { flags: 0, residual: false },
  { flags: Flag.relu, residual: false },
  { flags: Flag.relu, residual: true },
  { flags: Flag.relu | Flag.auxIsOutput, residual: true },
];

export const CASES: readonly Case[] = (["float32", "float64"] as const).flatMap((dtype) =>
  EXTENTS.flatMap((extent) => VARIANTS.map((variant) => ({ dtype, ...extent, ...variant }))),
);

type Choice = (index: number, n: number) => boolean;
const isFirst: Choice = (index) => index === 0;

/** Whether a first shift is not made of this value, of the n of a block (contract, clause 2). */
const isUnsampled: Choice = (index, n) => {
  const samples = 2 ** Math.min(4, Math.floor(Math.log2(n)));
  return Math.floor((Math.ceil((index * samples) / n) * n) / samples) !== index;
};

/** The last channel's squares underflow, the first's overflow (escape); values chosen by `isHigh` are off the others by `high`. */
function sample({ dtype, outer, channels, inner }: Case, seed: number, isHigh = isFirst, high = 1e4): Data {
  const data = allocate(dtype, outer * channels * inner);
  const run = inner < 16 ? 1 : inner;
  for (let p = 0, state = seed; p < data.length; p++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const channel = Math.floor(p / inner) % channels;
    const scale = channel === 0 ? 1e20 : channel === channels - 1 ? 1e-22 : 1;
    // Eight bits of exponent: sums of like values come out the same whatever lane they are in.
    const value = (state / 2 ** 31) * 2 ** ((state & 15) - 8);
    const index = Math.floor(p / (channels * inner)) * run + (p % run);
    data[p] = (value + (isHigh(index, outer * run) ? high : 0)) * scale;
  }
  return data;
}

/** One array a kernel wrote, by name. */
export type Result = readonly [name: string, values: Data];

/** Runs every kernel on one case; a copy of all they write, in order. */
export function runCase(kernels: Kernels, test: Case): Result[] {
  const results: Result[] = [];
  const control = new Control(test.dtype, test);
  const { fields } = control;
  // The sample makes a poor shift: a second pass.
  const x = sample(test, 1, isUnsampled, 300);
  const dy = sample(test, 2);
  const residual = test.residual ? sample(test, 3) : null;
  const fresh = (): Data => allocate(test.dtype, x.length);
  const keep = (kernel: string, names: readonly (typeof FIELDS)[number][], arrays: Record<string, Data>): void => {
    for (const name of names) results.push([`${kernel}: ${name}`, fields[name].slice()]);
    for (const [name, values] of Object.entries(arrays)) results.push([`${kernel}: ${name}`, values]);
  };
  control.set("eps", 1e-5);
  for (let c = 0; c < test.channels; c++) {
    fields.weight[c] = 1 + c / 4;
    fields.bias[c] = c / 8 - 1;
  }

  // x and dy as two parts: the second call merges its blocks into the state of the first.
  control.set("part", Part.first);
  kernels.moments(control, x);
  control.set("part", Part.last);
  kernels.moments(control, dy);
  keep("moments", ["mean", "m2"], {});
  control.set("part", Part.whole);
  batchInvStd(control);
  affineCoefficients(control);
  control.set("flags", test.flags);
  const y = fresh();
  kernels.normalize(control, x, y, residual);
  keep("normalize", [], { y });
  const fused = fresh();
  kernels.forward(control, x, fused, residual);
  keep("forward", ["mean", "m2", "invStd", "center", "scale", "shift"], { y: fused });

  const aux = (test.flags & Flag.auxIsOutput) !== 0 ? fused : residual;
  kernels.gradSums(control, x, dy, aux);
  keep("gradSums", ["sumG", "sumGX"], {});
  gradCoefficients(control);
  for (const frozen of [0, Flag.frozen]) {
    control.set("flags", test.flags | frozen);
    const outputs = { dx: fresh(), dresidual: fresh() };
    kernels.gradInput(control, x, dy, outputs.dx, aux, outputs.dresidual);
    keep("gradInput", [], outputs);
  }
  control.set("flags", test.flags);
  const dx = fresh();
  kernels.backward(control, x, dy, dx, aux, null);
  keep("backward", ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"], { dx });
  return results;
}

/** FNV-1a over the bits of all results, 32 at a time. */
export function hashOf(results: readonly Result[]): number {
  let hash = 0x811c9dc5;
  for (const [, values] of results) {
    const words = new Uint32Array(values.buffer, 0, values.byteLength / 4);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  }
  return hash >>> 0;
}
