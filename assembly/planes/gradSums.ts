// Clause 4 in the planes traversal: the sums of a block for a tile of channels.
import { Block } from "../common/blocks";
import { header } from "../common/control";
import { Scratch, addGradRun, addStrip, centersOf } from "../common/gradRuns";
import { LANES } from "../common/layout";
import { panelSlot } from "../common/scratch";
import { clear, stripWidth } from "../common/vec";
import { Mask } from "../elements/mask";

/** Σg and Σg·d of a block whose gradients have no mask: of the channels whose slots end at `end`, in memory order. */
function addChannels<T>(b: Block, x: usize, toG: usize, s: usize, toU: usize, end: usize): void {
  const slots = LANES * sizeof<T>(), run = header.inner * sizeof<T>(), bytes = b.rows * slots, tail = <i32>b.tail;
  const toCenter = centersOf(b) - s;
  for (let left = b.runs; left; left--, x += b.runStride) {
    for (let p = x, slot = s; slot < end; slot += slots, p += run) {
      addStrip<T>(p, toG, bytes, slots, min(tail, <i32>stripWidth<T>()), slot + toCenter, slot, slot + toU);
      if (sizeof<T>() == 4) continue;
      const second = slot + 64;
      addStrip<T>(p + 64, toG, bytes, slots, tail - <i32>stripWidth<T>(), second + toCenter, second, second + toU);
    }
  }
}

/** Σg and Σg·d of a block of `channels` channels, left in their slots. */
export function sumTile(b: Block, channels: usize, mask: Mask, x: usize, toDy: usize, toMask: usize): void {
  const slots = LANES * header.size, run = header.inner * header.size;
  const s = panelSlot(Scratch.s, 0), toU = panelSlot(Scratch.u, 0) - s, end = s + channels * slots;
  clear(s, channels * slots);
  clear(s + toU, channels * slots);
  if (mask == Mask.none) {
    if (header.size == 4) addChannels<f32>(b, x, toDy, s, toU, end);
    else addChannels<f64>(b, x, toDy, s, toU, end);
    return;
  }
  for (let left = b.runs; left; left--, x += b.runStride) {
    for (let p = x, slot = s; slot < end; slot += slots, p += run, b.column++) {
      addGradRun(b, mask, p, toDy, toMask, slot, slot + toU, false);
    }
    b.column = b.channel;
  }
}
