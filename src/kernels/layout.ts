// The control block's layout: the one table that native/common/layout.h and assembly/common/layout.ts are generated from
// (npm run generate).

/** How a kernel goes through the data (contract, clause 1). */
export const Traversal = { planes: 0, rows: 1, fewColumns: 2 } as const;
export type Traversal = (typeof Traversal)[keyof typeof Traversal];

/** What elements are kept in: their own type, or 16 bits of a float32. */
export const Storage = { own: 0, float16: 1, bfloat16: 2 } as const;

/** Bits of the header's `flags`. */
export const Flag = {
  /** An activation follows the normalization, ReLU unless `leaky`; in backward, dy goes through its derivative. */
  activation: 1,
  /** In backward, the operand `residualOrY` is the stored output y. */
  holdsY: 2,
  /** The statistics did not depend on x: dx = g·a. */
  fixed: 4,
  /** With `activation`: y = z ≤ 0 ? z·slope : z. */
  leaky: 8,
  /** In backward, x holds the output y, of which z is made anew, and the statistics are those of z. */
  fromOutput: 16,
} as const;

/** The header's `kind` of an activation (contract, clauses 4 and 5). All but the first are made anew from x in backward. */
export const Kind = {
  /** What the flags say: ReLU, or leaky ReLU. */
  rectifier: 0,
  /** min and max, the header's `low` and `high`. */
  clamp: 1,
  hardSigmoid: 2,
  hardSwish: 3,
  squaredRelu: 4,
  /** A leaky ReLU with the field `slope`, for each channel its own. */
  prelu: 5,
  /** In backward alone: g = dy·ŷ where ŷ ≤ 0, whose sum is the gradient of a slope. */
  slopeGradient: 6,
} as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Bits of the header's `part`: WASM staging sums a channel in several calls, cut between blocks. */
export const Part = { first: 1, last: 2, whole: 3 } as const;

/** Header slots, one float64 each. */
export const Slot = {
  outer: 0,
  channels: 1,
  inner: 2,
  traversal: 3,
  flags: 4,
  eps: 5,
  /** Values per channel, or the sum of their weights, which moments with weights write. */
  count: 6,
  /** Of the leaky ReLU, positive. */
  slope: 7,
  storage: 8,
  /** Threads that a call may use. Nothing from here to `threadsUsed` changes a bit of a result, and no kernel of WASM reads it. */
  threads: 9,
  /** Elements below which another thread is not worth waking. */
  grain: 10,
  /** Bytes of all operands together from which outputs are written past the cache. */
  streamFrom: 11,
  /** Threads that worked on the last call. */
  threadsUsed: 12,
  /** WASM staging alone: which part of its channels a call is about, and what carries on between parts. */
  part: 13,
  block: 14,
  groupCount: 15,
  totalCount: 16,
  /** With the flag `activation`: which one. */
  kind: 17,
  /** Of a clamp. */
  low: 18,
  high: 19,
} as const;

/** Length of the header, in float64 elements. */
export const HEADER = 24;

/** Per-channel fields in their order, `channels` float64 each, right behind the header. */
export const FIELDS = [
  "weight",
  "bias",
  "slope",
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
export type Field = (typeof FIELDS)[number];

/** Contract, clause 1: lanes of a column. */
export const LANES = 16;
/** Contract, clause 1: values of one channel in the planes traversal, rows with few columns. */
export const BLOCK = 2048;
/** Contract, clause 1: rows of a block in the rows traversal. */
export const BLOCK_ROWS = 128;
/** Contract, clause 3: blocks of a group. */
export const GROUP = 32;

// What kernels leave between their steps is no part of the block. WebAssembly has it in its memory, behind the block: the
// states, then the scratch. The addon allocates it for each call that needs it: the scratch, then the groups.

/**
 * Per-column running state: (mean, m2) or (S, U) of the merged groups, then of the open group; with weights, the counts
 * of the two.
 */
export const STATES = 6;

/** Scratch: this many arrays of `columns + SCRATCH_PAD` elements (accumulators, expanded coefficients). */
export const SCRATCH = 7;
export const SCRATCH_PAD = 256;

/** For every column of every group: (count, mean, m2) or (S, U), what threads leave to be merged in order. */
export const GROUP_VALUES = 3;
