// Clause 2 in the planes traversal: the sums of a block for a tile of channels.
import { Block } from "../common/blocks";
import { header } from "../common/control";
import { LANES } from "../common/layout";
import { firstSlot, fold, panelSlot, scratchArray } from "../common/scratch";
import { addRun } from "../common/shiftedSums";
import { Scratch, sampleMeans, sampleOffsets, samplesOf } from "../common/shifts";
import { clear, readPair, roundPair, spread, stripWidth } from "../common/vec";

/** The first shifts of a tile's channels, in every slot. */
function spreadShifts(b: Block, channels: usize, x: usize, group: usize, first: bool): void {
  const samples = samplesOf(b), size = header.size, slots = LANES * size, run = header.inner * size;
  if (first) sampleOffsets(b, samples);
  for (let k = panelSlot(Scratch.shifts, 0); channels; channels--, k += slots, x += run, group += 8) {
    const shift = first ? sampleMeans(b, x, 0, 0, samples) : roundPair(v128.load(group), size);
    spread(k, f64x2.extract_lane(shift, 0), slots, size);
  }
}

/** Σd and Σd² of a block of `channels` channels, in memory order, left in their slots at s and q. */
function addChannels<T>(b: Block, channels: usize, x: usize, k: usize, toS: usize, toQ: usize): void {
  const slots = LANES * sizeof<T>(), run = header.inner * sizeof<T>(), bytes = b.rows * slots, tail = <i32>b.tail;
  const stop = k + channels * slots;
  for (let left = b.runs; left; left--, x += b.runStride) {
    for (let p = x, c = k; c < stop; c += slots, p += run) {
      addRun<T>(p, bytes, slots, min(tail, <i32>stripWidth<T>()), c, c + toS, c + toQ);
      if (sizeof<T>() == 4) continue;
      const second = c + 64;
      addRun<T>(p + 64, bytes, slots, tail - <i32>stripWidth<T>(), second, second + toS, second + toQ);
    }
  }
}

/** The sums of a block of `channels` channels around their first shifts, left in their slots. */
export function sumTile(b: Block, channels: usize, x: usize, group: usize, first: bool): void {
  const k = panelSlot(Scratch.shifts, 0), s = panelSlot(Scratch.s, 0), q = panelSlot(Scratch.q, 0);
  spreadShifts(b, channels, x, group, first);
  clear(s, channels * LANES * header.size);
  clear(q, channels * LANES * header.size);
  if (header.size == 4) addChannels<f32>(b, channels, x, k, s - k, q - k);
  else addChannels<f64>(b, channels, x, k, s - k, q - k);
}

/** The shift and the sums of the block's channel, of those that its tile left. */
export function takeTile(b: Block): void {
  const slot = firstSlot(b), size = header.size, shift = readPair(panelSlot(Scratch.shifts, slot), size);
  v128.store(scratchArray(Scratch.columns), shift);
  fold(b, panelSlot(Scratch.s, slot), scratchArray(Scratch.sumS), size);
  fold(b, panelSlot(Scratch.q, slot), scratchArray(Scratch.sumQ), size);
}
