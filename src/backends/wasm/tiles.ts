// How a tensor is cut into tiles that fit the WASM memory: boxes of an outer, a channel and an inner
// range. Tiles that are summed one after another are cut between the contract's blocks (clause 1).
import { stagedLength, type Extent } from "../../kernels/control.js";
import { BLOCK, BLOCK_ROWS, Traversal } from "../../kernels/layout.js";

/** The largest ranges of a tile. */
export type Step = Extent;

/** A tile: its first outer, channel and inner index, and how many of each. */
export interface Box {
  readonly o: number;
  readonly c: number;
  readonly i: number;
  readonly extent: Extent;
  /** First and last tile of its channels. */
  readonly first: boolean;
  readonly last: boolean;
}

/** What a tile has to fit. */
export interface Room {
  /** Bytes there are for the control block and the operands. */
  readonly bytes: number;
  /** Bytes of all operands together that are wanted, as far as whole blocks allow. */
  readonly tileBytes: number;
  readonly operands: number;
  readonly valueBytes: number;
}

/** Gathering shorter runs costs more than reading the tensor twice in contiguous pieces. */
const GATHERED_RUN = 1024;

/** `value` cut down to a multiple of `unit`, at least one unit. */
function multiple(value: number, unit: number): number {
  return Math.max(1, Math.floor(value / unit)) * unit;
}

/** Channels whose control block and operands of `bytesPerChannel` fit, at least 1. */
function channelsThatFit(
  { channels, inner }: Extent,
  traversal: Traversal,
  bytesPerChannel: number,
  room: Room,
): number {
  const fixed = 8 * stagedLength({ outer: 0, channels: 0, inner }, traversal);
  const each = 8 * stagedLength({ outer: 0, channels: 1, inner }, traversal) - fixed + room.operands * bytesPerChannel;
  return Math.max(1, Math.min(channels, Math.floor((room.bytes - fixed) / each)));
}

/** Bytes of one operand's tile: what is wanted, if it is left beside the control block of `channels` channels. */
function operandBytes({ inner }: Extent, traversal: Traversal, channels: number, room: Room): number {
  const left = room.bytes - 8 * stagedLength({ outer: 0, channels, inner }, traversal);
  return Math.floor(Math.min(room.tileBytes, left) / room.operands);
}

/** Outer indices that must stay in one tile: those of a block. */
function outerOfBlock({ outer, inner }: Extent, traversal: Traversal): number {
  if (traversal === Traversal.planes) return Math.max(1, Math.floor(BLOCK / Math.max(1, inner)));
  return Math.max(1, Math.min(outer, traversal === Traversal.rows ? BLOCK_ROWS : BLOCK));
}

/** Whole channels of the planes traversal, or null where one is too large or its runs are too short. */
function wholeChannels(extent: Extent, room: Room): Step | null {
  const { outer, channels, inner } = extent;
  const bytes = outer * inner * room.valueBytes;
  const available = operandBytes(extent, Traversal.planes, 1, room);
  if (bytes > available) return null;
  const wanted = Math.min(channelsThatFit(extent, Traversal.planes, bytes, room), multiple(available / bytes, 1));
  const worthIt = wanted === channels || outer === 1 || wanted * inner >= GATHERED_RUN;
  return worthIt ? { outer, channels: wanted, inner } : null;
}

/** Channels side by side where a block of each makes up a tile: all, or a multiple of 16 for the rows traversal's sake. */
function channelsOfBlocks(extent: Extent, traversal: Traversal, blockBytes: number, room: Room): number {
  const fit = channelsThatFit(extent, traversal, blockBytes, room);
  const wanted = multiple(room.tileBytes / room.operands / blockBytes, 16);
  if (Math.min(fit, wanted) >= extent.channels) return extent.channels;
  return fit < 16 ? fit : Math.min(wanted, multiple(fit, 16));
}

/** Tiles for the kernels that sum. Where they span outer and inner, the fused kernels can run tile by tile. */
export function tileForSums(extent: Extent, traversal: Traversal, room: Room): Step {
  const { outer, inner } = extent;
  const whole = traversal === Traversal.planes ? wholeChannels(extent, room) : null;
  if (whole) return whole;
  const unit = outerOfBlock(extent, traversal);
  const blockBytes = unit * Math.min(inner, traversal === Traversal.planes ? BLOCK : inner) * room.valueBytes;
  const channels = inner > BLOCK ? 1 : channelsOfBlocks(extent, traversal, blockBytes, room);
  const values = Math.max(blockBytes * channels, operandBytes(extent, traversal, channels, room)) / room.valueBytes;
  if (traversal === Traversal.planes && inner > Math.max(BLOCK, values)) {
    return { outer: 1, channels, inner: multiple(values, BLOCK) };
  }
  return { outer: Math.min(outer, multiple(values / (channels * inner), unit)), channels, inner };
}

/** Tiles for the kernels that treat each element alone: contiguous pieces of the tensor. */
export function tileForElements(extent: Extent, traversal: Traversal, room: Room): Step {
  const { outer, channels, inner } = extent;
  const fit = channelsThatFit(extent, traversal, 0, room);
  const values = operandBytes(extent, traversal, fit, room) / room.valueBytes;
  if (fit === channels && channels * inner <= values) {
    return { outer: Math.min(outer, multiple(values / (channels * inner), 1)), channels, inner };
  }
  const wanted = Math.min(fit, multiple(values / inner, 1));
  return { outer: 1, channels: wanted, inner: Math.min(inner, multiple(values, 1)) };
}

/** Every tile, channels by channels; within a channel range in memory order. An empty tensor is one empty tile. */
export function boxesOf({ outer, channels, inner }: Extent, largest: Step): Box[] {
  const boxes: Box[] = [];
  const step = { outer: largest.outer || 1, channels: largest.channels, inner: largest.inner || 1 };
  for (let c = 0; c < channels; c += step.channels) {
    for (let o = 0; o === 0 || o < outer; o += step.outer) {
      for (let i = 0; i === 0 || i < inner; i += step.inner) {
        const extent = {
          outer: Math.min(step.outer, outer - o),
          channels: Math.min(step.channels, channels - c),
          inner: Math.min(step.inner, inner - i),
        };
        const last = o + step.outer >= outer && i + step.inner >= inner;
        boxes.push({ o, c, i, extent, first: o === 0 && i === 0, last });
      }
    }
  }
  return boxes;
}

/** A range of the boxes of a call. */
export type Portion = readonly [begin: number, end: number];

/**
 * The boxes in a portion for each thread, or in fewer. Where a kernel sums, boxes whose sums carry on from one to the next
 * stay together.
 */
export function portionsOf(boxes: readonly Box[], sums: boolean, threads: number): Portion[] {
  const portions: Portion[] = [];
  for (let k = 1, begin = 0; k <= threads; k++) {
    let end = Math.floor((k * boxes.length) / threads);
    while (sums && end < boxes.length && !boxes[end]!.first) end++;
    if (end > begin) portions.push([begin, end]);
    begin = Math.max(begin, end);
  }
  return portions;
}

/** The boxes of a portion: the first one makes the coefficients, and the last one leaves the results. */
export function boxesIn(boxes: readonly Box[], [begin, end]: Portion): Box[] {
  const own = boxes.slice(begin, end);
  return own.map((box, i) => ({ ...box, first: box.first || i === 0, last: box.last || i === own.length - 1 }));
}
