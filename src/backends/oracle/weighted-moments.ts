// Clause 6 of the contract, executable: moments of values that have weights.
import { GROUP, Part, Walk, type Control } from "../../kernels/control.js";
import { EMPTY, merge, type Moments } from "../../kernels/moments.js";
import { LANES, blocksOf, columnOf, fold, passesOf, sampleOf, slotsOf, type Block } from "./blocks.js";
import { FAR, TINY } from "./moments.js";
import { round, type Floats } from "../../base/types.js";

/** The weights of a column of a block: as many runs of as many as it has values, `stride` apart. */
interface ColumnWeights {
  readonly start: number;
  readonly runStride: number;
  readonly stride: number;
}

function weightsOf({ extent, walk }: Control, { start }: Block): ColumnWeights {
  const { channels, inner } = extent;
  const first = Math.floor(start / (channels * inner)) * inner + (start % inner);
  return { start: first, runStride: inner, stride: walk === Walk.planes ? 1 : inner };
}

/** What the columns of a call share. */
interface Call {
  readonly x: Floats;
  readonly w: Floats;
  readonly isFloat32: boolean;
  /** W of blocks by where their weights begin: channels share them. */
  readonly known: Map<number, number>;
}

interface Sums {
  readonly S: number;
  readonly Q: number;
}

/** W of a block: its lanes are 16 in every walk, and do not depend on x. */
function weightSum(
  { w, isFloat32 }: Call,
  { runs, length }: Block,
  { start, runStride, stride }: ColumnWeights,
): number {
  for (const isRounded of isFloat32 ? [true, false] : [false]) {
    const z = new Float64Array(LANES);
    for (let run = 0; run < runs; run++) {
      for (let e = 0; e < length; e++) {
        z[e % LANES] = round(isRounded, z[e % LANES]! + w[start + run * runStride + e * stride]!);
      }
    }
    const W = fold(z, 1, 0);
    if (Number.isFinite(W)) return W;
  }
  return Infinity;
}

/** Σv and Σv·d of a column: d = x − k, +0 where w = 0, and v = w·d. */
function columnSums({ x, w }: Call, block: Block, weights: ColumnWeights, k: number, isFloat32: boolean): Sums {
  const { lanes, runs, length } = block;
  const { first, second } = slotsOf(lanes);
  for (let run = 0; run < runs; run++) {
    const start = block.start + run * block.runStride;
    const from = weights.start + run * weights.runStride;
    for (let lane = 0; lane < lanes; lane++) {
      let S = first[lane]!;
      let Q = second[lane]!;
      for (let e = lane; e < length; e += lanes) {
        const weight = w[from + e * weights.stride]!;
        const d = weight <= 0 ? 0 : round(isFloat32, x[start + e * block.stride]! - k);
        const v = round(isFloat32, weight * d);
        S = round(isFloat32, S + v);
        Q = round(isFloat32, Q + round(isFloat32, v * d));
      }
      first[lane] = S;
      second[lane] = Q;
    }
  }
  return { S: fold(first, 1, 0), Q: fold(second, 1, 0) };
}

/** The mean of those values of the block's sample that have a weight; 0 where there is none, or it is not finite. */
function firstShift({ x, w, isFloat32 }: Call, block: Block, { start, stride }: ColumnWeights): number {
  // Runs of a block lie side by side in w.
  const single = { ...block, start, runs: 1, length: block.runs * block.length, stride };
  const isKept = sampleOf(single, w).map((weight) => (weight <= 0 ? 0 : 1));
  const sample = sampleOf(block, x).map((value, j) => (isKept[j] ? value : 0));
  const mean = round(isFloat32, fold(sample, 1, 0) / isKept.reduce((a, b) => a + b));
  return Number.isFinite(mean) ? mean : 0;
}

/** Moments of a column of a block whose weights sum to W. `wide` sums are float64 whatever the data's type. */
function columnMoments(
  call: Call,
  block: Block,
  weights: ColumnWeights,
  W: number,
  first: boolean,
  k: number,
  wide: boolean,
): Moments {
  const { isFloat32 } = call;
  const tiny = block.runs * block.length * TINY;
  let shift = k;
  for (let attempt = 1; ; attempt++) {
    const { S, Q } = columnSums(call, block, weights, shift, isFloat32 && !wide);
    const isSmall = (Q < tiny && !(S === 0 && Q === 0)) || W < tiny;
    if (isFloat32 && !wide && (!Number.isFinite(S) || !Number.isFinite(Q) || isSmall))
      return columnMoments(call, block, weights, W, first, k, true);
    const u = S / W;
    const e = S * u;
    const m2 = Q - e;
    if (attempt === 2 || !first || !(e > FAR * m2)) return { count: W, mean: shift + u, m2: m2 < 0 ? 0 : m2 };
    shift = round(isFloat32, shift + u);
  }
}

/** Moments of every column, each with its own count. */
class Columns {
  constructor(
    private readonly mean: Float64Array,
    private readonly m2: Float64Array,
    private readonly count: Float64Array,
  ) {}

  at(column: number): Moments {
    return { count: this.count[column]!, mean: this.mean[column]!, m2: this.m2[column]! };
  }

  put(column: number, { count, mean, m2 }: Moments): void {
    this.count[column] = count;
    this.mean[column] = mean;
    this.m2[column] = m2;
  }
}

/** The block into the group of its columns. */
function addBlock(control: Control, call: Call, block: Block, group: Columns): void {
  for (let j = 0; j < block.columns; j++) {
    const column = columnOf(block, j);
    const weights = weightsOf(control, column);
    const W = call.known.get(weights.start) ?? weightSum(call, column, weights);
    call.known.set(weights.start, W);
    if (W === 0) continue;
    const before = group.at(column.column);
    const first = before.count === 0;
    const k = first ? firstShift(call, column, weights) : round(call.isFloat32, before.mean);
    group.put(column.column, merge(before, columnMoments(call, column, weights, W, first, k, false)));
  }
}

/** The kernel; a part goes on from what an earlier one left. */
export function weightedMoments(control: Control, x: Floats, w: Floats): void {
  const { state, fields, extent } = control;
  const call = { x, w, isFloat32: control.isFloat32, known: new Map<number, number>() };
  const begins = (control.get("part") & Part.first) !== 0;
  const number = begins ? 0 : control.get("block");
  if (begins) for (const array of state) array.fill(0);
  const total = new Columns(state[0]!, state[1]!, state[4]!);
  const group = new Columns(state[2]!, state[3]!, state[5]!);
  const closed = (column: number): Moments => merge(total.at(column), group.at(column));
  for (let channel = 0; channel < passesOf(control); channel++) {
    let next = number;
    for (const block of blocksOf(control, channel)) {
      const end = block.column + block.columns;
      for (let column = block.column; next % GROUP === 0 && column < end; column++) {
        total.put(column, closed(column));
        group.put(column, EMPTY);
      }
      addBlock(control, call, block, group);
      next++;
    }
    control.set("block", next);
  }
  if ((control.get("part") & Part.last) === 0) return;
  const perChannel = state[0]!.length / extent.channels;
  for (let c = 0, column = 0; c < extent.channels; c++) {
    let result = EMPTY;
    for (const end = column + perChannel; column < end; column++) result = merge(result, closed(column));
    fields.mean[c] = result.mean;
    fields.m2[c] = result.m2;
    control.set("count", result.count);
  }
}
