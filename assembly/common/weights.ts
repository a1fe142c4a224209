// Weights (contract, clause 6): one for each position. Their sums, and their layout as the values they belong to have it.
import { MASKED_BYTES, masked } from "../elements/affine";
import { Block, LANES } from "./blocks";
import { Walk, header } from "./control";
import { clear, read, stripWidth, widen } from "./vec";

/**
 * Weights laid out as values are: four rows of a panel of float64, ROW_BYTES apart, or as much side by side. Sums of values
 * mask no gradients meanwhile.
 */
export const laidOut: usize = masked;
export const ROW_BYTES: usize = MASKED_BYTES / 4;

/** The sums of the weights of a block, for each i of the rows walks; of the planes walk one. */
export const weightSums: usize = masked + MASKED_BYTES;
const lanes: usize = weightSums + 128, lanesEnd: usize = lanes + 2048;
/** Those of the first tile's blocks: the others have the same. */
const CACHED: usize = 1024;
const cache: usize = lanesEnd;
export const WEIGHTS_END: usize = cache + 8 * CACHED;

/** Byte offset of the weights of a block. */
export function weightOffset(b: Block): usize {
  return (b.o * header.inner + b.i) * header.size;
}

/** Bytes between the weights of one row, or value of a plane, and the next. */
export function weightStride(): usize {
  return header.walk == Walk.planes ? header.size : header.inner * header.size;
}

/** Adds `count` weights to lanes, `width` of them before they repeat. */
function addToLanes<T, A>(w: usize, count: usize, width: usize): void {
  for (let n = min(count, width); n; count -= n, w += n * sizeof<T>(), n = min(count, width)) {
    const whole = n & ~(stripWidth<A>() / 4 - 1);
    for (let j: usize = 0; j < whole; j += stripWidth<A>() / 4) {
      const z = lanes + j * sizeof<A>();
      v128.store(z, v128.add<A>(v128.load(z), widen<T, A>(read<T, A>(w + j * sizeof<T>(), 0))));
    }
    for (let j = whole; j < n; j++) {
      const z = lanes + j * sizeof<A>();
      store<A>(z, load<A>(z) + <A>load<T>(w + j * sizeof<T>()));
    }
  }
}

/**
 * Pairwise, as all lanes: t[j] += t[j+8], then +4, +2, +1; of `width` slots, 16 to a sum. Whether all are finite; `again`,
 * only those are made that were not.
 */
function foldLanes<A>(width: usize, again: bool): bool {
  const sums = width >> 4;
  let rest: f64 = 0;
  for (let i: usize = 0; i < sums; i++) {
    if (again && isFinite(load<f64>(weightSums + (i << 3)))) continue;
    const t = cache + (CACHED << 3) - 128;
    for (let j: usize = 0; j < LANES; j++) store<f64>(t + (j << 3), <f64>load<A>(lanes + (i + j * sums) * sizeof<A>()));
    for (let half: usize = 64; half >= 8; half >>= 1) {
      for (let p = t, end = t + half; p < end; p += 8) store<f64>(p, load<f64>(p) + load<f64>(p + half));
    }
    const sum = load<f64>(t);
    store<f64>(weightSums + (i << 3), sum);
    rest += sum - sum;
  }
  return rest == 0;
}

function sumWeights<T, A>(b: Block, w: usize, again: bool): bool {
  const planes = header.walk == Walk.planes, width: usize = planes ? LANES : LANES * header.inner;
  const count = planes ? b.rows * LANES + b.tail : <usize>b.count * header.inner;
  clear(lanes, width * sizeof<A>());
  for (let run = b.runs; run; run--, w += count * sizeof<T>()) addToLanes<T, A>(w, count, width);
  return foldLanes<A>(width, again);
}

/** The sums of a block's weights, left as they are for its other columns; `index` counts the blocks of a column in this call. */
export function weighBlock(b: Block, w: usize, index: usize): void {
  if (b.column != b.channel) return;
  if (b.channel && index < CACHED - 16) {
    store<f64>(weightSums, load<f64>(cache + (index << 3)));
    return;
  }
  if (header.size == 8) sumWeights<f64, f64>(b, w, false);
  else if (!sumWeights<f32, f32>(b, w, false)) sumWeights<f32, f64>(b, w, true);
  if (index < CACHED - 16) store<f64>(cache + (index << 3), load<f64>(weightSums));
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
