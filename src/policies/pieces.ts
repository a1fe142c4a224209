// How a tensor is cut at the groups of the contract: pieces of whole rows, or parts of a run.
import { lengthOf } from "../base/check.js";
import { partsOf } from "../base/arrays.js";
import type { Data, DType, Floats } from "../base/types.js";
import { BLOCK, GROUP, LANES } from "../kernels/layout.js";
import { groupsOf, type Extent } from "../kernels/control.js";
import type { Workspace } from "../engine/workspace.js";
import { PositionWeights } from "../values/weights.js";

export type WorkspaceFor = (extent: Extent, isWeighted: boolean) => Workspace;

/** Whole rows of a tensor: a group, or the fewest groups that do not end within a run. */
export interface Piece {
  readonly extent: Extent;
  /** The extent in which a column is a channel of its own, and the weights of its positions. */
  readonly columns: Extent;
  readonly weights: Floats | null;
  /** The piece's elements of an array of the whole tensor. */
  readonly of: <T extends Data | null>(data: T) => T;
}

/** The blocks of a run that is longer than one. Shorter runs share a block. */
const blocksOfRun = (inner: number): number => Math.ceil(inner / BLOCK);

/** Whether runs are so long that they have whole groups: those of 65,536 values and more, if their last group is full of blocks. */
export function hasGroupsInRuns({ inner }: Extent): boolean {
  return blocksOfRun(inner) % GROUP === 0;
}

/** Whether every group ends with a row, so that no piece has several. */
export function hasGroupsOfRows({ inner }: Extent): boolean {
  return inner <= BLOCK || GROUP % blocksOfRun(inner) === 0;
}

/**
 * Short runs have a column for each of their values, and the columns of a channel are merged after all groups. Weights
 * that differ within a run leave no other way than to merge them in each piece.
 */
export function columnsPerChannel({ outer, inner }: Extent, weights: Floats | null): number {
  if (inner >= LANES) return 1;
  return hasWeightsInRuns({ outer, inner }, weights) ? 1 : inner;
}

/** Whether the columns of a channel have weights of their own. */
export function hasWeightsInRuns({ outer, inner }: Pick<Extent, "outer" | "inner">, weights: Floats | null): boolean {
  return weights !== null && inner > 1 && inner < LANES && outer % lengthOf(weights) !== 0;
}

/** One weight per position; null: there are none. */
export function positionsOf(dtype: DType, { outer, inner }: Extent, weights: Floats | null): Floats | null {
  return weights && new PositionWeights(dtype, outer * inner).of(weights);
}

export function* piecesOf(dtype: DType, extent: Extent, weights: Floats | null, each: number): Generator<Piece> {
  const { outer, channels, inner } = extent;
  const positions = inner / each;
  // Weights of rows are those of the positions of columns.
  const all = weights && new PositionWeights(dtype, outer * positions).of(weights);
  let begin = 0;
  for (const [, position] of groupsOf(extent)) {
    if (position % inner !== 0) continue;
    const [first, rows] = [begin, position / inner - begin];
    begin += rows;
    yield {
      extent: { outer: rows, channels, inner },
      columns: { outer: rows, channels: channels * each, inner: positions },
      weights: all && (partsOf(all)(first * positions, rows * positions) as Floats),
      of: <T extends Data | null>(data: T) =>
        (data && partsOf(data)(first * channels * inner, rows * channels * inner)) as T,
    };
  }
}

/** A group of a channel within a run, as a column of its own: its blocks, lanes and sample are those of the run. */
export interface Segment {
  readonly extent: Extent;
  /** The segment's elements of an array of the whole tensor, in one channel. */
  readonly of: <T extends Data | null>(data: T, channel: number) => T;
  /** The segment's elements of an array of positions. */
  readonly positions: (weights: Floats) => Floats;
}

export function* segmentsOf(extent: Extent): Generator<Segment> {
  const { channels, inner } = extent;
  for (const [begin, end] of groupsOf(extent)) {
    const [row, at, length] = [Math.floor(begin / inner), begin % inner, end - begin];
    yield {
      extent: { outer: length, channels: 1, inner: 1 },
      of: <T extends Data | null>(data: T, channel: number) =>
        (data && partsOf(data)((row * channels + channel) * inner + at, length)) as T,
      positions: (weights) => partsOf(weights)(begin, length) as Floats,
    };
  }
}
