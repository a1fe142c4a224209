// The layout of the control block, and the contract's constants. Every slot and field is a float64.

/** How a kernel goes through the data (contract, clause 1). */
export const enum Traversal { planes, rows, fewColumns }

export const enum Flag {
  activation = 1,
  holdsY = 2,
  fixed = 4,
  leaky = 8,
  fromOutput = 16,
}

/** Whether a call holds the first and the last of a channel's blocks. */
export const enum Part { first = 1, last = 2 }

/** What elements are kept in: their own type, or 16 bits of a float32. */
export const enum Storage { own, half, bfloat }

export const enum Slot {
  outer,
  channels,
  inner,
  traversal,
  flags,
  eps,
  count,
  slope,
  storage,
  threads,
  grain,
  streamFrom,
  threadsUsed,
  part,
  block,
  groupCount,
  totalCount,
}

export const enum Field {
  weight,
  bias,
  mean,
  m2,
  invStd,
  center,
  scale,
  shift,
  sumG,
  sumGX,
  gradShift,
  gradSlope,
  gradScale,
}

/** Float64 values before the fields; fields of `channels` values; states of `columns` values. */
export const HEADER: usize = 24;
export const FIELDS: usize = 13;
export const STATES: usize = 6;
/** Scratch arrays, of `columns + SCRATCH_PAD` values each. */
export const SCRATCH: usize = 6;
export const SCRATCH_PAD: usize = 256;

export const LANES: usize = 16;
/** Values of one channel in a block of the planes traversal, and rows in one with few columns. */
export const BLOCK: usize = 2048;
/** Rows in a block of the rows traversal. */
export const BLOCK_ROWS: usize = 128;
/** Blocks in a group. */
export const GROUP: usize = 32;
