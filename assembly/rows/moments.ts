// Clause 2 in the rows traversal: the sums of a block for a panel of columns, in one sweep over its rows.
import { Block, ROWS_COLUMNS } from "../common/blocks";
import { header } from "../common/control";
import { fold, panelSlot, scratchArray } from "../common/scratch";
import { Scratch, firstShifts } from "../common/shifts";
import { clear, readPair, storePair } from "../common/vec";
import { addWeightedRows } from "./weightedMoments";

/** s += d, q += d·d of four rows' vectors `at` bytes from each of these. */
@inline
function addFour<T>(x: usize, x1: usize, x2: usize, x3: usize, k: usize, s: usize, q: usize, at: usize): void {
  const shift = v128.load(k + at);
  const d0 = v128.sub<T>(v128.load(x + at), shift), d1 = v128.sub<T>(v128.load(x1 + at), shift);
  const d2 = v128.sub<T>(v128.load(x2 + at), shift), d3 = v128.sub<T>(v128.load(x3 + at), shift);
  const sum = v128.add<T>(v128.add<T>(v128.load(s + at), d0), d1);
  v128.store(s + at, v128.add<T>(v128.add<T>(sum, d2), d3));
  const squares = v128.add<T>(v128.add<T>(v128.load(q + at), v128.mul<T>(d0, d0)), v128.mul<T>(d1, d1));
  v128.store(q + at, v128.add<T>(v128.add<T>(squares, v128.mul<T>(d2, d2)), v128.mul<T>(d3, d3)));
}

/** s += d, q += d·d of rows of `width` bytes; four at a time, so that accumulators are loaded once for them. */
function addRows<T>(x: usize, stride: usize, rows: usize, width: usize, k: usize, s: usize, q: usize): void {
  for (; rows >= 4; rows -= 4, x += 4 * stride) {
    let p = x, p1 = p + stride, p2 = p1 + stride, p3 = p2 + stride, kp = k, sp = s, qp = q;
    for (const stop = x + width; p < stop; p += 32, p1 += 32, p2 += 32, p3 += 32, kp += 32, sp += 32, qp += 32) {
      addFour<T>(p, p1, p2, p3, kp, sp, qp, 0);
      addFour<T>(p, p1, p2, p3, kp, sp, qp, 16);
    }
  }
  for (; rows; rows--, x += stride) {
    for (let j: usize = 0; j < width; j += 16) {
      const d = v128.sub<T>(v128.load(x + j), v128.load(k + j));
      v128.store(s + j, v128.add<T>(v128.load(s + j), d));
      v128.store(q + j, v128.add<T>(v128.load(q + j), v128.mul<T>(d, d)));
    }
  }
}

/** The first shifts of `columns` columns from the block's on, 16 at a time, in their slots. */
function spreadShifts(b: Block, columns: usize, x: usize, w: usize, group: usize, first: bool): void {
  const size = header.size, panel = b.column, shifts = scratchArray(Scratch.columns);
  let k = panelSlot(Scratch.shifts, panel);
  for (; b.column < panel + columns; b.column += ROWS_COLUMNS, x += ROWS_COLUMNS * size, group += ROWS_COLUMNS << 3) {
    firstShifts(b, x, w, group, first);
    for (let j: usize = 0; j < ROWS_COLUMNS; j += 2, k += 2 * size) storePair(k, v128.load(shifts + (j << 3)), size);
  }
  b.column = panel;
}

/** Sums of `columns` columns from the block's on, around their first shifts, left in their slots. */
export function sumPanel(b: Block, columns: usize, x: usize, w: usize, group: usize, first: bool): void {
  const k = panelSlot(Scratch.shifts, b.column), s = panelSlot(Scratch.s, b.column), q = panelSlot(Scratch.q, b.column);
  const width = (columns * header.size + 31) & ~31;
  spreadShifts(b, columns, x, w, group, first);
  clear(s, width);
  clear(q, width);
  if (w) {
    if (header.size == 4) addWeightedRows<f32>(b, columns, x, w, width, k, s, q);
    else addWeightedRows<f64>(b, columns, x, w, width, k, s, q);
  } else if (header.size == 4) addRows<f32>(x, b.stride, b.rows, width, k, s, q);
  else addRows<f64>(x, b.stride, b.rows, width, k, s, q);
}

/** The block's shifts and sums, of those that the panel's sweep left. */
export function takePanel(b: Block): void {
  const shifts = scratchArray(Scratch.columns), k = panelSlot(Scratch.shifts, b.column), size = header.size;
  for (let j: usize = 0; j < b.columns; j += 2) v128.store(shifts + (j << 3), readPair(k + j * size, size));
  fold(b, panelSlot(Scratch.s, b.column), scratchArray(Scratch.sumS), size);
  fold(b, panelSlot(Scratch.q, b.column), scratchArray(Scratch.sumQ), size);
}
