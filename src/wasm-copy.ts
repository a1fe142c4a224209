// Copies a tile's values between an array and the WASM memory, where a tile is contiguous.
import type { Extent } from "./control.js";
import type { Data } from "./types.js";
import { SHORT_RUN, type Box } from "./wasm-tiles.js";

/** A view costs as much as copying some dozens of values one by one. */
function copyRun(from: Data, start: number, to: Data, at: number, count: number): void {
  if (count === from.length) to.set(from, at);
  else if (count >= SHORT_RUN) to.set(from.subarray(start, start + count), at);
  else for (let k = 0; k < count; k++) to[at + k] = from[start + k]!;
}

/** Visits the runs of a tile: start in the tensor, start in the tile, length. */
function eachRun(
  { channels, inner }: Extent, { o, c, i, extent: tile }: Box, visit: (start: number, at: number, count: number) => void,
): void {
  const start = (o * channels + c) * inner + i;
  const run = tile.channels * tile.inner;
  const contiguous = tile.outer === 1 || (tile.channels === channels && tile.inner === inner);
  if (contiguous) return visit(start, 0, tile.outer * run);
  for (let k = 0; k < tile.outer; k++) visit(start + k * channels * inner, k * run, run);
}

/** A tile of `data` to the memory, from `address` (in values) on. */
export function copyIn(heap: Data, address: number, data: Data, extent: Extent, box: Box): void {
  eachRun(extent, box, (start, at, count) => copyRun(data, start, heap, address + at, count));
}

/** The memory from `address` on to its place in `data`. */
export function copyOut(heap: Data, address: number, data: Data, extent: Extent, box: Box): void {
  eachRun(extent, box, (start, at, count) => copyRun(heap, address + at, data, start, count));
}
