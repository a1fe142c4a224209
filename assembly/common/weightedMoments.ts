// mean[c], m2[c] and Σw of values with weights: blocks, groups, total (contract, clause 6).
import { TO_M2, blockMeans } from "./blockMoments";
import { Block, firstBlock, nextBlock, nextChannel, opensGroup, panelColumns } from "./blocks";
import { Field, Part, Slot, State, Walk, fieldOf, hasPart, header, setSlot, stateOf } from "./control";
import { clearSums } from "./gradSums";
import { tileChannels } from "../elements/spans";
import { storePartial } from "./vec";
import { TO_COUNT, weightedBlockMoments } from "./weightedBlock";
import { sumWeightedPanel } from "../rows/weightedMoments";
import { weighBlock, weightOffset } from "./weights";

/** b, or where that has no weight, a; where a has none, b. */
@inline
function choose(merged: v128, a: v128, b: v128, noA: v128, noB: v128): v128 {
  return v128.bitselect(a, v128.bitselect(b, merged, noA), noB);
}

/** Moments of `columns` columns, kept at the pointers, followed by others: as `merge`, each column with its counts. */
function mergeWeighted(
  mean: usize, m2: usize, count: usize, meanB: usize, m2B: usize, countB: usize, columns: usize,
): void {
  const zero = f64x2.splat(0);
  for (let at: usize = 0, end = columns << 3; at < end; at += 16) {
    const na = v128.load(count + at), nb = v128.load(countB + at), n = f64x2.add(na, nb);
    const noA = f64x2.eq(na, zero), noB = f64x2.eq(nb, zero), f = f64x2.div(nb, n);
    const ma = v128.load(mean + at), mb = v128.load(meanB + at), qa = v128.load(m2 + at), qb = v128.load(m2B + at);
    const delta = f64x2.sub(mb, ma);
    const newMean = choose(f64x2.add(ma, f64x2.mul(delta, f)), ma, mb, noA, noB);
    const spread = f64x2.mul(f64x2.mul(delta, delta), f64x2.mul(na, f));
    const newM2 = choose(f64x2.add(f64x2.add(qa, qb), spread), qa, qb, noA, noB);
    if (at + 16 <= end) {
      v128.store(mean + at, newMean);
      v128.store(m2 + at, newM2);
      v128.store(count + at, n);
    } else {
      storePartial<f64>(mean + at, newMean, 1);
      storePartial<f64>(m2 + at, newM2, 1);
      storePartial<f64>(count + at, n, 1);
    }
  }
}

/** The open groups of `columns` columns into their totals, which begin here. */
function closeGroups(total: usize, columns: usize): void {
  const array = header.columns << 3, group = total + 2 * array;
  mergeWeighted(total, total + array, total + 4 * array, group, group + array, group + TO_COUNT * array, columns);
}

/** The block; where it opens a panel, the sums of that first. */
function nextMoments(b: Block, x: usize, w: usize, group: usize): usize {
  const panel = panelColumns(b);
  if (panel) sumWeightedPanel(b, panel, x, w, group);
  return weightedBlockMoments(b, x, w, group);
}

/** All blocks of a walk; in the planes walk of a tile, whose channels take turns. */
function columnMoments(x: usize, w: usize, channel: usize, channels: usize): Block {
  const b = firstBlock(channel), begin = b.number;
  const states = stateOf(State.total), array = header.columns << 3, means = blockMeans();
  for (; b.columns; nextBlock(b)) {
    const at = w + weightOffset(b);
    for (let left = channels; ; nextChannel(b)) {
      const total = states + (b.column << 3), group = total + 2 * array, count = group + TO_COUNT * array;
      // In the rows walk the first columns of a panel need all its groups closed.
      const closing = opensGroup(b) ? max(b.columns, panelColumns(b)) : 0;
      if (closing && (header.walk != Walk.rows || panelColumns(b))) {
        closeGroups(total, closing);
        memory.fill(count, 0, closing << 3);
      }
      weighBlock(b, at, b.number - begin);
      const own = nextMoments(b, x + b.offset, at, group);
      mergeWeighted(group, group + array, count, means, means + TO_M2, own, b.columns);
      if (--left == 0) break;
    }
  }
  return b;
}

/** `channels` channels from this one on: the columns of each merge in their order. Σw is the same for all. */
function channelMoments(channel: usize, channels: usize): void {
  const array = header.columns << 3, perChannel = header.columnsPerChannel;
  const count = header.control + (Slot.count << 3);
  let total = stateOf(State.total) + ((channel * perChannel) << 3);
  closeGroups(total, channels * perChannel);
  let mean = fieldOf(Field.mean) + (channel << 3), m2 = fieldOf(Field.m2) + (channel << 3);
  for (let c: usize = 0; c < channels; c++, mean += 8, m2 += 8) {
    store<f64>(mean, 0);
    store<f64>(m2, 0);
    store<f64>(count, 0);
    for (let i: usize = 0; i < perChannel; i++, total += 8) {
      mergeWeighted(mean, m2, count, total, total + array, total + 4 * array, 1);
    }
  }
}

/** A tile of the planes walk; the last one leaves the counter. */
export function planesWeightedMoments(x: usize, w: usize, channel: usize, channels: usize): void {
  const b = columnMoments(x, w, channel, channels);
  if (hasPart(Part.last)) channelMoments(channel, channels);
  if (channel + channels == header.channels) setSlot(Slot.block, <f64>b.number);
}

export function weightedMoments(x: usize, w: usize): void {
  const channels = header.channels;
  clearSums();
  if (header.walk == Walk.planes) {
    for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
      tile = tileChannels(c);
      planesWeightedMoments(x, w, c, tile);
    }
    return;
  }
  const b = columnMoments(x, w, 0, 1);
  if (hasPart(Part.last)) channelMoments(0, channels);
  setSlot(Slot.block, <f64>b.number);
}
