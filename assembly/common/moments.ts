// mean[c] and m2[c]: blocks, groups, total (contract, clause 3).
import { TO_M2, blockMeans, blockMoments } from "./blockMoments";
import { Block, firstBlock, nextBlock, nextChannel, opensGroup, panelColumns, saveCounters } from "./blocks";
import { merge } from "./coefficients";
import { Field, Part, State, Walk, fieldOf, hasPart, header, stateOf } from "./control";
import { sumTile } from "../planes/moments";
import { sumPanel } from "../rows/moments";
import { tileChannels } from "../elements/spans";

/** The block into its group, the group before it into the total. */
function mergeBlock(b: Block, total: usize, first: bool): void {
  const array = header.columns << 3, group = total + 2 * array, means = blockMeans();
  if (first) merge(total, total + array, b.totalCount, b.groupCount, group, group + array, b.columns);
  merge(group, group + array, first ? 0 : b.groupCount, b.count, means, means + TO_M2, b.columns);
}

/** The block; where it opens a panel or a tile of `channels` channels, the sums of that first. */
function nextMoments<T>(b: Block, channels: usize, x: usize, group: usize, first: bool): void {
  const panel = panelColumns(b);
  if (panel) sumPanel<T>(b, panel, x, group, first);
  else if (header.walk == Walk.planes && b.column == b.channel) sumTile<T>(b, channels, x, group, first);
  blockMoments<T>(b, x, group, first);
}

/** All blocks of a walk; in the planes walk of a tile, whose channels take turns. */
function columnMoments(x: usize, channel: usize, channels: usize): Block {
  const b = firstBlock(channel);
  const states = stateOf(State.total);
  for (; b.columns; nextBlock(b)) {
    const first = opensGroup(b);
    for (let left = channels; ; nextChannel(b)) {
      const total = states + (b.column << 3), group = total + (header.columns << 4);
      if (header.size == 4) nextMoments<f32>(b, channels, x + b.offset, group, first);
      else nextMoments<f64>(b, channels, x + b.offset, group, first);
      mergeBlock(b, total, first);
      if (--left == 0) break;
    }
  }
  return b;
}

/** `channels` channels from this one on: the columns of each merge in their order. */
function channelMoments(b: Block, channel: usize, channels: usize): void {
  const array = header.columns << 3, perChannel = header.columnsPerChannel;
  let mean = fieldOf(Field.mean) + (channel << 3), m2 = fieldOf(Field.m2) + (channel << 3);
  const columnCount = b.totalCount + b.groupCount;
  let total = stateOf(State.total) + ((channel * perChannel) << 3);
  const group = total + 2 * array;
  merge(total, total + array, b.totalCount, b.groupCount, group, group + array, channels * perChannel);
  if (columnCount == 0) {
    memory.fill(mean, 0, channels << 3);
    memory.fill(m2, 0, channels << 3);
  }
  if (perChannel == 1) return merge(mean, m2, 0, columnCount, total, total + array, channels);
  for (let c: usize = 0; c < channels; c++, mean += 8, m2 += 8) {
    let count: f64 = 0;
    for (let i: usize = 0; i < perChannel; i++, total += 8, count += columnCount) {
      merge(mean, m2, count, columnCount, total, total + array, 1);
    }
  }
}

/** A tile of the planes walk; the last one leaves the counters. */
export function planesMoments(x: usize, channel: usize, channels: usize): void {
  const b = columnMoments(x, channel, channels);
  if (hasPart(Part.last)) channelMoments(b, channel, channels);
  if (channel + channels == header.channels) saveCounters(b);
}

export function moments(x: usize): void {
  const channels = header.channels;
  if (header.walk == Walk.planes) {
    for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
      tile = tileChannels(c);
      planesMoments(x, c, tile);
    }
    return;
  }
  const b = columnMoments(x, 0, 1);
  if (hasPart(Part.last)) channelMoments(b, 0, channels);
  saveCounters(b);
}
