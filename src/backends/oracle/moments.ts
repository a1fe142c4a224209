// Clauses 2 and 3 of the contract, executable: moments of blocks, groups and channels.
import { GROUP, Part, type Control } from "../../kernels/control.js";
import { EMPTY, merge, type Moments } from "../../kernels/moments.js";
import {
  blocksOf,
  columnOf,
  countOf,
  fold,
  passesOf,
  sampleOf,
  slotsOf,
  widthOf,
  type Block,
  type Slots,
} from "./blocks.js";
import { round, type Floats } from "../../base/types.js";

export const FAR = 0.5; // a first shift more than 0.7 deviations from the mean is too poor
export const TINY = 2 ** -120; // below n·2^-120 a float32 sum of squares may have lost bits to underflow

interface Sums {
  readonly S: number;
  readonly Q: number;
}

/** Σd and Σd² by slot, d = x − k; `k` has a shift for every column. Rounds as float32 or not at all. */
function addUp(x: Floats, block: Block, k: Float64Array, { first, second }: Slots, isFloat32: boolean): void {
  const { columns, lanes, runs, runStride, length, stride } = block;
  const width = lanes * columns;
  first.fill(0, 0, width);
  second.fill(0, 0, width);
  for (let run = 0, start = block.start; run < runs; run++, start += runStride) {
    const end = start + length * stride;
    // Slot by slot, so that sums are local variables: in arrays they took 1.6 times as long.
    for (let slot = 0; slot < width; slot++) {
      const shift = k[slot % columns]!;
      let S = first[slot]!;
      let Q = second[slot]!;
      for (let p = start + slot * stride; p < end; p += width * stride) {
        const d = round(isFloat32, x[p]! - shift);
        S = round(isFloat32, S + d);
        Q = round(isFloat32, Q + round(isFloat32, d * d));
      }
      first[slot] = S;
      second[slot] = Q;
    }
  }
}

/** The sums of a column by itself. */
function columnSums(x: Floats, column: Block, k: number, isFloat32: boolean): Sums {
  const slots = slotsOf(column.lanes);
  addUp(x, column, Float64Array.of(k), slots, isFloat32);
  return { S: fold(slots.first, 1, 0), Q: fold(slots.second, 1, 0) };
}

/** Clause 2: the shift of a group's first block, the mean of its sample, or its first value where that is not finite. */
function firstShift(x: Floats, column: Block, isFloat32: boolean): number {
  const sample = sampleOf(column, x);
  const mean = round(isFloat32, fold(sample, 1, 0) / sample.length);
  return Number.isFinite(mean) ? mean : x[column.start]!;
}

/** What all blocks of a call share. */
interface Call {
  readonly x: Floats;
  readonly isFloat32: boolean;
  /** A shift for every column of a block. */
  readonly k: Float64Array;
  readonly slots: Slots;
}

/**
 * Clause 2: moments of the j-th column of a block around the shift k, of which these are the sums; with the second
 * pass and the escape. `wide` sums are float64 whatever the data's type.
 */
function columnMoments(
  call: Call,
  block: Block,
  j: number,
  first: boolean,
  k: number,
  sums: Sums,
  wide = false,
): Moments {
  const { x, isFloat32 } = call;
  const count = countOf(block);
  if (wide && !Number.isFinite(k)) return { count, mean: NaN, m2: NaN };
  let shift = k;
  let { S, Q } = sums;
  for (let attempt = 1; ; attempt++) {
    const lost = !Number.isFinite(S) || !Number.isFinite(Q) || (Q < count * TINY && !(S === 0 && Q === 0));
    if (lost && isFloat32 && !wide)
      return columnMoments(call, block, j, first, k, columnSums(x, columnOf(block, j), k, false), true);
    const u = S / count;
    const e = S * u;
    const m2 = Q - e;
    if (attempt === 2 || !first || !(e > FAR * m2)) return { count, mean: shift + u, m2: m2 < 0 ? 0 : m2 };
    shift = round(isFloat32, shift + u);
    ({ S, Q } = columnSums(x, columnOf(block, j), shift, isFloat32 && !wide));
  }
}

/** Moments of every column, `count` values each. */
interface Columns {
  count: number;
  readonly mean: Float64Array;
  readonly m2: Float64Array;
}

function at({ count, mean, m2 }: Columns, column: number): Moments {
  return { count, mean: mean[column]!, m2: m2[column]! };
}

function put({ mean, m2 }: Columns, column: number, moments: Moments): void {
  mean[column] = moments.mean;
  m2[column] = moments.m2;
}

/** Clause 2, and clause 3 within a group: the block into the group of its columns. */
function addBlock(call: Call, block: Block, first: boolean, group: Columns): void {
  const { x, isFloat32, k, slots } = call;
  const { column, columns } = block;
  for (let j = 0; j < columns; j++)
    k[j] = first ? firstShift(x, columnOf(block, j), isFloat32) : round(isFloat32, group.mean[column + j]!);
  addUp(x, block, k, slots, isFloat32);
  for (let j = 0; j < columns; j++) {
    const sums = { S: fold(slots.first, columns, j), Q: fold(slots.second, columns, j) };
    const result = columnMoments(call, block, j, first, k[j]!, sums);
    put(group, column + j, merge(at(group, column + j), result));
  }
  group.count += countOf(block);
}

/** Clause 3: the group into the total; the group is empty then. */
function closeGroup(total: Columns, group: Columns, { column, columns }: Block): void {
  for (let c = column; c < column + columns; c++) put(total, c, merge(at(total, c), at(group, c)));
  total.count += group.count;
  group.count = 0;
}

/** mean[c] and m2[c]: the columns of each channel merge in order. */
function channelMoments({ fields, extent }: Control, total: Columns, group: Columns): void {
  const perChannel = total.mean.length / extent.channels;
  for (let c = 0, column = 0; c < extent.channels; c++) {
    let result = EMPTY;
    for (const end = column + perChannel; column < end; column++)
      result = merge(result, merge(at(total, column), at(group, column)));
    fields.mean[c] = result.mean;
    fields.m2[c] = result.m2;
  }
}

/** The kernel; a part goes on from what an earlier one left. */
export function moments(control: Control, x: Floats): void {
  const { state, isFloat32 } = control;
  const width = widthOf(control);
  const call: Call = { x, isFloat32, k: new Float64Array(width), slots: slotsOf(width) };
  const begins = (control.get("part") & Part.first) !== 0;
  const earlier = (slot: "block" | "groupCount" | "totalCount"): number => (begins ? 0 : control.get(slot));
  const [number, totalCount, groupCount] = [earlier("block"), earlier("totalCount"), earlier("groupCount")];
  const total: Columns = { count: totalCount, mean: state[0]!, m2: state[1]! };
  const group: Columns = { count: groupCount, mean: state[2]!, m2: state[3]! };
  for (let channel = 0; channel < passesOf(control); channel++) {
    let next = number;
    total.count = totalCount;
    group.count = groupCount;
    for (const block of blocksOf(control, channel)) {
      const first = next++ % GROUP === 0;
      if (first) closeGroup(total, group, block);
      addBlock(call, block, first, group);
    }
    control.set("block", next);
  }
  control.set("totalCount", total.count);
  control.set("groupCount", group.count);
  if ((control.get("part") & Part.last) !== 0) channelMoments(control, total, group);
}
