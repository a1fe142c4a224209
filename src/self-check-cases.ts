// What the self-check runs: every kernel on small tensors that reach all walks, their tails, each mask,
// the second pass and the escape. A case's results are hashed; the oracle's hashes are in self-check.ts.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import { Control, Flag, Part, type Extent, type FIELDS } from "./control.js";
import type { Kernels } from "./kernels.js";
import { narrow } from "./storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type DType, type Floats } from "./types.js";

/** What the variants of an extent share: this is the first thing a process does, and arrays are most of its time. */
interface Arrays {
  readonly control: Control;
  readonly x: Data;
  readonly dy: Data;
  readonly residual: Data;
  readonly out: Data;
  readonly stored: Data;
  readonly dresidual: Data;
  readonly w: Floats;
}

export interface Case extends Arrays {
  readonly extent: Extent;
  readonly dtype: DType;
  readonly flags: number;
  readonly hasResidual: boolean;
  readonly isWeighted: boolean;
}

/** Receives an array that a kernel has written, which the next one overwrites. */
type Visit = (name: string, values: Data) => void;

// Planes with a tail, whole vectors and a tail of columns, small inner as columns, few columns. Tails of 15
// fill every lane but one, so that no register of a narrow instruction set holds padding alone.
const EXTENTS: readonly Extent[] = [
  { outer: 2, channels: 3, inner: 31 },
  { outer: 25, channels: 31, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
  { outer: 47, channels: 3, inner: 1 },
];
const VARIANTS = [
  { flags: 0, hasResidual: false, isWeighted: true },
  { flags: Flag.relu | Flag.leaky, hasResidual: false, isWeighted: false },
  { flags: Flag.relu, hasResidual: true, isWeighted: true },
  { flags: Flag.relu | Flag.leaky | Flag.auxIsOutput | Flag.inverse, hasResidual: true, isWeighted: false },
];

/** Whether a first shift is not made of the value of this index, of the n of a block (contract, clause 2). */
function isUnsampled(index: number, n: number): boolean {
  const samples = n < 16 ? 2 ** Math.floor(Math.log2(n)) : 16;
  return Math.floor((Math.ceil((index * samples) / n) * n) / samples) !== index;
}

/** Squares overflow and underflow in float32 (escape); binary16 holds no such values. */
const EXTREME = { huge: 1e20, tiny: 1e-22 };
const HALF_EXTREME = { huge: 4, tiny: 1 / 64 };

/** The first channel is huge, the last tiny; the values that `isHigh` are off the others by `high`. */
function sample(
  { outer, channels, inner }: Extent,
  { huge, tiny }: typeof EXTREME,
  seed: number,
  isHigh: readonly boolean[],
  high: number,
): Float64Array {
  const data = new Float64Array(outer * channels * inner);
  const run = inner < 16 ? 1 : inner;
  for (let p = 0, state = seed; p < data.length; p++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    const channel = Math.floor(p / inner) % channels;
    const scale = channel === 0 ? huge : channel === channels - 1 ? tiny : 1;
    // Eight bits of exponent: sums of like values come out the same whatever lane they are in.
    const value = (state / 2 ** 31) * 2 ** ((state & 15) - 8);
    const index = Math.floor(p / (channels * inner)) * run + (p % run);
    data[p] = (value + (isHigh[index] ? high : 0)) * scale;
  }
  return data;
}

/** Weights of positions, every fifth 0; those of few columns are so large that float32 does not hold their sum. */
function weightsOf({ outer, channels, inner }: Extent): Float64Array {
  const scale = channels * inner < 16 ? 2 ** 127 : 1;
  return sample({ outer, channels: 3, inner }, EXTREME, 4, [], 0)
    .filter((_, p) => Math.floor(p / inner) % 3 === 1)
    .map((value, at) => (at % 5 === 2 ? 0 : Math.min(scale * Math.abs(value), 2 ** 127)));
}

function arraysOf(dtype: DType, extent: Extent, inputs: readonly Float64Array[]): Arrays {
  const control = new Control(dtype, extent);
  const { fields } = control;
  control.set("eps", 1e-5);
  control.set("slope", 0.3);
  for (let c = 0; c < extent.channels; c++) {
    fields.weight[c] = 1 + c / 4;
    fields.bias[c] = c / 8 - 1;
  }
  const fresh = (): Data => allocate(dtype, inputs[0]!.length);
  const [x, dy, residual] = inputs.map((input) => {
    if (isStoredIn16Bits(dtype)) return narrow(dtype, Float32Array.from(input));
    const data = fresh();
    data.set(input);
    return data;
  });
  const w = allocate(floatTypeOf(dtype), extent.outer * extent.inner);
  w.set(weightsOf(extent));
  return { control, x: x!, dy: dy!, residual: residual!, out: fresh(), stored: fresh(), dresidual: fresh(), w };
}

/** The cases of one element type, in the order of their hashes. */
export function* cases(dtype: DType): Generator<Case, void, undefined> {
  for (const extent of EXTENTS) {
    const n = extent.outer * (extent.inner < 16 ? 1 : extent.inner);
    const first = Array.from({ length: n }, (_, index) => index === 0);
    const unsampled = first.map((_, index) => isUnsampled(index, n));
    // The first sample makes a poor shift: a second pass.
    const extreme = dtype === "float16" ? HALF_EXTREME : EXTREME;
    const inputs = [
      sample(extent, extreme, 1, unsampled, 300),
      sample(extent, extreme, 2, first, 1e4),
      sample(extent, extreme, 3, first, 1e4),
    ];
    const arrays = arraysOf(dtype, extent, inputs);
    for (const variant of VARIANTS) yield { ...arrays, extent, dtype, ...variant };
  }
}

/** NaN, which no result is: an element that is not written shows. */
function blank(data: Data): Data {
  return data.fill(data instanceof Uint16Array ? 0xffff : NaN);
}

/** Runs every kernel on one case and shows what each of them wrote, in order. */
function runCase(kernels: Kernels, test: Case, visit: Visit): void {
  const { control, x, dy, stored, dresidual, flags } = test;
  const residual = test.hasResidual ? test.residual : null;
  const show = (kernel: string, names: readonly (typeof FIELDS)[number][], arrays: Record<string, Data>): void => {
    for (const name of names) visit(`${kernel}: ${name}`, control.fields[name]);
    for (const name in arrays) visit(`${kernel}: ${name}`, arrays[name]!);
  };
  control.set("count", test.extent.outer * test.extent.inner);
  control.set("streamFrom", Infinity);
  // Flags mean nothing to moments: once an extent.
  if (flags === 0) {
    // x and dy as two parts: the second call merges its blocks into the state of the first.
    control.set("part", Part.first);
    kernels.moments(control, x);
    control.set("part", Part.last);
    kernels.moments(control, dy);
    show("moments", ["mean", "m2"], {});
    control.set("part", Part.whole);
  }
  batchInvStd(control);
  affineCoefficients(control);
  control.set("flags", flags);
  kernels.normalize(control, x, blank(test.out), residual);
  show("normalize", [], { y: test.out });
  // Past the cache, as a large tensor: native kernels then work tile by tile.
  control.set("streamFrom", 0);
  kernels.forward(control, x, blank(stored), residual);
  show("forward", ["mean", "m2", "invStd", "center", "scale", "shift"], { y: stored });

  const aux = (flags & Flag.auxIsOutput) !== 0 ? stored : residual;
  const kept = (flags & Flag.inverse) !== 0 ? stored : x;
  kernels.gradSums(control, kept, dy, aux);
  show("gradSums", ["sumG", "sumGX"], {});
  gradCoefficients(control);
  control.set("streamFrom", Infinity);
  for (const frozen of [0, Flag.frozen]) {
    control.set("flags", flags | frozen);
    kernels.gradInput(control, kept, dy, blank(test.out), aux, blank(dresidual));
    show("gradInput", [], { dx: test.out, dresidual });
  }
  control.set("flags", flags);
  control.set("streamFrom", 0);
  kernels.backward(control, kept, dy, blank(test.out), aux, null);
  show("backward", ["sumG", "sumGX", "gradShift", "gradSlope", "gradScale"], { dx: test.out });
  if (test.isWeighted) runWeighted(kernels, test, show, residual);
}

type Show = (kernel: string, names: readonly (typeof FIELDS)[number][], arrays: Record<string, Data>) => void;

function runWeighted(kernels: Kernels, test: Case, show: Show, residual: Data | null): void {
  const { control, x, dy, w, stored, dresidual, out } = test;
  control.set("streamFrom", Infinity);
  control.set("part", Part.first);
  kernels.weightedMoments(control, x, w);
  control.set("part", Part.last);
  kernels.weightedMoments(control, dy, w);
  show("weightedMoments", ["mean", "m2"], { count: Float64Array.of(control.get("count")) });
  control.set("part", Part.whole);
  kernels.weightedForward(control, x, blank(stored), residual, w);
  show("weightedForward", ["mean", "m2", "shift"], { y: stored });
  control.set("streamFrom", 0);
  kernels.weightedBackward(control, x, dy, blank(out), residual, null, w);
  show("weightedBackward", ["gradShift", "gradSlope"], { dx: out });
  kernels.weightedGradInput(control, x, dy, blank(out), residual, blank(dresidual), w);
  show("weightedGradInput", [], { dx: out, dresidual });
  kernels.zeroMasked(control, x, blank(out), w);
  show("zeroMasked", [], { y: out });
}

/** FNV-1a over the bits of all that the kernels write, 32 or 16 at a time. */
export function hashOf(kernels: Kernels, test: Case): number {
  let hash = 0x811c9dc5;
  runCase(kernels, test, (_, values) => {
    const is16Bit = values instanceof Uint16Array;
    const words = is16Bit ? values : new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
  });
  return hash >>> 0;
}

/** A copy of all that the kernels write, in order. */
export function resultsOf(kernels: Kernels, test: Case): (readonly [name: string, values: Data])[] {
  const results: (readonly [string, Data])[] = [];
  runCase(kernels, test, (name, values) => results.push([name, values.slice()]));
  return results;
}
