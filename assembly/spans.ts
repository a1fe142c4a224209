// The pieces that the element loops take: spans of quads, four vectors that share their coefficients
// (in the planes walk they are neighbours, in the rows walks they stand below each other), and the
// rest of runs and rows, vector by vector.
import { Slot, Walk, columnsOf, scratchOf, scratchStride, sizeOf } from "./control";
import { expandChannel, expandColumns } from "./affine";

@unmanaged
export class Span {
  control: usize;
  channel: usize;
  piece: i32;
  /** Byte offset of the span, which is `runs` times `bytes` bytes, `runStride` bytes apart. No runs: all done. */
  at: usize;
  runs: usize;
  runStride: usize;
  bytes: usize;
  /** Quads: distance of the four vectors and from one quad to the next. Not quads: apart is 0. */
  apart: usize;
  step: usize;
  /** First coefficients of a run, distance of their arrays, and what they advance by for a quad or vector. */
  coefficients: usize;
  stride: usize;
  coefficientStep: usize;
}

const memoryOfSpan = memory.data(offsetof<Span>(), 8);

/**
 * Rows that are treated as one: as many as there are and as fit the smallest scratch array, in whole
 * vectors, so that short rows have no rest; 1 where rows are long.
 */
function rowsAtOnce<T>(control: usize): usize {
  const fit: usize = 2048 / sizeof<T>() / max<usize>(1, columnsOf(control));
  return max<usize>(1, min(fit, sizeOf(control, Slot.outer)) & ~(16 / sizeof<T>() - 1));
}

/** The first span, with the coefficients expanded; in the planes walk of one channel. */
export function firstSpan<T>(control: usize, channel: usize, gradient: bool): Span {
  const s = changetype<Span>(memoryOfSpan);
  s.control = control;
  s.channel = channel;
  s.piece = -1;
  s.stride = scratchStride(control);
  if (sizeOf(control, Slot.walk) == Walk.planes) expandChannel<T>(control, channel, 1, gradient);
  else expandColumns<T>(control, rowsAtOnce<T>(control), gradient);
  nextSpan<T>(s);
  return s;
}

/** The next span that is not empty. */
export function nextSpan<T>(s: Span): void {
  const planes = sizeOf(s.control, Slot.walk) == Walk.planes;
  const pieces = planes ? 2 : 4;
  for (s.piece++; s.piece < pieces; s.piece++) {
    if (planes) planeSpan<T>(s);
    else rowSpan<T>(s);
    if (s.runs && s.bytes) return;
  }
  s.runs = 0;
}

/** A channel: the quads of its runs, then what is left of them. */
function planeSpan<T>(s: Span): void {
  const run = sizeOf(s.control, Slot.inner) * sizeof<T>();
  const quads = s.piece == 0;
  s.at = s.channel * run + (quads ? 0 : run & ~63);
  s.runs = sizeOf(s.control, Slot.outer);
  s.runStride = run * sizeOf(s.control, Slot.channels);
  s.bytes = quads ? run & ~63 : run & 63;
  s.apart = quads ? 16 : 0;
  s.step = 64;
  s.coefficients = scratchOf(s.control);
  s.coefficientStep = 0;
}

/** Four rows side by side, what is left of their width, left-over rows, and what is left of the last. */
function rowSpan<T>(s: Span): void {
  const columns = columnsOf(s.control);
  const row = max<usize>(1, rowsAtOnce<T>(s.control) * columns) * sizeof<T>();
  const all = sizeOf(s.control, Slot.outer) * columns * sizeof<T>();
  const rows = all / row, fours = rows & ~3;
  const width = row & ~15;
  s.apart = s.piece == 0 ? row : 0;
  s.step = s.coefficientStep = 16;
  s.coefficients = scratchOf(s.control) + (s.piece == 1 ? width : 0);
  s.runStride = s.piece == 0 ? 4 * row : row;
  s.at = s.piece == 0 ? 0 : s.piece == 1 ? width : s.piece == 2 ? fours * row : rows * row;
  s.runs = s.piece == 0 ? fours >> 2 : s.piece == 1 ? fours : s.piece == 2 ? rows - fours : 1;
  s.bytes = s.piece == 0 ? width : s.piece == 1 ? row - width : s.piece == 2 ? row : all - rows * row;
}
