// Clause 4 in the rows traversal: the sums of a block for a panel of columns, in one sweep over its rows.
import { Block } from "../common/blocks";
import { masked } from "../common/buffers";
import { header } from "../common/control";
import { Scratch, centersOf } from "../common/gradRuns";
import { panelSlot } from "../common/scratch";
import { clear } from "../common/vec";
import { Mask, inputOf, maskGrads } from "../elements/mask";

/** g·(x − center) of the vector at x. */
@inline
function product<T>(g: v128, x: usize, center: v128): v128 {
  return v128.mul<T>(g, v128.sub<T>(v128.load(x), center));
}

/** s += g, u += g·d of rows of `width` bytes; four at a time, so that accumulators are loaded once for them. */
function addRows<T>(
  x: usize, g: usize, stride: usize, gStride: usize, rows: usize, width: usize, c: usize, s: usize, u: usize,
): void {
  for (; rows >= 4; rows -= 4, x += 4 * stride, g += 4 * gStride) {
    const x1 = x + stride, x2 = x1 + stride, x3 = x2 + stride;
    const g1 = g + gStride, g2 = g1 + gStride, g3 = g2 + gStride;
    for (let j: usize = 0; j < width; j += 16) {
      const center = v128.load(c + j);
      const v0 = v128.load(g + j), v1 = v128.load(g1 + j), v2 = v128.load(g2 + j), v3 = v128.load(g3 + j);
      const sum = v128.add<T>(v128.add<T>(v128.load(s + j), v0), v1);
      v128.store(s + j, v128.add<T>(v128.add<T>(sum, v2), v3));
      let products = v128.add<T>(v128.load(u + j), product<T>(v0, x + j, center));
      products = v128.add<T>(products, product<T>(v1, x1 + j, center));
      products = v128.add<T>(products, product<T>(v2, x2 + j, center));
      v128.store(u + j, v128.add<T>(products, product<T>(v3, x3 + j, center)));
    }
  }
  for (; rows; rows--, x += stride, g += gStride) {
    for (let j: usize = 0; j < width; j += 16) {
      const v = v128.load(g + j);
      v128.store(s + j, v128.add<T>(v128.load(s + j), v));
      v128.store(u + j, v128.add<T>(v128.load(u + j), product<T>(v, x + j, v128.load(c + j))));
    }
  }
}

function addTyped(
  x: usize, g: usize, stride: usize, gStride: usize, rows: usize, width: usize, c: usize, s: usize, u: usize,
): void {
  if (header.size == 4) addRows<f32>(x, g, stride, gStride, rows, width, c, s, u);
  else addRows<f64>(x, g, stride, gStride, rows, width, c, s, u);
}

/** Σg and Σg·d of `columns` columns from the block's on, left in their slots. */
export function sumPanel(b: Block, columns: usize, mask: Mask, x: usize, toDy: usize, toMask: usize): void {
  const s = panelSlot(Scratch.s, b.column), u = panelSlot(Scratch.u, b.column), c = centersOf(b);
  const width = (columns * header.size + 15) & ~15, stride = b.stride;
  clear(s, width);
  clear(u, width);
  if (mask == Mask.none) return addTyped(x, x + toDy, stride, stride, b.rows, width, c, s, u);
  for (let row: usize = 0; row < b.rows; row += 4, x += 4 * stride) {
    const rows = min<usize>(4, b.rows - row);
    for (let r: usize = 0, p = x, g = masked(); r < rows; r++, p += stride, g += width) {
      maskGrads(mask, p, p + toDy, p + toMask, g, width, c, header.scratchStride, 1);
    }
    const input = inputOf(x, masked());
    addTyped(input, masked(), input == x ? stride : width, width, rows, width, c, s, u);
  }
}
