// What threads share of a call: parts of the tensor, each by itself. Where all channels are shared, a part has all blocks
// of its channels. Otherwise it has whole groups of blocks, whose sums are merged in order when all are there (contract,
// clause 3).
import { zeroMasked } from "../elements/zeroMasked";
import { tileChannels } from "../elements/spans";
import { currentBlock } from "./blocks";
import { OWN_BYTES } from "./buffers";
import { TO_GROUP, header, layStates, open, own, stateStride, states } from "./control";
import { channelGradSums, closeSums } from "./gradSums";
import { GROUP, Part, Traversal } from "./layout";
import { channelMoments, closeMoments } from "./moments";
import { Sums, beginSums, sumChannels } from "./reduce";
import { Output, run } from "./run";

/** A share of a call: a box of the tensor, or so many groups of its columns. src/backends/wasm/sharing.ts writes it. */
@unmanaged
export class Share {
  /** The control block of the tensor. */
  control: usize;
  size: usize;
  sums: Sums;
  output: Output;
  /** Bits of Part. Without the first, the coefficients are there already. */
  part: u32;
  /** Where the sums of groups are left, and how many columns the tensor has. */
  groups: usize;
  columns: usize;
  /** The operands of the tensor, as the header has them. */
  x: usize;
  y: usize;
  residual: usize;
  dy: usize;
  dx: usize;
  residualOrY: usize;
  dresidual: usize;
  w: usize;
  /** The box, and its first channel. */
  outer: usize;
  channels: usize;
  inner: usize;
  channel: usize;
  /** Bytes from each operand to the box, and from the weights to its own. */
  at: usize;
  weightsAt: usize;
  /** The groups; none where it has all blocks. */
  group: usize;
  groupEnd: usize;
}

/** The address of the box in an operand, which may be absent. */
@inline
function placed(operand: usize, at: usize): usize {
  return operand ? operand + at : 0;
}

/** The three arrays of sums that a group of the whole tensor has: mean, m2 and count, or S and U, of every column. */
function leaveGroup(share: Share, group: usize): void {
  const bytes = share.columns << 3, array = stateStride(), from = states() + TO_GROUP * array;
  const to = share.groups + group * 3 * bytes + ((share.channel * header.columnsPerChannel) << 3);
  memory.copy(to, from, array);
  memory.copy(to + bytes, from + array, array);
  if (share.sums != Sums.moments) return;
  if (header.w) return memory.copy(to + 2 * bytes, from + 2 * array, array);
  const count = currentBlock().groupCount;
  for (let p = to + 2 * bytes, end = p + array; p < end; p += 8) store<f64>(p, count);
}

/** Each group by itself. The counts of a group without weights are those of its blocks. */
function sumGroups(share: Share): void {
  const channels = header.channels, planes = header.traversal == Traversal.planes;
  header.part = Part.first;
  for (let group = share.group; group < share.groupEnd; group++) {
    header.block = group * GROUP;
    header.blockEnd = header.block + GROUP;
    beginSums(share.sums);
    for (let c: usize = 0, tile = channels; c < channels; c += tile) {
      if (planes) tile = tileChannels(c);
      sumChannels(share.sums, c, tile);
    }
    leaveGroup(share, group);
  }
}

/** Does a share of a call, with the instance's own states and scratch. */
export function share(part: Share): void {
  open(part.control, part.size);
  const at = part.at;
  header.part = part.part;
  header.outer = part.outer;
  header.channels = part.channels;
  header.inner = part.inner;
  header.fields += part.channel << 3;
  layStates(own((OWN_BYTES + 15) & ~15));
  header.x = placed(part.x, at);
  header.y = placed(part.y, at);
  header.residual = placed(part.residual, at);
  header.dy = placed(part.dy, at);
  header.dx = placed(part.dx, at);
  header.residualOrY = placed(part.residualOrY, at);
  header.dresidual = placed(part.dresidual, at);
  header.w = placed(part.w, part.weightsAt);
  if (part.groupEnd) sumGroups(part);
  else if (part.output == Output.kept) zeroMasked();
  else run(part.sums, part.output);
}

/** Merges the groups that shares of this one's call have left, in order, and then the columns of each channel. */
export function mergeGroups(part: Share, groups: usize): void {
  open(part.control, part.size);
  const moments = part.sums == Sums.moments, array = stateStride(), total = states(), b = currentBlock();
  // Every column has counts of its own there.
  header.w = part.groups;
  header.part = Part.first;
  beginSums(part.sums);
  for (let from = part.groups, end = from + groups * 3 * array; from < end; from += 3 * array) {
    if (moments) closeMoments(b, total, header.columns);
    else closeSums(total, header.columns);
    memory.copy(total + TO_GROUP * array, from, 3 * array);
  }
  if (moments) channelMoments(b, 0, header.channels);
  else channelGradSums(0, header.channels);
}
