// mean[c] and m2[c], and with weights their sum: blocks, groups, total (contract, clauses 3 and 6).
import { sumTile } from "../planes/moments";
import { sumPanel } from "../rows/moments";
import { blockMoments } from "./blockMoments";
import { Block, opensPanel, panelColumns } from "./blocks";
import { TO_GROUP, fieldOf, header, setSlot, stateStride, states } from "./control";
import { Field, Slot, Traversal } from "./layout";
import { merge, mergeWeighted } from "./merge";
import { RESULT_STEP, blockResults } from "./shifts";
import { weighBlock } from "./weightSums";
import { weightOffset } from "./weights";

/** Merges the open groups of `columns` columns into their totals, which begin here. */
export function closeMoments(b: Block, total: usize, columns: usize): void {
  const array = stateStride(), group = total + TO_GROUP * array;
  if (!header.w) return merge(total, array, b.totalCount, group, array, b.groupCount, columns);
  mergeWeighted(total, array, group, array, columns);
  memory.fill(group + 2 * array, 0, columns << 3);
}

/**
 * Merges the block into its groups. Where it opens a panel or a tile of `channels` channels, those are summed first.
 * `first`: it is the first of its group.
 */
export function addMoments(b: Block, channels: usize, group: usize, first: bool): void {
  const x = header.x + b.offset, w = header.w ? header.w + weightOffset(b) : 0, traversal = header.traversal;
  if (w) weighBlock(b, w);
  if (traversal == Traversal.rows) {
    if (opensPanel(b)) sumPanel(b, panelColumns(b), x, w, group, first);
  } else if (traversal == Traversal.planes && !w && b.column == b.channel) {
    sumTile(b, channels, x, group, first);
  }
  blockMoments(b, x, w, group, first);
  if (w) mergeWeighted(group, stateStride(), blockResults(), RESULT_STEP, b.columns);
  else merge(group, stateStride(), first ? 0 : b.groupCount, blockResults(), RESULT_STEP, b.count, b.columns);
}

/** The columns of one channel, which begin here, merged in their order. Returns their count. */
function mergeColumns(total: usize, result: usize, columnCount: f64): f64 {
  const array = stateStride(), end = total + (header.columnsPerChannel << 3);
  let count: f64 = 0;
  for (let i: usize = 0; i < 3; i++) store<f64>(result + i * RESULT_STEP, 0);
  for (; total < end; total += 8, count += columnCount) {
    if (header.w) mergeWeighted(result, RESULT_STEP, total, array, 1);
    else merge(result, RESULT_STEP, count, total, array, columnCount, 1);
  }
  return header.w ? load<f64>(result, 2 * RESULT_STEP) : count;
}

/** The moments of `channels` channels from this one on. */
export function channelMoments(b: Block, channel: usize, channels: usize): void {
  const perChannel = header.columnsPerChannel, columnCount = b.totalCount + b.groupCount;
  const total = states() + ((channel * perChannel) << 3), result = blockResults();
  const toM2 = header.fieldStride, mean = fieldOf(Field.mean) + (channel << 3);
  closeMoments(b, total, channels * perChannel);
  if (!header.w && perChannel == 1 && columnCount != 0) {
    return merge(mean, toM2, 0, total, stateStride(), columnCount, channels);
  }
  for (let c: usize = 0; c < channels; c++) {
    const count = mergeColumns(total + ((c * perChannel) << 3), result, columnCount);
    store<f64>(mean + (c << 3), load<f64>(result));
    store<f64>(mean + (c << 3) + toM2, load<f64>(result, RESULT_STEP));
    if (header.w) setSlot(Slot.count, count);
  }
}
