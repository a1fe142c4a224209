// The order in which kernels that sum go through blocks, groups and channels (contract, clauses 3 and 4); a call may
// hold only some of a channel's blocks.
import { expandCoefficients } from "../elements/expand";
import { firstBlock, nextBlock, nextChannel, opensGroup, opensPanel, panelColumns, saveCounters } from "./blocks";
import { TO_GROUP, hasPart, header, stateStride, states } from "./control";
import { addGradSums, channelGradSums, closeSums } from "./gradSums";
import { Part, STATES, Traversal } from "./layout";
import { addMoments, channelMoments, closeMoments } from "./moments";

/** Which sums a kernel makes. */
export const enum Sums { none, moments, gradients }

/** Sums start from 0. Moments without weights need no start: their first counts are 0. */
export function beginSums(sums: Sums): void {
  if (sums != Sums.none && hasPart(Part.first) && (sums == Sums.gradients || header.w)) {
    memory.fill(states(), 0, STATES * stateStride());
  }
}

/** All blocks of `channels` channels: a tile, whose channels take turns, or in the rows traversals all of them. */
export function sumChannels(sums: Sums, channel: usize, channels: usize): void {
  const planes = header.traversal == Traversal.planes, rows = header.traversal == Traversal.rows;
  const turns = planes ? channels : 1, b = firstBlock(channel);
  if (sums == Sums.gradients) expandCoefficients(channel, channels, b.lanes, false);
  for (; b.columns; nextBlock(b)) {
    const first = opensGroup(b);
    for (let left = turns; ; nextChannel(b)) {
      const total = states() + (b.column << 3), group = total + TO_GROUP * stateStride();
      // The first columns of a panel need all its groups closed.
      const closing: usize = !first ? 0 : !rows ? b.columns : opensPanel(b) ? panelColumns(b) : 0;
      if (sums == Sums.moments) {
        if (closing) closeMoments(b, total, closing);
        addMoments(b, channels, group, first);
      } else {
        if (closing) closeSums(total, closing);
        addGradSums(b, channels, group);
      }
      if (--left == 0) break;
    }
  }
  if (hasPart(Part.last)) {
    if (sums == Sums.moments) channelMoments(b, channel, channels);
    else channelGradSums(channel, channels);
  } else if (header.blockEnd == usize.MAX_VALUE && channel + channels == header.channels) {
    // The last tile leaves the counters: the others start from the same ones.
    saveCounters(b);
  }
}
