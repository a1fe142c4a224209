// The runs that the element loops take: those of a channel; in the rows walks several short rows as one, so that few
// have a rest, whose coefficients stand side by side.
import { header } from "./control";

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
export function rowsAtOnce(): usize {
  const fit = min<usize>(2048 / header.size / max<usize>(1, header.columns), header.outer);
  return fit >= 16 ? fit & ~15 : fit >= 4 ? fit & ~3 : 1;
}

/** A channel of the planes walk. */
export function planeSpan(channel: usize): Span {
  const run = header.inner * header.size;
  span.at = channel * run;
  span.runs = run ? header.outer : 0;
  span.runStride = run * header.channels;
  span.bytes = run;
  span.coefficients = header.scratch;
  span.stride = header.scratchStride;
  span.advance = 0;
  return span;
}

/** Rows that are treated as one; with `rest` those that are left over, fewer, as one run. */
export function rowSpan(rest: bool): Span {
  const columns = header.columns, all = header.outer * columns * header.size;
  const row = max<usize>(1, rowsAtOnce() * columns * header.size), rows = all / row;
  span.at = rest ? rows * row : 0;
  span.bytes = rest ? all - rows * row : row;
  span.runs = rest ? (span.bytes ? 1 : 0) : rows;
  span.runStride = row;
  span.coefficients = header.scratch;
  span.stride = header.scratchStride;
  span.advance = 1;
  return span;
}
