// The runs that the element loops take: those of a channel; in the rows walks several short rows as one, so that few
// have a rest, whose coefficients stand side by side.
import { Slot, Walk, columnsOf, scratchOf, scratchStride, sizeOf } from "./control";

@unmanaged
export class Span {
  /** Byte offset of the span, which is `runs` times `bytes` bytes, `runStride` bytes apart. */
  at: usize;
  runs: usize;
  runStride: usize;
  bytes: usize;
  /** The first coefficient of a run, the distance of their arrays, and what they advance by for a byte: 0 or 1. */
  coefficients: usize;
  stride: usize;
  advance: usize;
}

const span = changetype<Span>(memory.data(offsetof<Span>(), 8));

/** Rows that are treated as one: as many as there are and as fit the smallest scratch array, a multiple of 16 or 4. */
export function rowsAtOnce(control: usize, size: usize): usize {
  const fit = min<usize>(2048 / size / max<usize>(1, columnsOf(control)), sizeOf(control, Slot.outer));
  return fit >= 16 ? fit & ~15 : fit >= 4 ? fit & ~3 : 1;
}

/** A channel of the planes walk; `size` bytes a value. */
export function planeSpan(control: usize, size: usize, channel: usize): Span {
  const run = sizeOf(control, Slot.inner) * size;
  span.at = channel * run;
  span.runs = run ? sizeOf(control, Slot.outer) : 0;
  span.runStride = run * sizeOf(control, Slot.channels);
  span.bytes = run;
  span.coefficients = scratchOf(control);
  span.stride = scratchStride(control);
  span.advance = 0;
  return span;
}

/** Rows that are treated as one; with `rest` those that are left over, fewer, as one run. */
export function rowSpan(control: usize, size: usize, rest: bool): Span {
  const columns = columnsOf(control), all = sizeOf(control, Slot.outer) * columns * size;
  const row = max<usize>(1, rowsAtOnce(control, size) * columns * size), rows = all / row;
  span.at = rest ? rows * row : 0;
  span.bytes = rest ? all - rows * row : row;
  span.runs = rest ? (span.bytes ? 1 : 0) : rows;
  span.runStride = row;
  span.coefficients = scratchOf(control);
  span.stride = scratchStride(control);
  span.advance = 1;
  return span;
}
