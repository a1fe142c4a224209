// S = Σg and U = Σg·(x − center) per channel: blocks, groups, total (contract, clause 4).
import { Mask, expandColumns, expandTile, maskOf } from "../elements/affine";
import { blockGradSums, sumTile } from "./blockGradSums";
import { Block, firstBlock, nextBlock, nextChannel, opensGroup, panelColumns } from "./blocks";
import { Field, Part, Slot, State, Walk, fieldOf, hasPart, header, setSlot, stateOf } from "./control";
import { sumPanel } from "../rows/gradSums";
import { tileChannels } from "../elements/spans";

/** The group before this block goes into the total; the group restarts at 0. */
function closeGroups(b: Block, state: usize): void {
  const array = header.columns << 3;
  for (let total = state, end = state + (b.columns << 3); total < end; total += 8) {
    const group = total + 2 * array;
    store<f64>(total, load<f64>(total) + load<f64>(group));
    store<f64>(total + array, load<f64>(total + array) + load<f64>(group + array));
    store<f64>(group, 0);
    store<f64>(group + array, 0);
  }
}

/** The block; where it opens a panel or a tile of `channels` channels, the sums of that first. */
function nextGradSums<T>(b: Block, channels: usize, mask: Mask, x: usize, dy: usize, aux: usize, group: usize): void {
  const panel = panelColumns(b);
  if (panel) sumPanel<T>(b, panel, mask, x, dy, aux);
  else if (header.walk == Walk.planes && b.column == b.channel) sumTile<T>(b, channels, mask, x, dy, aux);
  blockGradSums<T>(b, mask, x, dy, aux, group);
}

/** All blocks of a walk; in the planes walk of a tile, whose channels take turns. */
function columnGradSums(x: usize, dy: usize, aux: usize, channel: usize, channels: usize): Block {
  const b = firstBlock(channel);
  const mask = maskOf(aux);
  const states = stateOf(State.total);
  for (; b.columns; nextBlock(b)) {
    for (let left = channels; ; nextChannel(b)) {
      const state = states + (b.column << 3), group = state + (header.columns << 4);
      if (opensGroup(b)) closeGroups(b, state);
      const at = b.offset;
      if (header.size == 4) nextGradSums<f32>(b, channels, mask, x + at, dy + at, aux + at, group);
      else nextGradSums<f64>(b, channels, mask, x + at, dy + at, aux + at, group);
      if (--left == 0) break;
    }
  }
  return b;
}

/** The columns of a channel add in their order. */
function channelGradSums(channel: usize): void {
  const array = header.columns << 3, perChannel = header.columnsPerChannel;
  let total = stateOf(State.total) + ((channel * perChannel) << 3);
  let S: f64 = 0, U: f64 = 0;
  for (let i: usize = 0; i < perChannel; i++, total += 8) {
    const group = total + 2 * array;
    S += load<f64>(total) + load<f64>(group);
    U += load<f64>(total + array) + load<f64>(group + array);
  }
  store<f64>(fieldOf(Field.sumG) + (channel << 3), S);
  store<f64>(fieldOf(Field.sumGX) + (channel << 3), U);
}

/** A first part starts from sums of 0. */
export function clearSums(): void {
  if (!hasPart(Part.first)) return;
  const states = stateOf(State.total);
  memory.fill(states, 0, stateOf(State.count) - states);
}

/** A tile of the planes walk; the last one leaves the counter. */
export function planesGradSums(
  x: usize, dy: usize, aux: usize, channel: usize, channels: usize,
): void {
  expandTile(channel, channels, false);
  const b = columnGradSums(x, dy, aux, channel, channels);
  if (hasPart(Part.last)) for (let c = channel; c < channel + channels; c++) channelGradSums(c);
  if (channel + channels == header.channels) setSlot(Slot.block, <f64>b.number);
}

export function gradSums(x: usize, dy: usize, aux: usize): void {
  const channels = header.channels, walk = header.walk;
  clearSums();
  if (walk == Walk.planes) {
    for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
      tile = tileChannels(c);
      planesGradSums(x, dy, aux, c, tile);
    }
    return;
  }
  expandColumns(walk == Walk.rows ? 1 : 16, false);
  const b = columnGradSums(x, dy, aux, 0, 1);
  if (hasPart(Part.last)) for (let c: usize = 0; c < channels; c++) channelGradSums(c);
  setSlot(Slot.block, <f64>b.number);
}
