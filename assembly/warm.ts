// Neighbouring channels of the planes walk with short runs are brought to the cache together, in memory order. Channel by
// channel their runs are read and written a few lines at a time, each in a page of its own, which no hardware prefetcher
// follows, and WASM has no prefetch.
import { header } from "./control";

const TILE_BYTES: usize = 1 << 18; // half of what a core's own cache holds
const LONG_RUN: usize = 4096; // bytes: prefetchers follow these well enough

const sink = memory.data(8, 8); // where the loads' results go, so that they are made

/** Reads a value of every line of `bytes` bytes in each run; nothing where p is 0. */
function touch(p: usize, runs: usize, stride: usize, bytes: usize): void {
  if (!p) return;
  let sum: u32 = 0;
  for (; runs; runs--, p += stride) {
    for (let line = p, end = p + bytes; line < end; line += 64) sum += load<u32>(line);
  }
  store<u32>(sink, sum);
}

/** Before channel after channel: every so often brings the next ones of up to three tensors; 0 stands for none. */
export function warm(channel: usize, a: usize, b: usize, c: usize): void {
  const outer = header.outer, all = header.channels;
  const run = header.inner * header.size;
  const tile = max<usize>(1, TILE_BYTES / max<usize>(1, (c ? 3 : 2) * run * outer));
  if (run >= LONG_RUN || tile >= all || channel % tile) return;
  const at = channel * run, bytes = min(tile, all - channel) * run, stride = all * run;
  touch(a + at, outer, stride, bytes);
  touch(b + at, outer, stride, bytes);
  touch(c ? c + at : 0, outer, stride, bytes);
}
