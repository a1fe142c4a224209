// mean[c] and m2[c]: blocks, groups, total (contract, clause 3).
import { blockM2, blockMean, blockMoments } from "./blockMoments";
import { Block, firstBlock, nextBlock, opensGroup, saveCounters } from "./blocks";
import { merge } from "./coefficients";
import {
  Field, Part, Slot, State, Walk, columnsPerChannel, fieldOf, hasPart, sizeOf, stateOf,
} from "./control";

/** The block into its group, the group before it into the total. */
function mergeBlock(b: Block, state: usize, first: bool): void {
  const array = b.allColumns << 3;
  for (let column: usize = 0; column < b.columns; column++) {
    const total = state + (column << 3), group = total + 2 * array;
    if (first) {
      merge(total, total + array, b.totalCount, b.groupCount, load<f64>(group), load<f64>(group + array));
    }
    const groupCount: f64 = first ? 0 : b.groupCount;
    merge(group, group + array, groupCount, b.count, blockMean(b, column), blockM2(b, column));
  }
}

/** All blocks of a walk; in the planes walk of one channel. */
function columnMoments<T>(control: usize, x: usize, channel: usize): Block {
  const b = firstBlock<T>(control, channel);
  const states = stateOf(control, State.total);
  for (; b.columns; nextBlock<T>(b)) {
    const state = states + (b.column << 3), group = state + (b.allColumns << 4);
    const first = opensGroup(b);
    blockMoments<T>(b, x + b.offset, group, first);
    mergeBlock(b, state, first);
  }
  return b;
}

/** The columns of a channel merge in their order. */
function channelMoments(control: usize, b: Block, channel: usize): void {
  const array = b.allColumns << 3, perChannel = columnsPerChannel(control);
  const mean = fieldOf(control, Field.mean) + (channel << 3), m2 = fieldOf(control, Field.m2) + (channel << 3);
  const columnCount = b.totalCount + b.groupCount;
  let total = stateOf(control, State.total) + ((channel * perChannel) << 3);
  let count: f64 = 0;
  store<f64>(mean, 0);
  store<f64>(m2, 0);
  for (let i: usize = 0; i < perChannel; i++, total += 8, count += columnCount) {
    const group = total + 2 * array;
    merge(total, total + array, b.totalCount, b.groupCount, load<f64>(group), load<f64>(group + array));
    merge(mean, m2, count, columnCount, load<f64>(total), load<f64>(total + array));
  }
}

/** One channel of the planes walk. */
export function planesMoments<T>(control: usize, x: usize, channel: usize): Block {
  const b = columnMoments<T>(control, x, channel);
  if (hasPart(control, Part.last)) channelMoments(control, b, channel);
  return b;
}

export function moments<T>(control: usize, x: usize): void {
  const channels = sizeOf(control, Slot.channels);
  if (sizeOf(control, Slot.walk) == Walk.planes) {
    for (let c: usize = 0; c < channels; c++) {
      const b = planesMoments<T>(control, x, c);
      if (c == channels - 1) saveCounters(control, b);
    }
    return;
  }
  const b = columnMoments<T>(control, x, 0);
  if (hasPart(control, Part.last)) for (let c: usize = 0; c < channels; c++) channelMoments(control, b, c);
  saveCounters(control, b);
}
