// The control block: one Float64Array that carries a kernel call's arguments, coefficients,
// results and scratch, so that a call passes the data arrays and this block and allocates nothing.
// The same layout stands in native/control.h and assembly/control.ts.
import type { DType } from "../base/types.js";

/** How a kernel walks the data (contract, clause 1). */
export const Walk = { planes: 0, rows: 1, fewColumns: 2 } as const;
export type Walk = (typeof Walk)[keyof typeof Walk];

/** Bits of the header's `flags`. */
export const Flag = {
  /** An activation follows the normalization, ReLU unless `leaky`; in backward, dy goes through its derivative. */
  relu: 1,
  /** In backward, the auxiliary operand is the stored output y, not the residual. */
  auxIsOutput: 2,
  /** dx = g·a: the statistics did not depend on x. */
  frozen: 4,
  /** With `relu`: y = z ≤ 0 ? z·slope : z. */
  leaky: 8,
  /** With `leaky`, in backward: x holds the output y, of which z is made anew, and the statistics are those of z. */
  inverse: 16,
} as const;

/** Bits of the header's `part`: a channel may be summed in several calls, cut between blocks. */
export const Part = { first: 1, last: 2, whole: 3 } as const;

/**
 * Header slots, one float64 each. `block`, `groupCount` and `totalCount` carry on between parts. `threads` to
 * `threadsUsed` change no bit of a result, and only native kernels read them.
 */
export const Slot = {
  outer: 0,
  channels: 1,
  inner: 2,
  walk: 3,
  flags: 4,
  eps: 5,
  count: 6,
  part: 7,
  block: 8,
  groupCount: 9,
  totalCount: 10,
  /** Threads that a call may use, and elements below which another is not worth waking. */
  threads: 11,
  grain: 12,
  /** Bytes of all operands together from which outputs are written past the cache. */
  streamFrom: 13,
  /** Threads that worked on the last call. */
  threadsUsed: 14,
  /** Of the leaky ReLU, positive. */
  slope: 15,
  /** What elements are kept in: 0 their own type, 1 float16, 2 bfloat16. */
  storage: 16,
} as const;

export const HEADER = 24;

/** Clause 1 of the contract: values of one channel in the planes walk, rows with few columns; rows in the rows walk. */
export const BLOCK = 2048;
export const BLOCK_ROWS = 128;
/** Blocks of a group. */
export const GROUP = 32;

/** Per-channel fields in their order, `channels` float64 each, right behind the header. */
export const FIELDS = [
  "weight",
  "bias",
  "mean",
  "m2",
  "invStd",
  "center",
  "scale",
  "shift",
  "sumG",
  "sumGX",
  "gradShift",
  "gradSlope",
  "gradScale",
] as const;

/**
 * Per-column running state: (mean, m2) or (S, U) of the merged groups, then of the open group; with weights, the counts of
 * the two.
 */
export const STATES = 6;

/** Scratch: this many arrays of `columns + SCRATCH_PAD` elements (accumulators, expanded coefficients). */
export const SCRATCH = 6;
export const SCRATCH_PAD = 256;

/** The shape every layout reduces to: element (o, c, i) is at `(o*channels + c)*inner + i`. */
export interface Extent {
  readonly outer: number;
  readonly channels: number;
  readonly inner: number;
}

/** The walk of a whole tensor; a tile of it keeps the walk of the whole. */
export function walkOf({ channels, inner }: Extent): Walk {
  if (inner >= 16) return Walk.planes;
  return channels * inner >= 16 ? Walk.rows : Walk.fewColumns;
}

/** Columns of the walk: the channels themselves, or every (channel, inner) pair in the rows walks. */
export function columnsOf({ channels, inner }: Extent, walk: Walk): number {
  return walk === Walk.planes ? channels : channels * inner;
}

/** Length of the control block without the groups, in float64 elements: what kernels on one thread need. */
export function sequentialLength(extent: Extent, walk: Walk): number {
  const columns = columnsOf(extent, walk);
  return HEADER + FIELDS.length * extent.channels + STATES * columns + SCRATCH * (columns + SCRATCH_PAD);
}

/** Blocks of one column (contract, clause 1). */
export function blockCount({ outer, channels, inner }: Extent, walk: Walk): number {
  if (outer * channels * inner === 0) return 0;
  if (walk === Walk.rows) return Math.ceil(outer / BLOCK_ROWS);
  if (walk === Walk.fewColumns) return Math.ceil(outer / BLOCK);
  return inner > BLOCK ? outer * Math.ceil(inner / BLOCK) : Math.ceil(outer / Math.floor(BLOCK / inner));
}

/** Length of the control block, in float64 elements. Three for every group: what threads leave to be merged in order. */
export function controlLength(extent: Extent, walk: Walk): number {
  const groups = Math.ceil(blockCount(extent, walk) / GROUP);
  return sequentialLength(extent, walk) + 3 * groups * columnsOf(extent, walk);
}

export type Field = (typeof FIELDS)[number];
type Fields = { readonly [K in Field]: Float64Array };

/** Copies of what a forward normalized with, in one piece of memory: four of their own cost a small forward 1.5 us. */
export function copyStatistics({
  block,
  extent: { channels },
}: Control): Pick<Fields, "weight" | "bias" | "mean" | "invStd"> {
  const copy = block.slice(HEADER, HEADER + (FIELDS.indexOf("invStd") + 1) * channels);
  const field = (name: Field): Float64Array => {
    const index = FIELDS.indexOf(name);
    return copy.subarray(index * channels, (index + 1) * channels);
  };
  return { weight: field("weight"), bias: field("bias"), mean: field("mean"), invStd: field("invStd") };
}

/** A control block with named views of its fields. Reused by every call of the same extent. */
export class Control {
  readonly block: Float64Array;
  readonly fields: Fields;
  /** State arrays, `columns` long each. */
  readonly state: readonly Float64Array[];
  /** Whether elements are computed with as float32. */
  readonly isFloat32: boolean;

  constructor(
    readonly dtype: DType,
    readonly extent: Extent,
    readonly walk: Walk = walkOf(extent),
  ) {
    const { channels } = extent;
    const columns = columnsOf(extent, walk);
    const block = new Float64Array(controlLength(extent, walk));
    this.block = block;
    this.isFloat32 = dtype !== "float64";
    this.fields = Object.fromEntries(
      FIELDS.map((name, i) => [name, block.subarray(HEADER + i * channels, HEADER + (i + 1) * channels)]),
    ) as Fields;
    const states = HEADER + FIELDS.length * channels;
    this.state = Array.from({ length: STATES }, (_, i) =>
      block.subarray(states + i * columns, states + (i + 1) * columns),
    );
    block[Slot.outer] = extent.outer;
    block[Slot.channels] = channels;
    block[Slot.inner] = extent.inner;
    block[Slot.walk] = walk;
    block[Slot.part] = Part.whole;
    block[Slot.count] = extent.outer * extent.inner;
    block[Slot.threads] = block[Slot.threadsUsed] = 1;
    block[Slot.streamFrom] = Infinity;
    block[Slot.storage] = dtype === "float16" ? 1 : dtype === "bfloat16" ? 2 : 0;
    this.fields.weight.fill(1);
  }

  get(slot: keyof typeof Slot): number {
    return this.block[Slot[slot]]!;
  }

  set(slot: keyof typeof Slot, value: number): void {
    this.block[Slot[slot]] = value;
  }

  has(flag: keyof typeof Flag): boolean {
    return (this.get("flags") & Flag[flag]) !== 0;
  }
}
