// What the self-check runs kernels on: small tensors that reach all traversals, their tails, each mask, the second pass, the
// escape, and channels whose variance is 0.
import { Control, type Extent } from "../../kernels/control.js";
import { Flag } from "../../kernels/layout.js";
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
  /** null in the cases without weights. */
  readonly w: Floats | null;
}

export interface Case extends Arrays {
  readonly extent: Extent;
  readonly dtype: DType;
  readonly flags: number;
  readonly hasResidual: boolean;
  /** Whether only sums are compared: tensors of more than a block would take too long otherwise. */
  readonly isLong: boolean;
}

// Planes with a tail, whole vectors and a tail of columns, small inner as columns, few columns. Tails of 15
// fill every lane but one, so that no register of a narrow instruction set holds padding alone.
const EXTENTS: readonly Extent[] = [
  { outer: 2, channels: 3, inner: 31 },
  { outer: 25, channels: 31, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
  { outer: 47, channels: 3, inner: 1 },
];
/** A second block in each traversal, shorter than the first. */
const LONG_EXTENTS: readonly Extent[] = [
  { outer: 1, channels: 2, inner: 2048 + 31 },
  { outer: 128 + 3, channels: 19, inner: 1 },
  { outer: 2048 + 47, channels: 1, inner: 1 },
];
/** Of one value in each channel, without ε, and of weights that are all 0: r is 0. */
const CONSTANT_EXTENT: Extent = { outer: 3, channels: 3, inner: 17 };
const PLAIN = { flags: 0, hasResidual: false };
const LEAKY = Flag.activation | Flag.leaky;
const RESIDUAL = { flags: Flag.activation, hasResidual: true };
/** Either activation with each mask: each is a loop of its own, whatever the traversal. Of the extents in turn. */
const VARIANTS = [
  [
    PLAIN,
    { flags: LEAKY, hasResidual: false },
    RESIDUAL,
    { flags: LEAKY | Flag.holdsY | Flag.fromOutput, hasResidual: true },
  ],
  [
    PLAIN,
    { flags: Flag.activation, hasResidual: false },
    { flags: LEAKY, hasResidual: true },
    { flags: Flag.activation | Flag.holdsY, hasResidual: true },
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

/** x, dy, the residual and, with weights, w. */
type Inputs = readonly [x: Float64Array, dy: Float64Array, residual: Float64Array, w: Float64Array | null];

function inputsOf(dtype: DType, extent: Extent, isWeighted: boolean): Inputs {
  const n = extent.outer * (extent.inner < 16 ? 1 : extent.inner);
  const first = Array.from({ length: n }, (_, index) => index === 0);
  const unsampled = first.map((_, index) => isUnsampled(index, n));
  const extreme = dtype === "float16" ? HALF_EXTREME : EXTREME;
  return [
    // The first sample makes a poor shift: a second pass.
    sample(extent, extreme, 1, unsampled, 300),
    sample(extent, extreme, 2, first, 1e4),
    sample(extent, extreme, 3, first, 1e4),
    isWeighted ? weightsOf(extent) : null,
  ];
}

function arraysOf(dtype: DType, extent: Extent, [x, dy, residual, w]: Inputs, eps: number): Arrays {
  const control = new Control(dtype, extent);
  const { fields } = control;
  control.set("eps", eps);
  control.set("slope", 0.3);
  for (let c = 0; c < extent.channels; c++) {
    fields.weight[c] = 1 + c / 4;
    fields.bias[c] = c / 8 - 1;
  }
  const fresh = (): Data => allocate(dtype, x.length);
  const stored = (input: Float64Array): Data => {
    if (isStoredIn16Bits(dtype)) return narrow(dtype, Float32Array.from(input));
    return dtype === "float32" ? Float32Array.from(input) : input;
  };
  return {
    control,
    x: stored(x),
    dy: stored(dy),
    residual: stored(residual),
    out: fresh(),
    stored: fresh(),
    dresidual: fresh(),
    w: w && floatTypeOf(dtype) === "float32" ? Float32Array.from(w) : w,
  };
}

/** The cases of one element type, without weights or with them, in the order of their hashes. */
export function* cases(dtype: DType, isWeighted: boolean): Generator<Case, void, undefined> {
  for (const [at, extent] of EXTENTS.entries()) {
    const arrays = arraysOf(dtype, extent, inputsOf(dtype, extent, isWeighted), 1e-5);
    const variants = isWeighted ? WEIGHTED_VARIANTS : VARIANTS[at % VARIANTS.length]!;
    for (const variant of variants) yield { ...arrays, extent, dtype, isLong: false, ...variant };
  }
  for (const extent of LONG_EXTENTS) {
    const arrays = arraysOf(dtype, extent, inputsOf(dtype, extent, isWeighted), 1e-5);
    yield { ...arrays, extent, dtype, isLong: true, ...PLAIN };
  }
  const [x, dy, residual, w] = inputsOf(dtype, CONSTANT_EXTENT, isWeighted);
  const arrays = arraysOf(dtype, CONSTANT_EXTENT, [x.fill(3), dy, residual, w && w.fill(0)], 0);
  yield { ...arrays, extent: CONSTANT_EXTENT, dtype, isLong: false, ...PLAIN };
}
