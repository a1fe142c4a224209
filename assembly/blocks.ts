// Clause 1: the blocks of a walk, and the folding of their lanes. A block is laid out as rows of
// slots, slot = lane·columns + column: in the planes walk a row is 16 values of one run; in the
// rows walk one row of (up to) 16 columns, which have one lane each; with few columns 16 rows.
import { Part, Slot, Walk, getSlot, hasPart, header, setSlot } from "./control";
import { read, widen } from "./vec";

export const LANES: usize = 16;
const BLOCK: usize = 2048; // values of one channel in the planes walk, rows in the few-columns walk
const BLOCK_ROWS: usize = 128; // rows in the rows walk
const ROWS_COLUMNS: usize = 16; // columns of the rows walk finished together, and of a strip that is summed again
const PANEL: usize = 1024; // columns of the rows walk swept together: their accumulators stay in L1
const GROUP: usize = 32; // blocks

@unmanaged
export class Block {
  runsPerBlock: usize;
  /** Outer and inner index of the block's first value. */
  o: usize;
  i: usize;
  /** Byte offset of the first value of `columns` columns from `column` on. No columns: the walk is over. */
  offset: usize;
  column: usize;
  columns: usize;
  lanes: usize;
  slots: usize;
  /** Each of `runs` runs has `rows` full rows `stride` bytes apart, and one of `tail` slots. */
  runs: usize;
  runStride: usize;
  rows: usize;
  stride: usize;
  tail: usize;
  /** Values per column; blocks before this one; values merged into the total and the open group. */
  count: f64;
  number: usize;
  totalCount: f64;
  groupCount: f64;
}

const memoryOfBlock = memory.data(offsetof<Block>(), 8);

/** Scratch array `index`. */
@inline
export function scratchArray(index: usize): usize {
  return header.scratch + index * header.scratchStride;
}

/** Columns of the panel that begins with this block; 0 in its other blocks and in the other walks. */
export function panelColumns(b: Block): usize {
  return header.walk == Walk.rows && b.column % PANEL == 0 ? min(PANEL, header.columns - b.column) : 0;
}

/** A column's slot in a scratch array of its panel, past what a strip of 16 columns uses. */
@inline
export function panelSlot(index: usize, column: usize): usize {
  return scratchArray(index) + (ROWS_COLUMNS << 3) + column * header.size;
}

/** The first block of a walk opens a group. */
@inline
export function opensGroup(b: Block): bool {
  return b.number % GROUP == 0;
}

/** The first block; in the planes walk of one channel, otherwise of all columns. */
export function firstBlock(channel: usize): Block {
  const b = changetype<Block>(memoryOfBlock);
  const fresh = hasPart(Part.first);
  b.runsPerBlock = BLOCK / max<usize>(1, min<usize>(BLOCK, header.inner));
  b.number = fresh ? 0 : <usize>getSlot(Slot.block);
  b.totalCount = fresh ? 0 : getSlot(Slot.totalCount);
  b.groupCount = fresh ? 0 : getSlot(Slot.groupCount);
  b.o = b.i = 0;
  b.column = header.walk == Walk.planes ? channel : 0;
  place(b);
  return b;
}

/** The block's geometry from its position. */
function place(b: Block): void {
  const left = header.outer - b.o;
  b.runs = 1;
  b.tail = 0;
  b.lanes = LANES;
  if (header.walk == Walk.planes) {
    const length = min(BLOCK, header.inner - b.i);
    b.columns = left && header.inner ? 1 : 0;
    b.runs = min(b.runsPerBlock, left);
    b.runStride = header.columns * header.inner * header.size;
    b.offset = ((b.o * header.columns + b.column) * header.inner + b.i) * header.size;
    b.rows = length / LANES;
    b.tail = length % LANES;
    b.stride = LANES * header.size;
    b.slots = LANES;
    b.count = <f64>(b.runs * length);
    return;
  }
  b.offset = (b.o * header.columns + b.column) * header.size;
  if (header.walk == Walk.rows) {
    b.columns = left ? min(ROWS_COLUMNS, header.columns - b.column) : 0;
    b.lanes = 1;
    b.rows = min(BLOCK_ROWS, left);
    b.stride = header.columns * header.size;
    b.slots = ROWS_COLUMNS;
    b.count = <f64>b.rows;
  } else {
    const rows = min(BLOCK, left);
    b.columns = left ? header.columns : 0;
    b.rows = rows / LANES;
    b.tail = (rows % LANES) * b.columns;
    b.stride = LANES * b.columns * header.size;
    b.slots = LANES * b.columns;
    b.count = <f64>rows;
  }
}

/** Byte offsets, as usize 8 bytes apart, of `samples` values spread evenly over a column, a power of two of them. */
export function sampleOffsets(b: Block, samples: usize, to: usize): void {
  const count = <usize>b.count, shift = ctz(samples), planes = header.walk == Walk.planes;
  const length = planes ? b.rows * LANES + b.tail : 1;
  const stride = planes ? b.runStride : header.walk == Walk.rows ? b.stride : b.columns * header.size;
  let run: usize = 0, start: usize = 0;
  for (let j: usize = 0; j < samples; j++, to += 8) {
    const index = (j * count) >> shift;
    if (!planes) {
      store<usize>(to, index * stride);
      continue;
    }
    for (; index - start >= length; start += length) run += stride; // at most 128 runs: quicker than to divide
    store<usize>(to, run + (index - start) * header.size);
  }
}

/** Goes on to the next columns of the rows walk or to the next block. */
export function nextBlock(b: Block): void {
  if (header.walk == Walk.rows && b.column + b.columns < header.columns) {
    b.column += b.columns;
    return place(b);
  }
  if (opensGroup(b)) {
    b.totalCount += b.groupCount;
    b.groupCount = 0;
  }
  b.groupCount += b.count;
  b.number++;
  if (header.walk == Walk.planes) {
    b.i += BLOCK;
    if (b.i >= header.inner) {
      b.i = 0;
      b.o += b.runs;
    }
  } else {
    b.column = 0;
    b.o += <usize>b.count;
  }
  place(b);
}

/** Leaves the counters to the next part. */
export function saveCounters(b: Block): void {
  setSlot(Slot.block, <f64>b.number);
  setSlot(Slot.totalCount, b.totalCount);
  setSlot(Slot.groupCount, b.groupCount);
}

/** Widens the slots of type A to float64 and adds the lanes pairwise, +8, +4, +2, +1: `sums`[column]. */
export function fold<A>(b: Block, slots: usize, sums: usize): void {
  const columns = b.columns, half: usize = b.lanes == 1 ? 0 : columns << 3;
  for (let j: usize = 0, end: usize = half ? half : ROWS_COLUMNS; j < end; j += 2) {
    const low = widen<A, f64>(read<A, f64>(slots + j * sizeof<A>(), 0));
    const high = half ? widen<A, f64>(read<A, f64>(slots + (j + half) * sizeof<A>(), 0)) : f64x2.splat(0);
    v128.store(sums + (j << 3), f64x2.add(low, high));
  }
  for (let width = half >> 1; width > columns; width >>= 1) {
    for (let p = sums, end = sums + (width << 3); p < end; p += 16) {
      v128.store(p, f64x2.add(v128.load(p), v128.load(p + (width << 3))));
    }
  }
  if (!half) return;
  for (let p = sums, end = sums + (columns << 3); p < end; p += 8) {
    store<f64>(p, load<f64>(p) + load<f64>(p + (columns << 3)));
  }
}
