// Clause 1: the blocks of a traversal. A block is laid out as rows of slots, slot = lane·columns + column. In the
// planes traversal a row of slots is 16 values of one run. In the rows traversal it is one row of up to 16 columns,
// which have one lane each. With few columns it is 16 rows.
import { Own, getSlot, hasPart, header, own, setSlot } from "./control";
import { BLOCK, BLOCK_ROWS, GROUP, LANES, Part, Slot, Traversal } from "./layout";

/** Columns of the rows traversal that are finished together. */
export const ROWS_COLUMNS: usize = 16;
/** Columns of the rows traversal that are swept together: their accumulators stay in the first-level cache. */
const PANEL: usize = 1024;

@unmanaged
export class Block {
  runsPerBlock: usize;
  /** The first channel of a tile of the planes traversal. */
  channel: usize;
  /** Outer and inner index of the block's first value. */
  o: usize;
  i: usize;
  /** Byte offset of the first value of `columns` columns from `column` on. Without columns the traversal is over. */
  offset: usize;
  column: usize;
  columns: usize;
  lanes: usize;
  slots: usize;
  /** Each of `runs` runs has `rows` full rows of slots, `stride` bytes apart, and one of `tail` slots. */
  runs: usize;
  runStride: usize;
  rows: usize;
  stride: usize;
  tail: usize;
  /** Values of a column. */
  count: f64;
  /** The number of this block, and of the first one in this call. */
  number: usize;
  begin: usize;
  /** Values of a column that were merged into the total and into the open group. */
  totalCount: f64;
  groupCount: f64;
}

/** The block that is worked on. */
@inline
export function currentBlock(): Block {
  return changetype<Block>(own(Own.block));
}

/** A block beside the current one, which has the layout of its weights. */
@inline
export function secondBlock(): Block {
  return changetype<Block>(own(Own.second));
}

/** Whether a panel of the rows traversal begins with this block. */
@inline
export function opensPanel(b: Block): bool {
  return b.column % PANEL == 0;
}

/** Columns of the panel that begins with this block. */
@inline
export function panelColumns(b: Block): usize {
  return min(PANEL, header.columns - b.column);
}

/** The first block of a traversal opens a group. */
@inline
export function opensGroup(b: Block): bool {
  return b.number % GROUP == 0;
}

/** The first block: in the planes traversal that of this channel, otherwise that of all columns. */
export function firstBlock(channel: usize): Block {
  const b = currentBlock();
  const fresh = hasPart(Part.first);
  b.runsPerBlock = BLOCK / max<usize>(1, min<usize>(BLOCK, header.inner));
  b.number = b.begin = fresh ? header.block : <usize>getSlot(Slot.block);
  b.totalCount = fresh ? 0 : getSlot(Slot.totalCount);
  b.groupCount = fresh ? 0 : getSlot(Slot.groupCount);
  b.channel = channel;
  b.column = 0;
  goTo(b, header.block);
  place(b);
  return b;
}

/** The position of a block of this number, counted from the operands' beginning. */
function goTo(b: Block, number: usize): void {
  const pieces = header.traversal == Traversal.planes ? (header.inner + BLOCK - 1) / BLOCK : 1;
  const rows = header.traversal == Traversal.rows ? BLOCK_ROWS : header.traversal == Traversal.planes ? b.runsPerBlock : BLOCK;
  b.o = pieces > 1 ? number / pieces : number * rows;
  b.i = pieces > 1 ? (number % pieces) * BLOCK : 0;
}

/** The block's geometry from its position. */
function place(b: Block): void {
  const left = b.number < header.blockEnd ? header.outer - b.o : 0;
  b.runs = 1;
  b.tail = 0;
  b.lanes = LANES;
  if (header.traversal == Traversal.planes) {
    const length = min(BLOCK, header.inner - b.i);
    b.column = b.channel;
    b.columns = left && header.inner ? 1 : 0;
    b.runs = min(b.runsPerBlock, left);
    b.runStride = header.rowStride;
    b.offset = b.o * header.rowStride + (b.column * header.inner + b.i) * header.size;
    b.rows = length / LANES;
    b.tail = length % LANES;
    b.stride = LANES * header.size;
    b.slots = LANES;
    b.count = <f64>(b.runs * length);
    return;
  }
  b.offset = b.o * header.rowStride + b.column * header.size;
  if (header.traversal == Traversal.rows) {
    b.columns = left ? min(ROWS_COLUMNS, header.columns - b.column) : 0;
    b.lanes = 1;
    b.rows = min(BLOCK_ROWS, left);
    b.stride = header.rowStride;
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

/** Goes from a channel of the planes traversal to the next one's block at the same place. */
export function nextChannel(b: Block): void {
  b.column++;
  b.offset += header.inner * header.size;
}

/** Goes on to the next columns of the rows traversal, or to the next block; in a tile to that of its first channel. */
export function nextBlock(b: Block): void {
  if (header.traversal == Traversal.rows && b.column + b.columns < header.columns) {
    b.column += b.columns;
    return place(b);
  }
  if (opensGroup(b)) {
    b.totalCount += b.groupCount;
    b.groupCount = 0;
  }
  b.groupCount += b.count;
  b.number++;
  if (header.traversal == Traversal.planes) {
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
