// Weights (contract, clause 2): one for each position. Their sums, and their layout as the values they belong to have
// it.
import { Block, secondBlock } from "./blocks";
import { laidOut } from "./buffers";
import { header } from "./control";
import { LANES, Traversal } from "./layout";

/** Byte offset of the weights of a block. */
export function weightOffset(b: Block): usize {
  return (b.o * header.inner + b.i) * header.size;
}

/** Bytes between the weights of one row, or value of a plane, and the next. */
export function weightStride(): usize {
  return header.traversal == Traversal.planes ? header.size : header.inner * header.size;
}

/**
 * The weights of a block as a block of their own: one column in the planes traversal, otherwise `inner` columns with
 * 16 lanes each.
 */
export function weightBlock(b: Block): Block {
  const own = secondBlock(), planes = header.traversal == Traversal.planes;
  const values = planes ? b.rows * LANES + b.tail : <usize>b.count * header.inner;
  own.columns = planes ? 1 : header.inner;
  own.lanes = LANES;
  own.slots = LANES * own.columns;
  own.runs = b.runs;
  own.runStride = header.inner * header.size;
  own.rows = values / own.slots;
  own.stride = own.slots * header.size;
  own.tail = values % own.slots;
  return own;
}

/** Bytes from the weights of one row to those of another, which begins `bytes` bytes of values later. */
export function rowWeights(bytes: usize): usize {
  return bytes / max<usize>(1, header.rowStride) * header.inner * header.size;
}

/**
 * The weights of `bytes` bytes of values, which begin `from` bytes behind a row whose weights stand at w. In the
 * planes traversal they are where they are, otherwise they are laid out.
 */
export function layPiece(w: usize, from: usize, bytes: usize): usize {
  if (header.traversal == Traversal.planes) return w + from;
  const value = from / header.size, row = value / header.columns;
  layOut(w + row * header.inner * header.size, value - row * header.columns, bytes / header.size, laidOut());
  return laidOut();
}

/** Lays out the weights of `count` values in memory order from `column` of the row of these weights on. */
export function layOut(w: usize, column: usize, count: usize, to: usize): void {
  const size = header.size, inner = header.inner, columns = header.columns;
  const end = to + count * size;
  if (inner == 1) { // whole vectors, which the next row's overwrite where they reach too far
    for (let stop = to; to < end; to = stop, column = 0, w += size) {
      const value = size == 4 ? v128.load32_splat(w) : v128.load64_splat(w);
      stop = min(to + (columns - column) * size, end);
      for (let p = to; p < stop; p += 16) v128.store(p, value);
    }
    return;
  }
  for (let i = column % inner; to < end; to += size) {
    if (size == 4) store<u32>(to, load<u32>(w + i * 4));
    else store<u64>(to, load<u64>(w + i * 8));
    if (++i == inner) i = 0;
    if (++column == columns) {
      column = 0;
      w += inner * size;
    }
  }
}
