// Clause 1: the blocks of a walk. A block is laid out as rows of
// slots, slot = lane·columns + column: in the planes walk a row is 16 values of one run; in the
// rows walk one row of (up to) 16 columns, which have one lane each; with few columns 16 rows.
import { Part, Slot, Walk, getSlot, hasPart, header, setSlot } from "./control";

export const LANES: usize = 16;
const BLOCK: usize = 2048; // values of one channel in the planes walk, rows in the few-columns walk
const BLOCK_ROWS: usize = 128; // rows in the rows walk
export const ROWS_COLUMNS: usize = 16; // columns of the rows walk finished together, and of a strip that is summed again
const PANEL: usize = 1024; // columns of the rows walk swept together: their accumulators stay in L1
const GROUP: usize = 32; // blocks

@unmanaged
export class Block {
  runsPerBlock: usize;
  /** The first channel of a tile of the planes walk. */
  channel: usize;
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

/** Columns of the panel that begins with this block; 0 in its other blocks and in the other walks. */
export function panelColumns(b: Block): usize {
  return header.walk == Walk.rows && b.column % PANEL == 0 ? min(PANEL, header.columns - b.column) : 0;
}

/** The first block of a walk opens a group. */
@inline
export function opensGroup(b: Block): bool {
  return b.number % GROUP == 0;
}

/** The first block; in the planes walk of this channel, otherwise of all columns. */
export function firstBlock(channel: usize): Block {
  const b = changetype<Block>(memoryOfBlock);
  const fresh = hasPart(Part.first);
  b.runsPerBlock = BLOCK / max<usize>(1, min<usize>(BLOCK, header.inner));
  b.number = fresh ? 0 : <usize>getSlot(Slot.block);
  b.totalCount = fresh ? 0 : getSlot(Slot.totalCount);
  b.groupCount = fresh ? 0 : getSlot(Slot.groupCount);
  b.o = b.i = 0;
  b.channel = channel;
  b.column = 0;
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
    b.column = b.channel;
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

/** From a channel of the planes walk to the next one's block at the same place. */
export function nextChannel(b: Block): void {
  b.column++;
  b.offset += header.inner * header.size;
}

/** Goes on to the next columns of the rows walk or to the next block; of a tile to that of its first channel. */
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
