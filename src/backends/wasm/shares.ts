// How a call is divided into shares for threads: at the contract's groups, at channels and at columns (clause 1), and for
// kernels that treat each element alone anywhere. The division changes no bit.
import { blockCount, columnsOf, type Extent } from "../../kernels/control.js";
import { GROUP, Part, Traversal } from "../../kernels/layout.js";
import type { KernelName } from "../../kernels/operands.js";
import { MOST_SHARES } from "./worker/seats.js";

/** A part of the tensor: a box, and the groups of blocks of its columns; all of them where `groupEnd` is 0. */
export interface Share {
  readonly o: number;
  readonly c: number;
  readonly i: number;
  readonly extent: Extent;
  readonly group: number;
  readonly groupEnd: number;
}

/** What a call sums, and what it writes for each element: the numbers of assembly/common/reduce.ts and run.ts. */
export const Sums = { none: 0, moments: 1, gradients: 2 } as const;
export const Output = { none: 0, y: 1, dx: 2, kept: 3 } as const;
type Sum = (typeof Sums)[keyof typeof Sums];
type Written = (typeof Output)[keyof typeof Output];

/** Shares that are done in any order by any thread; one step of a call begins when the step before it has ended. */
export interface Step {
  readonly sums: Sum;
  readonly output: Written;
  /** Bits of `Part`: whether coefficients are made in each share, and results of its sums. */
  readonly part: number;
  /** The number of groups that are merged afterwards, or 0. */
  readonly groups: number;
  readonly shares: readonly Share[];
}

const KINDS: Record<KernelName, readonly [Sum, Written]> = {
  moments: [Sums.moments, Output.none],
  normalize: [Sums.none, Output.y],
  gradSums: [Sums.gradients, Output.none],
  gradInput: [Sums.none, Output.dx],
  forward: [Sums.moments, Output.y],
  backward: [Sums.gradients, Output.dx],
  zeroMasked: [Sums.none, Output.kept],
};

/** Shares of each thread, as far as they are large enough: one that comes late, or is stopped, leaves them to others. */
const EACH = 8;
/**
 * Bytes of each sample that a share has side by side, if every thread then has two shares: pieces of half that length take
 * 1.5 times as long for each value.
 */
const LEAST_RUN = 12_288;
/** Columns of a share in the rows traversal at least. */
const LEAST_COLUMNS = 64;
/** How much longer the last thread may be busy than all are on average. Parts of rows are read more slowly by as much. */
const UNEVEN = 1.4;

interface Whole {
  readonly extent: Extent;
  readonly traversal: Traversal;
  readonly threads: number;
  /** Elements below which another thread is not worth waking. 0 shares whatever there is, which tests do. */
  readonly grain: number;
  /** Columns that a share may have, whose states and scratch have to fit. */
  readonly mostColumns: number;
  readonly valueBytes: number;
}

/** The numbers from 0 to `count`, in so many ranges that differ by one at most. */
function rangesOf(count: number, ranges: number): readonly (readonly [begin: number, end: number])[] {
  const at = (k: number): number => Math.floor((k * count) / ranges);
  return Array.from({ length: ranges }, (_, k) => [at(k), at(k + 1)]);
}

/** The same in ranges of `each`, the last of which may be shorter. */
function cut(count: number, each: number): readonly (readonly [begin: number, end: number])[] {
  return Array.from({ length: Math.ceil(count / each) }, (_, k) => [k * each, Math.min(count, (k + 1) * each)]);
}

function sizeOf({ outer, channels, inner }: Extent): number {
  return outer * channels * inner;
}

function wantedShares({ extent, threads, grain }: Whole): number {
  return Math.max(1, Math.min(threads * EACH, Math.floor((EACH * sizeOf(extent)) / grain)));
}

/** Channels of the planes traversal, with all blocks. */
function channelShares(whole: Whole): Share[] {
  const { extent, threads, grain, mostColumns, valueBytes } = whole;
  const { channels, inner } = extent;
  const inRun = Math.ceil(Math.min(grain, LEAST_RUN) / (inner * valueBytes));
  const least = Math.min(inRun, Math.floor(channels / (2 * threads)));
  const each = Math.min(mostColumns, Math.max(least, Math.floor(channels / wantedShares(whole)), 1));
  return cut(channels, each).map(([c, end]) => {
    return { o: 0, c, i: 0, extent: { ...extent, channels: end - c }, group: 0, groupEnd: 0 };
  });
}

/** The parts that rows are cut into so that threads have about as much to do, as few as possible. */
function partsOfRows(groups: number, { extent, threads, grain }: Whole): number {
  const { channels, inner } = extent;
  const most = Math.min(channels, Math.floor((channels * inner) / Math.max(1, Math.min(grain, LEAST_COLUMNS))));
  const uneven = (parts: number): number => (Math.ceil((groups * parts) / threads) * threads) / (groups * parts);
  let best = 1;
  for (let parts = 2; parts <= Math.min(most, threads) && uneven(best) > UNEVEN; parts++) {
    if (uneven(parts) < uneven(best)) best = parts;
  }
  return best;
}

/** Groups of blocks: of each channel, or of a range of columns, which are whole channels. */
function groupShares(whole: Whole, groups: number): Share[] {
  const { extent, traversal, mostColumns } = whole;
  const { channels, inner } = extent;
  const perChannel = traversal === Traversal.planes ? 1 : inner;
  const parts = traversal === Traversal.rows ? partsOfRows(groups, whole) : 1;
  const wanted = traversal === Traversal.planes ? 1 : Math.ceil(channels / parts);
  const each = Math.max(1, Math.min(wanted, Math.floor(mostColumns / perChannel)));
  const ranges = cut(channels, each);
  const groupsEach = Math.ceil((groups * ranges.length) / MOST_SHARES);
  return ranges.flatMap(([c, end]) =>
    cut(groups, groupsEach).map(([group, groupEnd]) => {
      return { o: 0, c, i: 0, extent: { ...extent, channels: end - c }, group, groupEnd };
    }),
  );
}

/** Pieces that lie side by side in memory: some outer indices, or of one of them some channels, or some of a channel. */
function elementShares(whole: Whole): Share[] {
  const { extent } = whole;
  const { outer, channels, inner } = extent;
  const wanted = wantedShares(whole);
  const parts = Math.ceil(wanted / outer);
  const piece = (o: number, c: number, i: number, size: Extent): Share => {
    return { o, c, i, extent: size, group: 0, groupEnd: 0 };
  };
  if (parts === 1) return rangesOf(outer, wanted).map(([o, end]) => piece(o, 0, 0, { ...extent, outer: end - o }));
  const ofChannels = rangesOf(channels, Math.min(parts, channels));
  const ofInner = rangesOf(inner, channels === 1 ? Math.min(parts, inner) : 1);
  return rangesOf(outer, outer).flatMap(([o]) =>
    ofChannels.flatMap(([c, cEnd]) =>
      ofInner.map(([i, iEnd]) => piece(o, c, i, { outer: 1, channels: cEnd - c, inner: iEnd - i })),
    ),
  );
}

/** How much of a tensor a share is. */
export function partOf({ extent, traversal }: Pick<Whole, "extent" | "traversal">, share: Share): number {
  const part = sizeOf(share.extent) / sizeOf(extent);
  if (share.groupEnd === 0) return part;
  const blocks = blockCount(extent, traversal);
  return (part * (Math.min(blocks, share.groupEnd * GROUP) - share.group * GROUP)) / blocks;
}

/** The steps of a call; null where there is nothing to share. */
export function stepsOf(kernel: KernelName, whole: Whole): Step[] | null {
  const { extent, traversal, threads, mostColumns } = whole;
  const [sums, output] = KINDS[kernel];
  const isPlanes = traversal === Traversal.planes;
  const groups = Math.ceil(blockCount(extent, traversal) / GROUP);
  if (sums !== Sums.none && isPlanes && (groups === 1 || extent.channels >= 4 * threads)) {
    const shares = channelShares(whole);
    return shares.length > 1 ? [{ sums, output, part: Part.whole, groups: 0, shares }] : null;
  }
  const steps: Step[] = [];
  if (sums !== Sums.none) {
    steps.push({ sums, output: Output.none, part: Part.whole, groups, shares: groupShares(whole, groups) });
  }
  if (output !== Output.none) {
    // A piece may have all columns.
    if (columnsOf(extent, traversal) > mostColumns) return null;
    steps.push({ sums: Sums.none, output, part: 0, groups: 0, shares: elementShares(whole) });
  }
  const isShared = steps.some(({ shares }) => shares.length > 1);
  return isShared && steps.every(({ shares }) => shares.length <= MOST_SHARES) ? steps : null;
}
