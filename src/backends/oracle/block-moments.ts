// Clauses 2 and 6 of the contract, executable: the moments of a block's columns, of values that may have weights.
import { fill } from "../../base/arrays.js";
import type { Moments } from "../../kernels/moments.js";
import { columnOf, fold, sampleOf, slotsOf, type Block, type Slots } from "./blocks.js";
import { round, type Floats } from "../../base/types.js";

const FAR = 0.5; // a first shift more than 0.7 deviations from the mean is too poor
const TINY = 2 ** -120; // below n·2^-120 a float32 sum may have lost bits to underflow

/** A block and the block of its positions' weights; without weights both are the same. */
export interface Pair {
  readonly block: Block;
  readonly weights: Block;
}

/** What all blocks of a call share. */
export interface Call {
  readonly x: Floats;
  readonly w: Floats | null;
  readonly isFloat32: boolean;
}

interface Sums {
  readonly S: number;
  readonly Q: number;
}

/** The j-th column of a block, and its weights. */
function columnPairOf({ block, weights }: Pair, j: number): Pair {
  const column = columnOf(block, j);
  return { block: column, weights: weights === block ? column : columnOf(weights, j % weights.columns) };
}

/**
 * Σv and Σv·d by slot: d = x − k and v = d, or with weights d = +0 where w = 0 and v = w·d. `k` has a shift for every
 * column. Rounds as float32 or not at all.
 */
export function addUp(
  { x, w }: Call,
  { block, weights }: Pair,
  k: Float64Array,
  slots: Slots,
  isFloat32: boolean,
): void {
  const { columns, lanes, runs, runStride, length, stride } = block;
  const { first, second } = slots;
  const width = lanes * columns;
  const weightStep = lanes * weights.columns * weights.stride;
  fill(first, 0, 0, width);
  fill(second, 0, 0, width);
  for (let run = 0, start = block.start; run < runs; run++, start += runStride) {
    const end = start + length * stride;
    // Slot by slot, so that sums are local variables: in arrays they took 1.6 times as long.
    for (let slot = 0; slot < width; slot++) {
      const j = slot % columns;
      const shift = k[j]!;
      let S = first[slot]!;
      let Q = second[slot]!;
      let p = start + slot * stride;
      if (w) {
        const ofLane = Math.floor(slot / columns) * weights.columns + (j % weights.columns);
        let at = weights.start + run * weights.runStride + ofLane * weights.stride;
        for (; p < end; p += width * stride, at += weightStep) {
          const d = w[at]! <= 0 ? 0 : round(isFloat32, x[p]! - shift);
          const v = round(isFloat32, w[at]! * d);
          S = round(isFloat32, S + v);
          Q = round(isFloat32, Q + round(isFloat32, v * d));
        }
      }
      for (; p < end; p += width * stride) {
        const d = round(isFloat32, x[p]! - shift);
        S = round(isFloat32, S + d);
        Q = round(isFloat32, Q + round(isFloat32, d * d));
      }
      first[slot] = S;
      second[slot] = Q;
    }
  }
}

/** The sums of the j-th column by itself. */
function columnSums(call: Call, pair: Pair, j: number, k: number, isFloat32: boolean): Sums {
  const slots = slotsOf(pair.block.lanes);
  addUp(call, columnPairOf(pair, j), Float64Array.of(k), slots, isFloat32);
  return { S: fold(slots.first, 1, 0), Q: fold(slots.second, 1, 0) };
}

/** W, the sum of a column's weights. Where it is not finite, float32 sums once more in float64. */
export function weightSum(w: Floats, column: Block, isFloat32: boolean): number {
  const { start, runs, runStride, length, stride, lanes } = column;
  const z = new Float64Array(lanes);
  for (let run = 0; run < runs; run++) {
    for (let e = 0; e < length; e++) {
      z[e % lanes] = round(isFloat32, z[e % lanes]! + w[start + run * runStride + e * stride]!);
    }
  }
  const W = fold(z, 1, 0);
  return Number.isFinite(W) || !isFloat32 ? W : weightSum(w, column, false);
}

/**
 * The shift of the j-th column in its group's first block: the mean of those values of the sample that have a weight.
 * Where that is not finite, it is the block's first value, or with weights 0.
 */
export function firstShift({ x, w, isFloat32 }: Call, { block, weights }: Pair, j: number): number {
  const sample = sampleOf(columnOf(block, j), x);
  let count = sample.length;
  if (w) {
    const ofSample = sampleOf(columnOf(weights, j % weights.columns), w);
    for (let i = 0; i < sample.length; i++) {
      if (ofSample[i]! > 0) continue;
      sample[i] = 0;
      count--;
    }
  }
  const mean = round(isFloat32, fold(sample, 1, 0) / count);
  if (Number.isFinite(mean)) return mean;
  return w ? 0 : x[block.start + j * block.stride]!;
}

/**
 * Moments of the j-th column of a block around the shift k, of which these are the sums; with the second pass and the
 * escape. `count` is how many values there are, or W. `wide` sums are float64 whatever the data's type.
 */
export function columnMoments(
  call: Call,
  pair: Pair,
  j: number,
  count: number,
  first: boolean,
  k: number,
  sums: Sums,
  wide = false,
): Moments {
  const { isFloat32 } = call;
  const { runs, length, columns } = pair.block;
  if (wide && !Number.isFinite(k)) return { count, mean: NaN, m2: NaN };
  const tiny = ((runs * length) / columns) * TINY;
  let shift = k;
  let { S, Q } = sums;
  for (let attempt = 1; ; attempt++) {
    const isTiny = (Q < tiny && !(S === 0 && Q === 0)) || count < tiny;
    if (isFloat32 && !wide && (isTiny || !Number.isFinite(S) || !Number.isFinite(Q)))
      return columnMoments(call, pair, j, count, first, k, columnSums(call, pair, j, k, false), true);
    const u = S / count;
    const e = S * u;
    const m2 = Q - e;
    if (attempt === 2 || !first || !(e > FAR * m2)) return { count, mean: shift + u, m2: m2 < 0 ? 0 : m2 };
    shift = round(isFloat32, shift + u);
    ({ S, Q } = columnSums(call, pair, j, shift, isFloat32 && !wide));
  }
}
