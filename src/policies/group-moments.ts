// The moments of a batch by the groups of the contract, before they are merged, and their merging. So parts of a batch that
// end where groups end have the bits of the whole, whoever computes them.
import { copyInto, zeros } from "../base/arrays.js";
import { after, inTurn, type Later } from "../base/later.js";
import { isStoredIn16Bits, type Floats } from "../base/types.js";
import { widen } from "../base/storage.js";
import { momentsByGroup } from "../backends/oracle/moments.js";
import { computeMoments, type Batch } from "../engine/statistics.js";
import { Control } from "../kernels/control.js";
import { EMPTY, emptyMoments, merge, type Moments, type WholeMoments } from "../kernels/moments.js";
import { sumOfSquares, squaresByGroup } from "../values/weights.js";
import {
  columnsPerChannel,
  hasGroupsInRuns,
  hasGroupsOfRows,
  hasWeightsInRuns,
  piecesOf,
  positionsOf,
  segmentsOf,
  type WorkspaceFor,
} from "./pieces.js";

/**
 * The moments of one group of a batch: those of every column of it. A channel has one column, or with runs of fewer than 16
 * values one for each of them. Columns are merged into channels after all groups.
 */
export interface GroupMoments {
  /** W of each column of a channel: the channels share their weights. */
  readonly counts: Float64Array;
  /** Σw² over all positions of the group. */
  readonly sumSquaredWeights: number;
  /** The mean of each column: of those of the first channel, then of those of the second, and so on. */
  readonly mean: Float64Array;
  /** The sum of squared deviations of each column, Σ(x − mean)² or Σw·(x − mean)². */
  readonly m2: Float64Array;
}

/** Moments of so many columns, and as many counts as a channel has. */
function emptyGroup(columns: number, each: number): GroupMoments & { sumSquaredWeights: number } {
  return { counts: zeros(each), sumSquaredWeights: 0, mean: zeros(columns), m2: zeros(columns) };
}

/** The moments of channels as those of a group. */
export function asGroup({ count, sumSquaredWeights, mean, m2 }: WholeMoments): GroupMoments {
  return { counts: Float64Array.of(count), sumSquaredWeights, mean, m2 };
}

/** Groups that end with rows, a call each; of runs that are shared otherwise, the fewest that end with rows together. */
function* ofPieces({ plan, x, weights }: Batch, workspaceFor: WorkspaceFor): Generator<Later<GroupMoments>> {
  const each = columnsPerChannel(plan, weights && weights.values);
  for (const { extent, columns, weights: values, of } of piecesOf(plan.dtype, plan, weights && weights.values, each)) {
    const count = columns.outer * columns.inner;
    const own = weights && { ...weights, values: values! };
    const part = { ...plan, ...columns, size: count * columns.channels, count };
    const workspace = workspaceFor(columns, own !== null);
    yield after(computeMoments(workspace, { plan: part, x: of(x), weights: own }), (moments) => {
      const counts = zeros(each).fill(moments.count);
      const all = moments.count * each;
      const sumSquaredWeights = own ? sumOfSquares(own, extent, all) : all;
      return { counts, sumSquaredWeights, mean: moments.mean, m2: moments.m2 };
    });
  }
}

/** Groups within runs: a call for each channel of each. */
function* ofSegments({ plan, x, weights }: Batch, workspaceFor: WorkspaceFor): Generator<Later<GroupMoments>> {
  const values = positionsOf(plan.dtype, plan, weights && weights.values);
  for (const { extent, of, positions } of segmentsOf(plan)) {
    const group = emptyGroup(plan.channels, 1);
    const count = extent.outer;
    const own = weights && { ...weights, values: positions(values!) };
    const workspace = workspaceFor(extent, own !== null);
    const part = { ...plan, ...extent, size: count, count };
    const ran = inTurn(Array(plan.channels).keys(), (c) =>
      after(computeMoments(workspace, { plan: part, x: of(x, c), weights: own }), (moments) => {
        group.counts[0] = moments.count;
        group.sumSquaredWeights = moments.sumSquaredWeights;
        group.mean[c] = moments.mean[0]!;
        group.m2[c] = moments.m2[0]!;
      }),
    );
    yield after(ran, () => group);
  }
}

/** Groups that no call of a kernel has by itself, by the oracle: slow, but the bits of every other backend. */
function* ofOracle({ plan, x, weights }: Batch): Generator<GroupMoments> {
  const { dtype } = plan;
  const values = positionsOf(dtype, plan, weights && weights.values);
  const floats = isStoredIn16Bits(dtype) ? widen(dtype, x as Uint16Array) : (x as Floats);
  const squares = weights && squaresByGroup({ ...weights, values: values! }, plan);
  let number = 0;
  for (const states of momentsByGroup(new Control(dtype, plan), floats, values)) {
    const each = states.length / plan.channels;
    const group = emptyGroup(states.length, each);
    copyInto(
      group.counts,
      states.slice(0, each).map(({ count }) => count),
    );
    copyInto(
      group.mean,
      states.map(({ mean }) => mean),
    );
    copyInto(
      group.m2,
      states.map(({ m2 }) => m2),
    );
    group.sumSquaredWeights = squares ? squares[number++]! : group.counts.reduce((a, b) => a + b, 0);
    yield group;
  }
}

/**
 * Makes the moments of a batch by groups, and gives them to `use`, in order. `isExact`: also where groups end within runs, or
 * where weights differ within short ones, which takes the time of plain JavaScript. Otherwise such groups come merged, several
 * or several columns as one.
 */
export function forMomentsOfGroups(
  batch: Batch,
  workspaceFor: WorkspaceFor,
  isExact: boolean,
  use: (group: GroupMoments) => void,
): Later<void> {
  if (batch.plan.size === 0) return;
  // A group is asked for when the one before it is there: they share a control block.
  return inTurn(groupsIn(batch, workspaceFor, isExact), (group) => after(group, use));
}

function groupsIn(batch: Batch, workspaceFor: WorkspaceFor, isExact: boolean): Iterable<Later<GroupMoments>> {
  const { plan, weights } = batch;
  if (hasGroupsInRuns(plan)) return ofSegments(batch, workspaceFor);
  const isPlain = hasGroupsOfRows(plan) && !hasWeightsInRuns(plan, weights && weights.values);
  return isPlain || !isExact ? ofPieces(batch, workspaceFor) : ofOracle(batch);
}

function columnOf({ counts, mean, m2 }: GroupMoments, i: number): Moments {
  return { count: counts[i % counts.length]!, mean: mean[i]!, m2: m2[i]! };
}

/** The columns of each channel, merged in order. */
function mergedChannels(group: GroupMoments, channels: number): GroupMoments {
  const each = group.counts.length;
  if (each === 1) return group;
  const result = { ...emptyGroup(channels, 1), sumSquaredWeights: group.sumSquaredWeights };
  for (let c = 0; c < channels; c++) {
    let merged = EMPTY;
    for (let i = c * each; i < (c + 1) * each; i++) merged = merge(merged, columnOf(group, i));
    result.counts[0] = merged.count;
    result.mean[c] = merged.mean;
    result.m2[c] = merged.m2;
  }
  return result;
}

/** The groups of a batch, merged in the order in which they are added. */
export class MergedMoments {
  /** Of columns, as many for a channel as all groups so far leave. */
  #merged: GroupMoments | null = null;

  constructor(private readonly channels: number) {}

  add(group: GroupMoments): void {
    const { channels } = this;
    const [own, each] = [this.#merged?.counts.length ?? group.counts.length, group.counts.length];
    const whole = own === each ? group : mergedChannels(group, channels);
    const before = own === each ? this.#merged : mergedChannels(this.#merged!, channels);
    this.#merged = before ? mergedColumns(before, whole) : whole;
  }

  /** Of nothing, they are 0. */
  total(): WholeMoments {
    const { channels } = this;
    if (!this.#merged) return emptyMoments(channels);
    const { counts, sumSquaredWeights, mean, m2 } = mergedChannels(this.#merged, channels);
    return { count: counts[0]!, sumSquaredWeights, mean, m2 };
  }
}

function mergedColumns(a: GroupMoments, b: GroupMoments): GroupMoments {
  const each = a.counts.length;
  const result = emptyGroup(a.mean.length, each);
  for (let i = 0; i < a.mean.length; i++) {
    const merged = merge(columnOf(a, i), columnOf(b, i));
    result.mean[i] = merged.mean;
    result.m2[i] = merged.m2;
  }
  for (let i = 0; i < each; i++) result.counts[i] = a.counts[i]! + b.counts[i]!;
  return { ...result, sumSquaredWeights: a.sumSquaredWeights + b.sumSquaredWeights };
}
