// The runs that the element loops take, in memory order. In the planes traversal they are those of a tile of
// neighbouring channels. In the rows traversals several short rows are taken as one run, so that few runs have a rest.
import { Own, header, own } from "../common/control";
import { LANES } from "../common/layout";
import { PANEL_BYTES } from "../common/scratch";

/** What a run is cut into where gradients or weights are copied. All that is left below twice that is one piece. */
export const PIECE: usize = 8192;

@unmanaged
export class Span {
  /** Byte offset of the span: `rows` times `channels` runs of `bytes` bytes side by side, `rowStride` bytes apart. */
  at: usize;
  rows: usize;
  rowStride: usize;
  channels: usize;
  bytes: usize;
  /** The first coefficient of a row, from one channel to the next, and from one array to the next. */
  coefficients: usize;
  step: usize;
  stride: usize;
  /** What coefficients advance by for a byte of a run: 0 or 1. */
  advance: usize;
}

/**
 * Bytes of a tile in each sample, in one piece. Channel by channel, short runs would be read and written a few lines
 * at a time, each in a page of its own, which no prefetcher follows. Larger tiles of long runs would be read from
 * memory twice.
 */
const TILE_BYTES: usize = 24576;

/** How many channels from `channel` on are a tile: at most as many as scratch arrays have slots for. */
export function tileChannels(channel: usize): usize {
  const fit = max<usize>(1, TILE_BYTES / max<usize>(1, header.inner * header.size));
  const slots = (header.scratchStride - PANEL_BYTES) / (LANES * header.size);
  return min(min(fit, slots), header.channels - channel);
}

/** Rows that are treated as one: as many as there are and as fit the smallest scratch array, a multiple of 16 or 4. */
export function rowsAtOnce(): usize {
  const fit = min<usize>(2048 / header.size / max<usize>(1, header.columns), header.outer);
  return fit >= 16 ? fit & ~15 : fit >= 4 ? fit & ~3 : 1;
}

/** A tile of the planes traversal: `channels` channels from `channel` on. */
export function planesSpan(channel: usize, channels: usize): Span {
  const span = changetype<Span>(own(Own.span));
  const run = header.inner * header.size;
  span.at = channel * run;
  span.rows = run ? header.outer : 0;
  span.rowStride = header.rowStride;
  span.channels = channels;
  span.bytes = run;
  span.coefficients = header.scratch;
  span.step = LANES * header.size;
  span.stride = header.scratchStride;
  span.advance = 0;
  return span;
}

/** Rows that are treated as one; with `rest` those that are left over, fewer, as one run. */
export function rowSpan(rest: bool): Span {
  const span = changetype<Span>(own(Own.span));
  const columns = header.columns, all = header.outer * columns * header.size;
  const row = max<usize>(1, rowsAtOnce() * columns * header.size), rows = all / row;
  span.at = rest ? rows * row : 0;
  span.bytes = rest ? all - rows * row : row;
  span.rows = rest ? (span.bytes ? 1 : 0) : rows;
  span.rowStride = row;
  span.channels = 1;
  span.coefficients = header.scratch;
  span.step = 0;
  span.stride = header.scratchStride;
  span.advance = 1;
  return span;
}
