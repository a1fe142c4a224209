// Axes in another order, by the coordinates of every element.
import type { Data } from "../../src/base/types.js";

/** The axes with the channels together at the place of the first of them, as a caller would order them by hand. */
export function handOrder(rank: number, channels: readonly number[]): number[] {
  const order: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    if (axis === channels[0]) order.push(...channels);
    else if (!channels.includes(axis)) order.push(axis);
  }
  return order;
}

/** For each element of the ordered tensor: its index in the row-major one. */
export function indicesOf(shape: readonly number[], order: readonly number[]): number[] {
  const strideOf = (axis: number): number => shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  return order.reduce<number[]>(
    (starts, axis) =>
      starts.flatMap((start) => Array.from({ length: shape[axis]! }, (_, i) => start + i * strideOf(axis))),
    [0],
  );
}

/** A copy in that order. */
export function transposed<T extends Data>(data: T, indices: readonly number[]): T {
  return data.map((_, i) => data[indices[i]!]!) as T;
}

/** The same backwards. */
export function restored<T extends Data>(data: T, indices: readonly number[]): T {
  const copy = data.slice() as T;
  indices.forEach((at, i) => (copy[at] = data[i]!));
  return copy;
}
