// Clause 4 in the planes traversal: the sums of a block for a tile of channels.
import { Block } from "../common/blocks";
import { header } from "../common/control";
import { Scratch, addGradRun } from "../common/gradRuns";
import { LANES } from "../common/layout";
import { panelSlot } from "../common/scratch";
import { clear } from "../common/vec";
import { Mask } from "../elements/mask";

/** Σg and Σg·d of a block of `channels` channels, left in their slots. */
export function sumTile(b: Block, channels: usize, mask: Mask, x: usize, toDy: usize, toMask: usize): void {
  const slots = LANES * header.size, run = header.inner * header.size;
  const s = panelSlot(Scratch.s, 0), toU = panelSlot(Scratch.u, 0) - s, end = s + channels * slots;
  clear(s, channels * slots);
  clear(s + toU, channels * slots);
  for (let left = b.runs; left; left--, x += b.runStride) {
    for (let p = x, slot = s; slot < end; slot += slots, p += run, b.column++) {
      addGradRun(b, mask, p, toDy, toMask, slot, slot + toU, false);
    }
    b.column = b.channel;
  }
}
