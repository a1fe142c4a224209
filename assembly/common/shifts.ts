// The shifts that a block's values are summed around (contract, clauses 2 and 6).
import { Block } from "./blocks";
import { header, stateStride } from "./control";
import { LANES, Traversal } from "./layout";
import { scratchArray } from "./scratch";
import { finite, readPair, roundPair, whereWeighted } from "./vec";
import { weightStride } from "./weights";

/**
 * Scratch arrays of moments. `columns` holds the shifts of up to 16 columns, then their means, their m2 and, with
 * weights, their counts, each RESULT_STEP bytes from the last.
 */
export const enum Scratch { columns, shifts, s, q, sumS, sumQ }

export const RESULT_STEP: usize = 16 << 3;

/** The means of the block's columns; RESULT_STEP behind them their m2, and twice that their counts. */
@inline
export function blockResults(): usize {
  return scratchArray(Scratch.columns) + RESULT_STEP;
}

/** How many values stand for a column. */
export function samplesOf(b: Block): usize {
  let samples: usize = 16;
  while (samples > <usize>b.count) samples >>= 1;
  return samples;
}

/**
 * Writes the byte offsets, 8 bytes apart, of `samples` values spread evenly over a column. They are a power of two.
 */
export function sampleOffsets(b: Block, samples: usize): void {
  const count = <usize>b.count, shift = ctz(samples), planes = header.traversal == Traversal.planes;
  const length = planes ? b.rows * LANES + b.tail : 1;
  const stride = planes ? b.runStride : header.traversal == Traversal.rows ? b.stride : b.columns * header.size;
  let run: usize = 0, start: usize = 0, to = scratchArray(Scratch.sumQ);
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

@inline
function weightAt(w: usize, column: usize): f64 {
  const p = w + (column % header.columnsPerChannel) * header.size;
  return header.size == 4 ? <f64>load<f32>(p) : load<f64>(p);
}

/** Takes the samples without weight out of those at t, of two columns from `column` on. Returns how many are left. */
function keepWeighted(b: Block, w: usize, column: usize, samples: usize, t: usize): v128 {
  const count = <usize>b.count, stride = weightStride();
  let kept = f64x2.splat(0);
  for (let j: usize = 0; j < samples; j++, t += 16) {
    const at = w + j * count / samples * stride;
    const weights = f64x2.replace_lane(f64x2.splat(weightAt(at, column)), 1, weightAt(at, column + 1));
    v128.store(t, whereWeighted<f64>(v128.load(t), weights));
    kept = f64x2.add(kept, whereWeighted<f64>(f64x2.splat(1), weights));
  }
  return kept;
}

/**
 * The means of those values of two columns that sampleOffsets left, added pairwise like lanes; the block's first
 * values where that is not finite. With weights, of those values that have one; 0 where that is not finite.
 */
export function sampleMeans(b: Block, x: usize, w: usize, column: usize, samples: usize): v128 {
  const size = header.size, t = scratchArray(Scratch.sumS), offsets = scratchArray(Scratch.sumQ);
  for (let j: usize = 0; j < samples; j++) {
    v128.store(t + (j << 4), readPair(x + load<usize>(offsets + (j << 3)), size));
  }
  const kept = w ? keepWeighted(b, w, column, samples, t) : f64x2.splat(<f64>samples);
  for (let width = samples << 3; width >= 16; width >>= 1) {
    for (let p = t, half = t + width; p < half; p += 16) {
      v128.store(p, f64x2.add(v128.load(p), v128.load(p + width)));
    }
  }
  const mean = roundPair(f64x2.div(v128.load(t), kept), size);
  return v128.bitselect(mean, w ? f64x2.splat(0) : readPair(x, size), finite(mean));
}

/** All bits in the columns, two, whose group has no weight yet. */
@inline
export function opens(group: usize): v128 {
  return f64x2.eq(v128.load(group + 2 * stateStride()), f64x2.splat(0));
}

/**
 * The shifts k of the block's columns: the means of samples in the first block of a group, else T(mean of the group so
 * far). With weights, samples count as long as the group has no weight.
 */
export function firstShifts(b: Block, x: usize, w: usize, group: usize, first: bool): void {
  const samples = samplesOf(b), size = header.size;
  let shift = scratchArray(Scratch.columns), sampled = false;
  for (let j: usize = 0; j < b.columns; j += 2, shift += 16, group += 16, x += 2 * size) {
    const fresh = w ? opens(group) : i64x2.splat(first ? -1 : 0);
    let k = roundPair(v128.load(group), size);
    if (v128.any_true(fresh)) {
      if (!sampled) sampleOffsets(b, samples);
      sampled = true;
      k = v128.bitselect(sampleMeans(b, x, w, b.column + j, samples), k, fresh);
    }
    v128.store(shift, k);
  }
}
