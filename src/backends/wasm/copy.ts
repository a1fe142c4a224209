// What is copied between the caller's arrays and the WASM memory: a tile's values, and the rows of
// the control block that belong to its channels.
import { plainView } from "../../base/check.js";
import { FIELDS, HEADER, STATES, columnsOf, type Control, type Extent } from "../../kernels/control.js";
import type { Data } from "../../base/types.js";
import type { Box } from "./tiles.js";

/** A view costs as much as copying some dozens of values one by one. */
const SHORT_RUN = 64;

function copyRun(from: Data, start: number, to: Data, at: number, count: number): void {
  if (count === from.length) to.set(from, at);
  else if (count >= SHORT_RUN) to.set(from.subarray(start, start + count), at);
  else for (let k = 0; k < count; k++) to[at + k] = from[start + k]!;
}

/** `count` runs of `length` values, their starts so far apart in either array. */
export function copyRows(
  from: Data,
  start: number,
  stride: number,
  to: Data,
  at: number,
  step: number,
  length: number,
  count: number,
): void {
  for (let row = 0; row < count; row++) copyRun(from, start + row * stride, to, at + row * step, length);
}

function isContiguous({ channels, inner }: Extent, { extent }: Box): boolean {
  return extent.outer === 1 || (extent.channels === channels && extent.inner === inner);
}

/** A tile of `data` to the memory, from `address` (in values) on. */
export function copyIn(heap: Data, address: number, given: Data, extent: Extent, box: Box): void {
  const data = plainView(given);
  const { channels, inner } = extent;
  const start = (box.o * channels + box.c) * inner + box.i;
  const run = box.extent.channels * box.extent.inner;
  if (isContiguous(extent, box)) copyRun(data, start, heap, address, box.extent.outer * run);
  else copyRows(data, start, channels * inner, heap, address, run, run, box.extent.outer);
}

/** The memory from `address` on to the tile's place in `data`. */
export function copyOut(heap: Data, address: number, given: Data, extent: Extent, box: Box): void {
  const data = plainView(given);
  const { channels, inner } = extent;
  const start = (box.o * channels + box.c) * inner + box.i;
  const run = box.extent.channels * box.extent.inner;
  if (isContiguous(extent, box)) copyRun(heap, address, data, start, box.extent.outer * run);
  else copyRows(heap, address, run, data, start, channels * inner, run, box.extent.outer);
}

/** A range of fields, by their place in FIELDS. */
export type Span = readonly [begin: number, end: number];

/** Rows of the control block: in the caller's `ownStride` apart, in the memory side by side. */
export interface Rows {
  readonly own: number;
  readonly ownStride: number;
  readonly staged: number;
  readonly length: number;
  readonly count: number;
}

/** The tile's channels of these fields. Where those are all channels, the fields are one row. */
export function fieldRows({ extent: { channels } }: Control, { c, extent }: Box, [begin, end]: Span): Rows {
  const whole = extent.channels === channels;
  return {
    own: HEADER + begin * channels + c,
    ownStride: channels,
    staged: HEADER + begin * extent.channels,
    length: whole ? (end - begin) * channels : extent.channels,
    count: whole ? 1 : end - begin,
  };
}

/** The tile's columns of the state arrays. */
export function stateRows({ extent, walk }: Control, { c, extent: tile }: Box): Rows {
  const all = columnsOf(extent, walk);
  const perChannel = all / extent.channels;
  return {
    own: HEADER + FIELDS.length * extent.channels + c * perChannel,
    ownStride: all,
    staged: HEADER + FIELDS.length * tile.channels,
    length: tile.channels * perChannel,
    count: STATES,
  };
}
