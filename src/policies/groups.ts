// Sums over a batch that comes in parts, in the order of the contract: group by group, and column by column. So they are
// those of the whole batch, to the bit, where the parts end where groups end.
import { partsOf, tableOf, zeros } from "../base/arrays.js";
import { lengthOf } from "../base/check.js";
import { now, type Later } from "../base/later.js";
import type { Data, DType, Floats } from "../base/types.js";
import { gradSumsOf, type GradSums } from "../engine/backward.js";
import { computeMoments, type Batch } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import { LANES } from "../kernels/layout.js";
import { groupsOf, type Extent } from "../kernels/control.js";
import { EMPTY, emptyMoments, merge, type Moments, type WholeMoments } from "../kernels/moments.js";
import { slopesOf, type CheckedActivation } from "../values/activation.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { PositionWeights, sumOfSquares } from "../values/weights.js";

type WorkspaceFor = (extent: Extent, isWeighted: boolean) => Workspace;

/** Whole rows of a tensor: a group, or the fewest groups that do not end within a run. */
interface Piece {
  readonly extent: Extent;
  /** The extent in which a column is a channel of its own, and the weights of its positions. */
  readonly columns: Extent;
  readonly weights: Floats | null;
  /** The piece's elements of an array of the whole tensor. */
  readonly of: <T extends Data | null>(data: T) => T;
}

/**
 * Short runs have a column for each of their values, and the columns of a channel are merged after all groups. Weights
 * that differ within a run leave no other way than to merge them in each piece.
 */
function columnsPerChannel({ outer, inner }: Extent, weights: Floats | null): number {
  if (inner >= LANES) return 1;
  return weights && outer % lengthOf(weights) !== 0 ? 1 : inner;
}

function* piecesOf(dtype: DType, extent: Extent, weights: Floats | null, each: number): Generator<Piece> {
  const { outer, channels, inner } = extent;
  const positions = inner / each;
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

function mergedColumns(a: WholeMoments, b: WholeMoments): WholeMoments {
  const { mean, m2 } = emptyMoments(a.mean.length);
  for (let i = 0; i < mean.length; i++) {
    const merged = merge(columnOf(a, i), columnOf(b, i));
    mean[i] = merged.mean;
    m2[i] = merged.m2;
  }
  const count = a.count + b.count;
  return { count, sumSquaredWeights: count, mean, m2 };
}

const columnOf = ({ count, mean, m2 }: WholeMoments, i: number): Moments => ({ count, mean: mean[i]!, m2: m2[i]! });

/** The columns of each of `channels` channels, merged in order. */
function mergedChannels(columns: WholeMoments, channels: number, sumSquaredWeights: number): WholeMoments {
  const { mean, m2 } = emptyMoments(channels);
  const each = columns.mean.length / channels;
  let merged = EMPTY;
  for (let c = 0; c < channels; c++) {
    merged = EMPTY;
    for (let i = c * each; i < (c + 1) * each; i++) merged = merge(merged, columnOf(columns, i));
    mean[c] = merged.mean;
    m2[c] = merged.m2;
  }
  return { count: merged.count, sumSquaredWeights, mean, m2 };
}

/** The moments of a batch, part by part. All parts have the same channels, and runs of the same length. */
export class GroupedMoments {
  /** Of columns, as many for a channel as all parts so far leave. */
  #columns: WholeMoments | null = null;
  #sumSquaredWeights = 0;

  constructor(
    private readonly channels: number,
    private readonly workspaceFor: WorkspaceFor,
  ) {}

  add({ plan, x, weights }: Batch): void {
    if (plan.size === 0) return;
    const each = this.#columnsFor(columnsPerChannel(plan, weights && weights.values));
    for (const { extent, columns, weights: values, of } of piecesOf(
      plan.dtype,
      plan,
      weights && weights.values,
      each,
    )) {
      const count = columns.outer * columns.inner;
      const own = weights && { ...weights, values: values! };
      const part = { ...plan, ...columns, size: count * columns.channels, count };
      const batch = { plan: part, x: of(x), weights: own };
      const moments = now(computeMoments(this.workspaceFor(columns, own !== null), batch));
      this.#columns = mergedColumns(this.#columns!, moments);
      const all = moments.count * each;
      this.#sumSquaredWeights += own ? sumOfSquares(own, extent, all) : all;
    }
  }

  /** Makes room for `each` columns of a channel. Once a part has left fewer, they stay merged. */
  #columnsFor(each: number): number {
    const { channels } = this;
    this.#columns ??= emptyMoments(channels * each);
    const found = this.#columns.mean.length / channels;
    if (found === each || found === 1) return found;
    this.#columns = mergedChannels(this.#columns, channels, 0);
    return 1;
  }

  /** Of nothing, they are 0. */
  total(): WholeMoments {
    return mergedChannels(this.#columns ?? emptyMoments(this.channels), this.channels, this.#sumSquaredWeights);
  }
}

/** A table with each element `each` times. */
function repeated(table: Float64Array, each: number): Float64Array {
  const all = zeros(table.length * each);
  for (let i = 0; i < all.length; i++) all[i] = table[Math.floor(i / each)]!;
  return all;
}

/** The activation of columns: slopes of channels are those of each of their columns. */
function repeatedSlopes(activation: CheckedActivation, each: number): CheckedActivation {
  const slopes = slopesOf(activation);
  if (!slopes || lengthOf(slopes) === 1) return activation;
  return { type: "prelu", slope: repeated(tableOf(slopes), each) };
}

/** The token of a piece whose columns are channels. */
function tokenOf(token: Saved, { columns, weights, of }: Piece, each: number): Saved {
  return {
    ...token,
    ...columns,
    x: of(token.x),
    residualOrOutput: of(token.residualOrOutput),
    sampleWeights: weights,
    mean: repeated(token.mean, each),
    invStd: repeated(token.invStd, each),
    weight: repeated(token.weight, each),
    bias: repeated(token.bias, each),
    activation: repeatedSlopes(token.activation, each),
  };
}

/** The sums of columns, or those behind the gradients of the slopes of a PReLU. */
type SumsOf = (workspace: Workspace, token: Saved, dy: Data) => Later<GradSums>;

/** The sums that a backward needs, part by part. */
export class GroupedGradSums {
  #columns: GradSums | null = null;

  constructor(
    private readonly channels: number,
    private readonly workspaceFor: WorkspaceFor,
    private readonly sumsOf: SumsOf = gradSumsOf,
  ) {}

  add(token: Saved, dy: Data): void {
    if (sizeOf(token) === 0) return;
    const each = this.#columnsFor(columnsPerChannel(token, token.sampleWeights));
    for (const piece of piecesOf(token.dtype, token, token.sampleWeights, each)) {
      const workspace = this.workspaceFor(piece.columns, false);
      const sums = now(this.sumsOf(workspace, tokenOf(token, piece, each), piece.of(dy)));
      addInto(this.#columns!.sumG, sums.sumG);
      addInto(this.#columns!.sumGX, sums.sumGX);
    }
  }

  #columnsFor(each: number): number {
    const { channels } = this;
    this.#columns ??= { sumG: zeros(channels * each), sumGX: zeros(channels * each) };
    const found = this.#columns.sumG.length / channels;
    if (found === each || found === 1) return found;
    this.#columns = this.total();
    return 1;
  }

  total(): GradSums {
    const { channels } = this;
    const { sumG, sumGX } = this.#columns ?? { sumG: zeros(channels), sumGX: zeros(channels) };
    return { sumG: addedColumns(sumG, channels), sumGX: addedColumns(sumGX, channels) };
  }
}

function addInto(total: Float64Array, part: Float64Array): void {
  for (let i = 0; i < total.length; i++) total[i]! += part[i]!;
}

/** The columns of each channel, added in order from +0. */
function addedColumns(columns: Float64Array, channels: number): Float64Array {
  const total = zeros(channels);
  const each = columns.length / channels;
  for (let i = 0; i < columns.length; i++) total[Math.floor(i / each)]! += columns[i]!;
  return total;
}
