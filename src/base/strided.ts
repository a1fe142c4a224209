// Copies between tensors whose elements are not in the same order: views of ndarray libraries, and tensors whose axes change
// places. Elements are moved, and nothing is computed.
import { copyInto, partsOf } from "./arrays.js";
import { KIND, bufferOf, byteOffsetOf, lengthOf, tagOf } from "./check.js";
import type { Data } from "./types.js";

/** Where the elements of a tensor are in an array: at offset + Σ index·stride. Strides count elements. */
export interface Strides {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** An axis of a copy: its size, and how many elements its indices are apart in the source and in the target. */
export interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** The axes of a copy, outermost first. The target has no gaps, so one of them has a step of 1 there. */
export type Axes = readonly Axis[];

/** Moves what begins at two elements. */
type Move = (fromAt: number, toAt: number) => void;

/** The side of the square that a transposition goes through at a time, so that the lines of both sides stay in the cache. */
const TILE = 64;
/** The number of neighbours from which the built-in copy is faster than a loop. */
const LONG = 40;

/** The steps of a tensor in row-major order. */
export function rowMajorSteps(shape: readonly number[]): number[] {
  const steps: number[] = [];
  for (let axis = shape.length - 1, step = 1; axis >= 0; step *= shape[axis--]!) steps[axis] = step;
  return steps;
}

/** Whether the elements follow one another in row-major order. The stride of an axis of size 1 says nothing. */
export function isRowMajor({ shape, strides }: Strides): boolean {
  const steps = rowMajorSteps(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === steps[axis]);
}

/** As few axes as there can be. Two are one if the outer one goes on where the inner one ends, in source and target. */
export function axesOf(sizes: readonly number[], from: readonly number[], to: readonly number[]): Axes {
  const axes: Axis[] = [];
  for (let i = 0; i < sizes.length; i++) {
    const axis = { size: sizes[i]!, from: from[i]!, to: to[i]! };
    const last = axes.at(-1);
    if (axis.size === 1) continue;
    if (last?.from === axis.size * axis.from && last.to === axis.size * axis.to)
      axes[axes.length - 1] = { ...axis, size: last.size * axis.size };
    else axes.push(axis);
  }
  return axes;
}

/** The elements as whole numbers, which keep their bits; 64-bit ones have no such type that is fast. */
function bitsOf(data: Data): Data | Int32Array {
  if (tagOf(data) !== KIND.float32) return data;
  return new Int32Array(bufferOf(data) as ArrayBuffer, byteOffsetOf(data), lengthOf(data));
}

/** A function that copies elements along the axes, from and to wherever it is told to begin. */
export function moveAlong(source: Data, target: Data, axes: Axes): Move {
  const row = axes.find(({ to }) => to === 1);
  const [from, to] = [bitsOf(source), bitsOf(target)];
  if (!row) return (fromAt, toAt) => void (to[toAt] = from[fromAt]!);
  if (row.from === 1 && row.size >= LONG) return moveOuter(axes, [row], moveLongRun(source, target, row.size));
  const column = axes.find((axis) => axis !== row && axis.from === 1);
  if (column) return moveOuter(axes, [row, column], (fromAt, toAt) => transpose(from, to, row, column, fromAt, toAt));
  // Short runs, and elements that are neighbours in the target alone.
  const rows = axes.filter((axis) => axis !== row).at(-1) ?? { size: 1, from: 0, to: 0 };
  return moveOuter(axes, [row, rows], (fromAt, toAt) => copyRows(from, to, row, rows, fromAt, toAt));
}

/** Goes through the axes that `move` does not go through itself. */
function moveOuter(axes: Axes, inner: Axes, move: Move): Move {
  return axes.filter((axis) => !inner.includes(axis)).reduceRight(moveEach, move);
}

function moveEach(move: Move, { size, from, to }: Axis): Move {
  return (fromAt, toAt) => {
    for (let i = 0; i < size; i++, fromAt += from, toAt += to) move(fromAt, toAt);
  };
}

function moveLongRun(source: Data, target: Data, size: number): Move {
  const partOf = partsOf(source);
  return (fromAt, toAt) => copyInto(target, partOf(fromAt, size), toAt);
}

function copyRows(
  from: Data | Int32Array,
  to: Data | Int32Array,
  row: Axis,
  rows: Axis,
  fromAt: number,
  toAt: number,
): void {
  for (let i = 0; i < rows.size; i++, fromAt += rows.from, toAt += rows.to)
    copyRow(from, to, row.from, fromAt, toAt, row.size);
}

/** Copies a matrix whose rows are contiguous in the target, and whose columns are in the source. */
function transpose(
  from: Data | Int32Array,
  to: Data | Int32Array,
  row: Axis,
  column: Axis,
  fromAt: number,
  toAt: number,
): void {
  for (let top = 0; top < column.size; top += TILE) {
    const bottom = Math.min(top + TILE, column.size);
    for (let left = 0; left < row.size; left += TILE) {
      const width = Math.min(TILE, row.size - left);
      let [source, target] = [fromAt + left * row.from + top, toAt + top * column.to + left];
      let i = top;
      for (; i + 4 <= bottom; i += 4, source += 4, target += 4 * column.to)
        copyFourRows(from, to, row.from, column.to, source, target, width);
      for (; i < bottom; i++, source++, target += column.to) copyRow(from, to, row.from, source, target, width);
    }
  }
}

function copyRow(
  from: Data | Int32Array,
  to: Data | Int32Array,
  step: number,
  source: number,
  target: number,
  width: number,
): void {
  const end = target + width;
  for (const whole = end - (width % 4); target < whole; target += 4) {
    const second = source + step;
    const third = second + step;
    const fourth = third + step;
    to[target] = from[source]!;
    to[target + 1] = from[second]!;
    to[target + 2] = from[third]!;
    to[target + 3] = from[fourth]!;
    source = fourth + step;
  }
  for (; target < end; target++, source += step) to[target] = from[source]!;
}

/**
 * Copies four rows that begin at neighbours of the source, in squares of 4×4 elements: half of the time that the rows take
 * one after another, most of which is the arithmetic of indices.
 */
function copyFourRows(
  from: Data | Int32Array,
  to: Data | Int32Array,
  step: number,
  apart: number,
  source: number,
  target: number,
  width: number,
): void {
  const whole = width - (width % 4);
  for (const end = target + whole; target < end; target += 4, source += 4 * step) {
    const b = source + step;
    const c = b + step;
    const d = c + step;
    const second = target + apart;
    const third = second + apart;
    const fourth = third + apart;
    to[target] = from[source]!;
    to[target + 1] = from[b]!;
    to[target + 2] = from[c]!;
    to[target + 3] = from[d]!;
    to[second] = from[source + 1]!;
    to[second + 1] = from[b + 1]!;
    to[second + 2] = from[c + 1]!;
    to[second + 3] = from[d + 1]!;
    to[third] = from[source + 2]!;
    to[third + 1] = from[b + 2]!;
    to[third + 2] = from[c + 2]!;
    to[third + 3] = from[d + 2]!;
    to[fourth] = from[source + 3]!;
    to[fourth + 1] = from[b + 3]!;
    to[fourth + 2] = from[c + 3]!;
    to[fourth + 3] = from[d + 3]!;
  }
  for (let i = whole; i < width; i++, source += step, target++) {
    const third = target + 2 * apart;
    to[target] = from[source]!;
    to[target + apart] = from[source + 1]!;
    to[third] = from[source + 2]!;
    to[third + apart] = from[source + 3]!;
  }
}

/** Copies the elements of a view to `target` in row-major order. The range of the view has been checked. */
export function gatherStrided(source: Data, { shape, strides, offset }: Strides, target: Data): void {
  moveAlong(source, target, axesOf(shape, strides, rowMajorSteps(shape)))(offset, 0);
}
