// Clause 2 in the planes walk: the sums of a block for a tile of channels.
import { addRun } from "../common/blockMoments";
import { Block, LANES } from "../common/blocks";
import { header } from "../common/control";
import { firstSlot, fold, panelSlot, scratchArray } from "../common/scratch";
import { Scratch, shiftOf, sampleOffsets, samplesOf } from "../common/shifts";
import { clear, stripWidth } from "../common/vec";

/** The first shifts of a tile's channels, in every slot. */
function spreadShifts<T>(b: Block, channels: usize, x: usize, group: usize, first: bool): void {
  const samples = first ? samplesOf(b) : 0, slots = LANES * sizeof<T>();
  if (first) sampleOffsets(b, samples, scratchArray(Scratch.sumQ));
  let k = panelSlot(Scratch.shifts, 0);
  for (const end = k + channels * slots; k < end; x += header.inner * sizeof<T>(), group += 8) {
    const value = v128.splat<T>(<T>f64x2.extract_lane(shiftOf(x, group, samples, first), 0));
    for (const stop = k + slots; k < stop; k += 16) v128.store(k, value);
  }
}

/** Σd and Σd² of a block of `channels` channels around their first shifts, left in their slots: in memory order. */
export function sumTile<T>(b: Block, channels: usize, x: usize, group: usize, first: bool): void {
  const slots = LANES * sizeof<T>(), run = header.inner * sizeof<T>(), all = channels * slots;
  const k = panelSlot(Scratch.shifts, 0), toS = panelSlot(Scratch.s, 0) - k, toQ = panelSlot(Scratch.q, 0) - k;
  spreadShifts<T>(b, channels, x, group, first);
  clear(k + toS, all);
  clear(k + toQ, all);
  const bytes = b.rows * slots, tail = <i32>b.tail;
  for (let left = b.runs; left; left--, x += b.runStride) {
    for (let p = x, c = k, end = k + all; c < end; c += slots, p += run) {
      addRun<T, T>(p, bytes, slots, min(tail, <i32>stripWidth<T>()), c, c + toS, c + toQ);
      if (sizeof<T>() == 4) continue;
      const second = c + 64;
      addRun<T, T>(p + 64, bytes, slots, tail - <i32>stripWidth<T>(), second, second + toS, second + toQ);
    }
  }
}

/** The shift and the sums of the block's channel, of those that its tile left. */
export function takeChannel<T>(b: Block): void {
  const slot = firstSlot(b);
  v128.store(scratchArray(Scratch.columns), f64x2.splat(<f64>load<T>(panelSlot(Scratch.shifts, slot))));
  fold<T>(b, panelSlot(Scratch.s, slot), scratchArray(Scratch.sumS));
  fold<T>(b, panelSlot(Scratch.q, slot), scratchArray(Scratch.sumQ));
}
