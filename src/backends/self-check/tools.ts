// What makes the cases of the self-check and hashes what kernels make of them: here in plain JavaScript. A backend may
// bring tools of its own, since JavaScript that has not been compiled yet takes many times as long.
import { gradCoefficients } from "../../kernels/coefficients.js";
import { Control, type Extent } from "../../kernels/control.js";
import { LANES, type Field } from "../../kernels/layout.js";
import { allocate, type Data, type DType } from "../../base/types.js";

/** Which values of a channel are high: off the others. */
export type High = "none" | "first" | "unsampled";

/** Factors of the first channel and of the last one. */
export interface Extremes {
  readonly huge: number;
  readonly tiny: number;
}

/** A sequence of values; those that are high are off the others by `offset`. */
export type Sample = (extent: Extent, extremes: Extremes, seed: number, high?: High, offset?: number) => Float64Array;

export interface Tools {
  /** Begins a case: what was allocated is no longer used. */
  begin(): void;
  /** An array that holds anything. */
  allocate(dtype: DType, length: number): Data;
  controlOf(dtype: DType, extent: Extent): Control;
  readonly sample: Sample;
  /** Gives every NaN one payload: the contract leaves it open. */
  unifyNaN(values: Data, dtype: DType): void;
  /** What `backward` has between its two steps. */
  gradients(control: Control): void;
  /** Adds bits to the hash, 32 at a time in 16 lanes, which are vectors in the addon. */
  add(values: Data): void;
  /** Adds fields that lie side by side, one after another. */
  addFields(control: Control, names: readonly Field[]): void;
  /** The hash of all that was added since the last time. */
  digest(): number;
}

/** Whether a first shift is not made of the value of this index, of the n of a block (contract, clause 2). */
function isUnsampled(index: number, n: number): boolean {
  const samples = n < 16 ? 2 ** Math.floor(Math.log2(n)) : 16;
  return Math.floor((Math.ceil((index * samples) / n) * n) / samples) !== index;
}

const sample: Sample = ({ outer, channels, inner }, { huge, tiny }, seed, high = "none", offset = 0) => {
  const data = new Float64Array(outer * channels * inner);
  const run = inner < 16 ? 1 : inner;
  const isHigh = Array.from({ length: outer * run }, (_, index) =>
    high === "unsampled" ? isUnsampled(index, outer * run) : high === "first" && index === 0,
  );
  for (let o = 0, p = 0, state = seed; o < outer; o++) {
    for (let channel = 0; channel < channels; channel++) {
      const scale = channel === 0 ? huge : channel === channels - 1 ? tiny : 1;
      for (let i = 0; i < inner; i++, p++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        // Eight bits of exponent: sums of like values come out the same whatever lane they are in.
        const value = (state / 2 ** 31) * 2 ** ((state & 15) - 8);
        data[p] = (value + (isHigh[o * run + (i % run)] ? offset : 0)) * scale;
      }
    }
  }
  return data;
};

const HALF = { infinity: 0x7c00, quiet: 0x7e00 };
const BFLOAT = { infinity: 0x7f80, quiet: 0x7fc0 };

export function unifyNaN(values: Data, dtype: DType): void {
  if (values instanceof Uint16Array) {
    const { infinity, quiet } = dtype === "float16" ? HALF : BFLOAT;
    for (let i = 0; i < values.length; i++) if ((values[i]! & 0x7fff) > infinity) values[i] = quiet;
    return;
  }
  const words = new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4);
  for (let i = 0; i < values.length; i++) {
    if (!Number.isNaN(values[i])) continue;
    if (values instanceof Float32Array) words[i] = 0x7fc00000;
    else words.set([0, 0x7ff80000], 2 * i);
  }
}

/** One step of a lane: a bijection of either argument, in which no two flipped signs cancel. */
function step(hash: number, word: number): number {
  hash = (hash + word) | 0;
  hash ^= hash << 13;
  return hash ^ (hash >>> 17);
}

function addTo(lanes: Int32Array, values: Data): void {
  const words = new Int32Array(values.buffer, values.byteOffset, values.byteLength >> 2);
  for (let i = 0; i < words.length; i++) lanes[i % LANES] = step(lanes[i % LANES]!, words[i]!);
  // The last of an odd number of 16-bit elements.
  const at = words.length % LANES;
  if (values.byteLength % 4 !== 0) lanes[at] = step(lanes[at]!, values[values.length - 1]!);
}

/** The hash that the lanes make, which begin again. */
export function digestOf(lanes: Int32Array): number {
  const hash = lanes.reduce(step, 0) >>> 0;
  lanes.fill(0);
  return hash;
}

/** The tools where a backend has none. */
export function plainTools(): Tools {
  const lanes = new Int32Array(LANES);
  return {
    begin: () => undefined,
    allocate,
    controlOf: (dtype, extent) => new Control(dtype, extent),
    sample,
    unifyNaN,
    gradients: gradCoefficients,
    add: (values) => {
      addTo(lanes, values);
    },
    addFields: ({ fields }, names) => {
      for (const name of names) addTo(lanes, fields[name]);
    },
    digest: () => digestOf(lanes),
  };
}
