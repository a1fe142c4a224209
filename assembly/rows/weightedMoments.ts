// Clause 6 in the rows traversal: the weighted sums of a block for a panel of columns, in one sweep over its rows.
import { Block } from "../common/blocks";
import { BUFFER_BYTES, laidRows } from "../common/buffers";
import { header } from "../common/control";
import { clear, whereWeighted } from "../common/vec";
import { layOut, weightStride } from "../common/weights";

/** v of the vectors at x and w: w·(x − k), and its d. */
@inline
function shifted<T>(x: usize, w: v128, shift: v128): v128 {
  return whereWeighted<T>(v128.sub<T>(v128.load(x), shift), w);
}

/**
 * The weights of up to four rows; 0, which add nothing, of those that are missing. In one vector where all are alike.
 */
function layRows(w: usize, column: usize, columns: usize, rows: usize): void {
  for (let to = laidRows(), end = laidRows() + 4 * BUFFER_BYTES; to < end; to += BUFFER_BYTES, w += weightStride()) {
    if (rows) layOut(w, column, columns, to);
    else clear(to, columns * header.size);
    if (rows) rows--;
  }
}

/** s += v, q += v·d of rows of `width` bytes; four at a time, so that accumulators are loaded once for them. */
export function addWeightedRows<T>(
  b: Block, columns: usize, x: usize, w: usize, width: usize, k: usize, s: usize, q: usize,
): void {
  const stride = b.stride, alike = header.inner == 1;
  const advance: usize = alike ? 0 : 16;
  for (let row: usize = 0; row < b.rows; row += 4, x += 4 * stride, w += 4 * weightStride()) {
    const rows = min<usize>(4, b.rows - row);
    layRows(w, b.column, alike ? 1 : columns, rows);
    // A row that is missing is read from the first, with weights of 0.
    const x1: usize = rows > 1 ? stride : 0, x2: usize = rows > 2 ? 2 * stride : 0, x3: usize = rows > 3 ? 3 * stride : 0;
    for (let j: usize = 0, at = laidRows(); j < width; j += 16, at += advance) {
      const p = x + j, shift = v128.load(k + j);
      const w0 = v128.load(at), w1 = v128.load(at, BUFFER_BYTES);
      const w2 = v128.load(at, 2 * BUFFER_BYTES), w3 = v128.load(at, 3 * BUFFER_BYTES);
      const d0 = shifted<T>(p, w0, shift), d1 = shifted<T>(p + x1, w1, shift);
      const d2 = shifted<T>(p + x2, w2, shift), d3 = shifted<T>(p + x3, w3, shift);
      const v0 = v128.mul<T>(w0, d0), v1 = v128.mul<T>(w1, d1), v2 = v128.mul<T>(w2, d2), v3 = v128.mul<T>(w3, d3);
      const sum = v128.add<T>(v128.add<T>(v128.load(s + j), v0), v1);
      v128.store(s + j, v128.add<T>(v128.add<T>(sum, v2), v3));
      const squares = v128.add<T>(v128.add<T>(v128.load(q + j), v128.mul<T>(v0, d0)), v128.mul<T>(v1, d1));
      v128.store(q + j, v128.add<T>(v128.add<T>(squares, v128.mul<T>(v2, d2)), v128.mul<T>(v3, d3)));
    }
  }
}
