// Copies of a tensor in another order of its axes. Elements are moved, and nothing is computed.
import { KIND, bufferOf, byteOffsetOf, lengthOf, tagOf } from "./check.js";
import { copyInto, partsOf } from "./arrays.js";
import type { Data } from "./types.js";

/** An axis: its size, and how many elements its indices are apart in memory, in the two orders. */
interface Axis {
  readonly size: number;
  readonly near: number;
  readonly far: number;
}

/** How a row-major tensor is copied to another order of its axes: its axes in that order. */
export type Order = readonly Axis[];

/** The side of the square that a transposition goes through at a time, so that the lines of both sides stay in the cache. */
const TILE = 32;
/** The number of neighbours from which the built-in copy is faster than a loop. */
const LONG = 64;

/** The order in which the axes of a shape come as `axes` lists them, with as few of them as there can be. */
export function orderOf(shape: readonly number[], axes: readonly number[]): Order {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  const order: Axis[] = [];
  let far = 1;
  // From the last one: axes that are neighbours in both orders are one.
  for (let i = axes.length - 1; i >= 0; i--) {
    const [size, near] = [shape[axes[i]!]!, strides[axes[i]!]!];
    const last = order[0];
    if (last && near === last.near * last.size) order[0] = { ...last, size: last.size * size };
    else if (size !== 1) order.unshift({ size, near, far });
    far *= size;
  }
  return order;
}

/** The elements as whole numbers, which keep their bits; 64-bit ones have no such type that is fast. */
function bitsOf(data: Data): Data | Int32Array {
  if (tagOf(data) !== KIND.float32) return data;
  return new Int32Array(bufferOf(data) as ArrayBuffer, byteOffsetOf(data), lengthOf(data));
}

/** Copies a row-major tensor to the order. */
export function copyToOrder(from: Data, to: Data, order: Order): void {
  copyStrided(from, to, order);
}

/** Copies a tensor in the order back to a row-major one. */
export function copyFromOrder(from: Data, to: Data, order: Order): void {
  copyStrided(
    from,
    to,
    order.map(({ size, near, far }) => ({ size, near: far, far: near })),
  );
}

/** Goes through the axes but one or two, which a loop of its own copies: from steps of `near` to steps of `far`. */
function copyStrided(source: Data, target: Data, axes: Order): void {
  const row = axes.find(({ far }) => far === 1);
  const column = axes.find(({ near }) => near === 1);
  if (!row || !column) return copyInto(target, source); // one element, or nothing to order
  const outer = axes.filter((axis) => axis !== row && axis !== column);
  const isRun = row === column;
  const copyRun = isRun && row.size >= LONG ? longRuns(source, target, row.size) : null;
  const [from, to] = [bitsOf(source), bitsOf(target)];
  const index = outer.map(() => 0);
  let [fromAt, toAt] = [0, 0];
  for (;;) {
    if (copyRun) copyRun(fromAt, toAt);
    else if (isRun) for (let i = 0; i < row.size; i++) to[toAt + i] = from[fromAt + i]!;
    else transpose(from, to, row, column, fromAt, toAt);
    let axis = outer.length - 1;
    for (; axis >= 0; axis--) {
      const { size, near, far } = outer[axis]!;
      fromAt += near;
      toAt += far;
      if (++index[axis]! < size) break;
      index[axis] = 0;
      fromAt -= near * size;
      toAt -= far * size;
    }
    if (axis < 0) return;
  }
}

function longRuns(source: Data, target: Data, size: number): (fromAt: number, toAt: number) => void {
  const partOf = partsOf(source);
  return (fromAt, toAt) => copyInto(target, partOf(fromAt, size), toAt);
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
  const [width, near] = [row.size, row.near];
  const [height, far] = [column.size, column.far];
  for (let top = 0; top < height; top += TILE) {
    const bottom = Math.min(top + TILE, height);
    for (let left = 0; left < width; left += TILE) {
      const right = Math.min(left + TILE, width);
      for (let i = top; i < bottom; i++) {
        let source = fromAt + i + left * near;
        const end = toAt + i * far + right;
        for (let target = toAt + i * far + left; target < end; target++, source += near) to[target] = from[source]!;
      }
    }
  }
}
