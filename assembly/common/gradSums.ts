// S = Σg and U = Σg·(x − center) per channel: blocks, groups, total (contract, clause 5).
import { maskOf } from "../elements/mask";
import { sumTile } from "../planes/gradSums";
import { sumPanel } from "../rows/gradSums";
import { blockGradSums } from "./blockGradSums";
import { Block, opensPanel, panelColumns } from "./blocks";
import { TO_GROUP, fieldOf, header, stateStride, states } from "./control";
import { Field, Traversal } from "./layout";

/** Adds the open groups of `columns` columns to their totals, which begin here. The groups restart at 0. */
export function closeSums(total: usize, columns: usize): void {
  const array = stateStride();
  for (const end = total + (columns << 3); total < end; total += 8) {
    const group = total + TO_GROUP * array;
    store<f64>(total, load<f64>(total) + load<f64>(group));
    store<f64>(total + array, load<f64>(total + array) + load<f64>(group + array));
    store<f64>(group, 0);
    store<f64>(group + array, 0);
  }
}

/** Adds the block to its groups. Where it opens a panel or a tile of `channels` channels, those are summed first. */
export function addGradSums(b: Block, channels: usize, group: usize): void {
  const x = header.x + b.offset, mask = maskOf(), traversal = header.traversal;
  const toDy = header.dy - header.x, toMask = header.residualOrY - header.x;
  if (traversal == Traversal.rows) {
    if (opensPanel(b)) sumPanel(b, panelColumns(b), mask, x, toDy, toMask);
  } else if (traversal == Traversal.planes && b.column == b.channel) {
    sumTile(b, channels, mask, x, toDy, toMask);
  }
  blockGradSums(b, mask, x, toDy, toMask, group);
}

/** The sums of `channels` channels from this one on: the columns of each add in their order. */
export function channelGradSums(channel: usize, channels: usize): void {
  const array = stateStride(), perChannel = header.columnsPerChannel;
  let total = states() + ((channel * perChannel) << 3);
  closeSums(total, channels * perChannel);
  for (let c = channel; c < channel + channels; c++) {
    let S: f64 = 0, U: f64 = 0;
    for (const end = total + (perChannel << 3); total < end; total += 8) {
      S += load<f64>(total);
      U += load<f64>(total + array);
    }
    store<f64>(fieldOf(Field.sumG) + (c << 3), S);
    store<f64>(fieldOf(Field.sumGX) + (c << 3), U);
  }
}
