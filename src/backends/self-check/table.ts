// What the self-check runs: the one table of its cases. The check in JavaScript reads it, and so does that inside the
// addon, by the header that `npm run generate` writes (native/self_check/cases.h).
import type { Extent } from "../../kernels/control.js";
import { Flag, Kind } from "../../kernels/layout.js";
import type { DType } from "../../base/types.js";

/** The flags of the kernels, and whether a residual is added: each activation with each mask is a loop of its own. */
export interface Variant {
  readonly flags: number;
  readonly kind: Kind;
  readonly hasResidual: boolean;
}

export interface CaseRow {
  readonly extent: Extent;
  /**
   * - `shaky`: every second pass and escape; the first channel is huge, the last one tiny.
   * - `repeated`: a few ordinary values again and again, which take no time to make.
   * - `constant`: one value in each channel, without ε, and weights that are all 0: r is 0.
   * - `special`: NaN, infinities and zeros of both signs among ordinary values; γ of both signs.
   */
  readonly data: "shaky" | "repeated" | "constant" | "special";
  /** What runs, one after another on the same arrays; null for the sums alone. */
  readonly variants: readonly Variant[] | null;
  /** Threads among which kernels divide their work. */
  readonly threads: 1 | 2;
  /** For what native kernels alone distinguish: threads, chunks of a large tensor, ways of storing a vector. */
  readonly isNativeOnly: boolean;
}

const variant = (flags: number, hasResidual = false, kind: Kind = Kind.rectifier): Variant => ({
  flags,
  kind,
  hasResidual,
});
const PLAIN = variant(0);
const RELU = variant(Flag.activation);
const RELU_RESIDUAL = variant(Flag.activation, true);
const RELU_STORED = variant(Flag.activation | Flag.holdsY, true);
const LEAKY = variant(Flag.activation | Flag.leaky);
const LEAKY_RESIDUAL = variant(Flag.activation | Flag.leaky, true);
const LEAKY_OUTPUT = variant(RELU_STORED.flags | Flag.leaky | Flag.fromOutput, true);
/** Either activation with each mask, on two extents; each extent has the other's on native kernels. */
const EVEN = [PLAIN, LEAKY, RELU_RESIDUAL, LEAKY_OUTPUT];
const ODD = [PLAIN, RELU, LEAKY_RESIDUAL, RELU_STORED];
/** The others, with and without a residual. */
const CURVES = [
  variant(Flag.activation, false, Kind.prelu),
  variant(Flag.activation, true, Kind.prelu),
  variant(Flag.activation, true, Kind.clamp),
  variant(Flag.activation, false, Kind.hardSigmoid),
  variant(Flag.activation, true, Kind.hardSwish),
  variant(Flag.activation, false, Kind.squaredRelu),
  variant(Flag.activation, false, Kind.slopeGradient),
];

const SMALL: readonly Extent[] = [
  // Planes that end in 15 values: they fill every lane but one, so that no register of a narrow set holds padding alone.
  { outer: 2, channels: 3, inner: 31 },
  // Whole vectors of columns and a tail of 15; small inner as columns; few columns.
  { outer: 25, channels: 31, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
  { outer: 47, channels: 3, inner: 1 },
  // Runs that are treated one by one.
  { outer: 3, channels: 3, inner: 113 },
  // More channels than a tile has.
  { outer: 2, channels: 64, inner: 16 },
];

/** Runs of more than a block, and more columns than a panel has: in native kernels on float32 it has 2048. */
const WIDE: readonly Extent[] = [
  { outer: 1, channels: 3, inner: 2048 + 31 },
  { outer: 2, channels: 1024 + 15, inner: 1 },
];
const NATIVE_WIDE: readonly Extent[] = [
  { outer: 1, channels: 3, inner: 2048 + 31 },
  { outer: 2, channels: 2048 + 15, inner: 1 },
];

/** A second block in each traversal, shorter than the first; then a second group. */
const LONG: readonly Extent[] = [
  { outer: 1, channels: 2, inner: 2048 + 31 },
  { outer: 128 + 3, channels: 19, inner: 1 },
  { outer: 2048 + 47, channels: 1, inner: 1 },
  { outer: 17, channels: 1, inner: 2048 + 1 },
  { outer: 32 * 41 + 3, channels: 1, inner: 49 },
  { outer: 32 * 128 + 3, channels: 16, inner: 1 },
  { outer: 32 * 2048 + 47, channels: 1, inner: 1 },
];

/** A second block of one row or two, whose shift is the first one's mean, and which escapes nevertheless. */
const TWO_BLOCKS: readonly Extent[] = [
  { outer: 128 + 1, channels: 2, inner: 15 },
  { outer: 2048 + 2, channels: 2, inner: 1 },
];
/** One row, and fewer rows than lanes. */
const TINY: readonly Extent[] = [
  { outer: 1, channels: 3, inner: 7 },
  { outer: 2, channels: 1, inner: 9 },
  { outer: 1, channels: 3, inner: 1 },
];
/** Of one value in each channel. */
const CONSTANT: readonly Extent[] = [
  { outer: 3, channels: 3, inner: 17 },
  { outer: 1, channels: 3, inner: 1 },
  { outer: 3, channels: 9, inner: 2 },
];

const ALL = [PLAIN, RELU, RELU_RESIDUAL, RELU_STORED, LEAKY, LEAKY_RESIDUAL, LEAKY_OUTPUT];
/** Both signs of a zero, NaN and infinities pass an activation as the contract says. */
const SPECIAL: readonly Extent[] = [
  { outer: 2, channels: 5, inner: 31 },
  { outer: 7, channels: 19, inner: 1 },
  { outer: 2, channels: 5, inner: 113 },
  { outer: 1, channels: 4, inner: 513 },
  { outer: 2, channels: 5, inner: 9 },
  { outer: 19, channels: 5, inner: 1 },
  { outer: 2, channels: 64, inner: 16 },
  { outer: 5, channels: 3, inner: 2 },
];

/** Groups and chunks that two threads share. */
const SHARED: readonly Extent[] = [
  { outer: 17, channels: 2, inner: 2048 + 1 },
  { outer: 87, channels: 9, inner: 95 },
  { outer: 32 * 128 + 3, channels: 17, inner: 1 },
];

/** Other numbers of runs, channels and columns, in which the tiles, panels and matrices of native kernels differ. */
const SHAPES: readonly Extent[] = [
  { outer: 33, channels: 1, inner: 49 },
  { outer: 5, channels: 128 + 3, inner: 1 },
  { outer: 2, channels: 15, inner: 8 },
  { outer: 33, channels: 2, inner: 7 },
  { outer: 1, channels: 2, inner: 2 },
  { outer: 2, channels: 3, inner: 200 },
];
const LARGER_SHAPES: readonly Extent[] = [
  { outer: 45, channels: 2, inner: 97 },
  { outer: 1, channels: 17, inner: 513 },
  { outer: 2, channels: 130, inner: 17 },
  { outer: 128 + 5, channels: 3, inner: 11 },
  { outer: 2, channels: 257, inner: 8 },
  { outer: 256 + 7, channels: 15, inner: 1 },
];

/** Of which WASM makes several parts where it has little memory. Two are enough, and a page waits for them. */
export function isInParts({ extent, data, isNativeOnly }: CaseRow): boolean {
  const size = sizeOf(extent);
  return !isNativeOnly && data !== "special" && extent.channels < 20 && size > 2200 && size < 4000;
}

export const sizeOf = ({ outer, channels, inner }: Extent): number => outer * channels * inner;

function row(extent: Extent, data: CaseRow["data"], variants: CaseRow["variants"], threads: 1 | 2 = 1): CaseRow {
  return { extent, data, variants, threads, isNativeOnly: threads > 1 };
}

/** Where the first rows are enough for a backend whose calls take longer, as those into WASM do. */
function firstOf(most: number, rows: readonly CaseRow[]): readonly CaseRow[] {
  return rows.map((one, i) => (i < most ? one : { ...one, isNativeOnly: true }));
}

export const TABLE: readonly CaseRow[] = [
  ...SMALL.map((extent, i) => row(extent, "shaky", i % 2 === 0 ? EVEN : ODD)),
  ...WIDE.map((extent) => row(extent, "shaky", [PLAIN, LEAKY_OUTPUT])),
  ...firstOf(
    3,
    LONG.map((extent) => row(extent, "repeated", null)),
  ),
  ...TWO_BLOCKS.map((extent) => row(extent, "shaky", [PLAIN])),
  ...TINY.map((extent) => row(extent, "shaky", [PLAIN, LEAKY_RESIDUAL])),
  ...CONSTANT.map((extent) => row(extent, "constant", [PLAIN])),
  ...firstOf(
    2,
    SPECIAL.map((extent) => row(extent, "special", sizeOf(extent) > 2000 ? [PLAIN, RELU_RESIDUAL] : ALL)),
  ),
  ...SMALL.map((extent, i) => row(extent, "shaky", (i % 2 === 0 ? ODD : EVEN).slice(1), 2)),
  ...NATIVE_WIDE.map((extent) => row(extent, "repeated", [RELU, LEAKY_RESIDUAL], 2)),
  ...SHAPES.map((extent) => row(extent, "shaky", [PLAIN, LEAKY_RESIDUAL], 2)),
  ...LARGER_SHAPES.map((extent) => row(extent, "repeated", [PLAIN, LEAKY_RESIDUAL], 2)),
  ...SHARED.map((extent) => row(extent, "repeated", [LEAKY_RESIDUAL], 2)),
  // One extent of each traversal, and runs that are treated one by one.
  ...SMALL.slice(0, 5).map((extent) => row(extent, "shaky", CURVES)),
  ...firstOf(
    2,
    SPECIAL.slice(0, 6).map((extent) => row(extent, "special", CURVES)),
  ),
  ...NATIVE_WIDE.map((extent) => row(extent, "repeated", CURVES.slice(0, 2), 2)),
];

/** Of backends whose kernels are called one by one. */
export const ORDINARY_ROWS = TABLE.filter(({ isNativeOnly }) => !isNativeOnly);

/** Hashes of the oracle's results, one for each row, without weights and with them. */
export type Hashes = Readonly<Record<DType, Readonly<Record<"plain" | "weighted", readonly number[]>>>>;
