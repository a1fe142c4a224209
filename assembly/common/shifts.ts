// The shifts that a block's values are summed around (contract, clause 2).
import { Block, LANES } from "./blocks";
import { Walk, header } from "./control";
import { scratchArray } from "./scratch";
import { finite, readPair, roundPair } from "./vec";

/** Scratch arrays of moments; `columns` holds the shifts of up to 16 columns, then their means, then their m2. */
export const enum Scratch { columns, shifts, s, q, sumS, sumQ }

/** How many values stand for a column. */
export function samplesOf(b: Block): usize {
  let samples: usize = 16;
  while (samples > <usize>b.count) samples >>= 1;
  return samples;
}

/** Byte offsets, as usize 8 bytes apart, of `samples` values spread evenly over a column, a power of two of them. */
export function sampleOffsets(b: Block, samples: usize, to: usize): void {
  const count = <usize>b.count, shift = ctz(samples), planes = header.walk == Walk.planes;
  const length = planes ? b.rows * LANES + b.tail : 1;
  const stride = planes ? b.runStride : header.walk == Walk.rows ? b.stride : b.columns * header.size;
  let run: usize = 0, start: usize = 0;
  for (let j: usize = 0; j < samples; j++, to += 8) {
    const index = (j * count) >> shift;
    if (!planes) {
      store<usize>(to, index * stride);
      continue;
    }
    for (; index - start >= length; start += length) run += stride; // at most 128 runs: quicker than to divide
    store<usize>(to, run + (index - start) * header.size);
  }
}

/** Adds a power of two of pairs of float64 pairwise, as lanes are. */
export function addPairs(t: usize, samples: usize): void {
  for (let width = samples << 3; width >= 16; width >>= 1) {
    for (let p = t, half = t + width; p < half; p += 16) {
      v128.store(p, f64x2.add(v128.load(p), v128.load(p + width)));
    }
  }
}

/**
 * The means of those values of two columns that sampleOffsets left, added pairwise like lanes; the block's first values
 * where that is not finite.
 */
function sampleMeans(x: usize, samples: usize): v128 {
  const size = header.size, t = scratchArray(Scratch.sumS), offsets = scratchArray(Scratch.sumQ);
  for (let j: usize = 0; j < samples; j++) {
    v128.store(t + (j << 4), readPair(x + load<usize>(offsets + (j << 3)), size));
  }
  addPairs(t, samples);
  const mean = roundPair(f64x2.div(v128.load(t), f64x2.splat(<f64>samples)), size);
  return v128.bitselect(mean, readPair(x, size), finite(mean));
}

/** k of two columns: the mean of a sample in the first block of a group, else T(mean of the group so far). */
@inline
export function shiftOf(x: usize, group: usize, samples: usize, first: bool): v128 {
  return first ? sampleMeans(x, samples) : roundPair(v128.load(group), header.size);
}

/** Those of all columns of a block. */
export function firstShifts(b: Block, x: usize, group: usize, first: bool): void {
  const samples = first ? samplesOf(b) : 0;
  if (first) sampleOffsets(b, samples, scratchArray(Scratch.sumQ));
  let shift = scratchArray(Scratch.columns);
  for (let end = shift + (b.columns << 3); shift < end; shift += 16, group += 16, x += 2 * header.size) {
    v128.store(shift, shiftOf(x, group, samples, first));
  }
}
