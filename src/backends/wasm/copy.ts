// What is copied between the caller's arrays and the WASM memory: a tile's values, and the rows of
// the control block that belong to its channels.
import { copyInto, partsOf } from "../../base/arrays.js";
import { lengthOf } from "../../base/check.js";
import type { Extent } from "../../kernels/control.js";
import { HEADER } from "../../kernels/layout.js";
import type { Data } from "../../base/types.js";
import type { Box } from "./tiles.js";

/** A view costs as much as copying some dozens of values one by one. */
const SHORT_RUN = 64;

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
  if (length < SHORT_RUN) {
    for (let row = 0; row < count; row++, start += stride, at += step) {
      for (let k = 0; k < length; k++) to[at + k] = from[start + k]!;
    }
  } else if (length === lengthOf(from)) {
    copyInto(to, from, at);
  } else {
    const part = partsOf(from);
    for (let row = 0; row < count; row++) copyInto(to, part(start + row * stride, length), at + row * step);
  }
}

function copyRun(from: Data, start: number, to: Data, at: number, length: number): void {
  copyRows(from, start, 0, to, at, 0, length, 1);
}

function isContiguous({ channels, inner }: Extent, { extent }: Box): boolean {
  return extent.outer === 1 || (extent.channels === channels && extent.inner === inner);
}

/** A tile of `data` to the memory, from `address` (in values) on. */
export function copyIn(heap: Data, address: number, data: Data, extent: Extent, box: Box): void {
  const { channels, inner } = extent;
  const start = (box.o * channels + box.c) * inner + box.i;
  const run = box.extent.channels * box.extent.inner;
  if (isContiguous(extent, box)) copyRun(data, start, heap, address, box.extent.outer * run);
  else copyRows(data, start, channels * inner, heap, address, run, run, box.extent.outer);
}

/** The memory from `address` on to the tile's place in `data`. */
export function copyOut(heap: Data, address: number, data: Data, extent: Extent, box: Box): void {
  const { channels, inner } = extent;
  const start = (box.o * channels + box.c) * inner + box.i;
  const run = box.extent.channels * box.extent.inner;
  if (isContiguous(extent, box)) copyRun(heap, address, data, start, box.extent.outer * run);
  else copyRows(heap, address, run, data, start, channels * inner, run, box.extent.outer);
}

/** A range of fields, by their place in FIELDS. */
export type Span = readonly [begin: number, end: number];

/** Rows of the control block: in the caller's `ownStride` apart, in the memory side by side. */
interface Rows {
  readonly own: number;
  readonly ownStride: number;
  readonly staged: number;
  readonly length: number;
  readonly count: number;
}

/** The tile's channels of these fields. Where those are all channels, the fields are one row. */
export function fieldRows({ channels }: Extent, { c, extent }: Box, [begin, end]: Span): Rows {
  const whole = extent.channels === channels;
  return {
    own: HEADER + begin * channels + c,
    ownStride: channels,
    staged: HEADER + begin * extent.channels,
    length: whole ? (end - begin) * channels : extent.channels,
    count: whole ? 1 : end - begin,
  };
}

/** The tile's channels of these fields from one control block to another of the same extent. */
export function copyFields(from: Float64Array, to: Float64Array, extent: Extent, box: Box, fields: Span): void {
  const { own, ownStride, length, count } = fieldRows(extent, box, fields);
  copyRows(from, own, ownStride, to, own, ownStride, length, count);
}
