// What the self-check runs kernels on: small tensors that reach all walks, their tails, each mask, the second pass and
// the escape.
import { Control, Flag, type Extent } from "../../kernels/control.js";
import { narrow } from "../../base/storage.js";
import { allocate, floatTypeOf, isStoredIn16Bits, type Data, type DType, type Floats } from "../../base/types.js";

/** What the variants of an extent share: this is the first thing a process does, and arrays are most of its time. */
interface Arrays {
  readonly control: Control;
  readonly x: Data;
  readonly dy: Data;
  readonly residual: Data;
  readonly out: Data;
  readonly stored: Data;
  readonly dresidual: Data;
  /** Empty where there are none. */
  readonly w: Floats;
}

export interface Case extends Arrays {
  readonly extent: Extent;
  readonly dtype: DType;
  readonly flags: number;
  readonly hasResidual: boolean;
  readonly isWeighted: boolean;
}

// Planes with a tail, whole vectors and a tail of columns, small inner as columns, few columns. Tails of 15
// fill every lane but one, so that no register of a narrow instruction set holds padding alone.
const EXTENTS: readonly Extent[] = [
  { outer: 2, channels: 3, inner: 31 },
  { outer: 25, channels: 31, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
  { outer: 47, channels: 3, inner: 1 },
];
const PLAIN = { flags: 0, hasResidual: false };
const LEAKY = Flag.relu | Flag.leaky;
const RESIDUAL = { flags: Flag.relu, hasResidual: true };
/** Either activation with each mask: each is a loop of its own, whatever the walk. Of the extents in turn. */
const VARIANTS = [
  [
    PLAIN,
    { flags: LEAKY, hasResidual: false },
    RESIDUAL,
    { flags: LEAKY | Flag.auxIsOutput | Flag.inverse, hasResidual: true },
  ],
  [
    PLAIN,
    { flags: Flag.relu, hasResidual: false },
    { flags: LEAKY, hasResidual: true },
    { flags: Flag.relu | Flag.auxIsOutput, hasResidual: true },
  ],
] as const;
const WEIGHTED_VARIANTS = [PLAIN, RESIDUAL];

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

function arraysOf(dtype: DType, extent: Extent, inputs: readonly Float64Array[], isWeighted: boolean): Arrays {
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
  const w = allocate(floatTypeOf(dtype), isWeighted ? extent.outer * extent.inner : 0);
  if (isWeighted) w.set(weightsOf(extent));
  return { control, x: x!, dy: dy!, residual: residual!, out: fresh(), stored: fresh(), dresidual: fresh(), w };
}

/** The cases of one element type, of the kernels without weights or of those with, in the order of their hashes. */
export function* cases(dtype: DType, isWeighted: boolean): Generator<Case, void, undefined> {
  for (const [at, extent] of EXTENTS.entries()) {
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
    const arrays = arraysOf(dtype, extent, inputs, isWeighted);
    const variants = isWeighted ? WEIGHTED_VARIANTS : VARIANTS[at % VARIANTS.length]!;
    for (const variant of variants) yield { ...arrays, extent, dtype, isWeighted, ...variant };
  }
}
