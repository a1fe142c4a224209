// Tensors with their axes in another order.
import { copyInto, partsOf } from "./arrays.js";
import { allocateLike } from "./outputs.js";
import { axesOf, moveAlong, rowMajorSteps, type Axes } from "./strided.js";
import type { Data } from "./types.js";

/** How a row-major tensor is copied to another order of its axes: its axes in that order. */
export type Order = Axes;

/** The most elements that change places by a copy of them alone, which a cache holds. */
const MOST = 2 ** 20;
/** The elements up to which several blocks are copied at a time. */
const FEW = 2 ** 12;

/** The order in which the axes of a shape come as `axes` lists them, with as few of them as there can be. */
export function orderOf(shape: readonly number[], axes: readonly number[]): Order {
  const steps = rowMajorSteps(shape);
  const sizes = axes.map((axis) => shape[axis]!);
  return axesOf(
    sizes,
    axes.map((axis) => steps[axis]!),
    rowMajorSteps(sizes),
  );
}

/** The way back. */
function backOf(order: Order): Order {
  return order.map(({ size, from, to }) => ({ size, from: to, to: from }));
}

/** Copies a row-major tensor to the order. */
export function copyToOrder(from: Data, to: Data, order: Order): void {
  moveAlong(from, to, order)(0, 0);
}

/** Copies a tensor in the order back to a row-major one. */
export function copyFromOrder(from: Data, to: Data, order: Order): void {
  copyToOrder(from, to, backOf(order));
}

/**
 * Whether elements change places only within blocks that a copy may be made of: those of one index of the outermost axis,
 * which is so in both orders.
 */
export function isInBlocks([outer]: Order): boolean {
  return outer !== undefined && outer.from === outer.to && outer.to > 1 && outer.to <= MOST;
}

/** Puts a row-major tensor in the order, in its own memory. `isInBlocks` says whether that can be done. */
export function putInOrder(data: Data, order: Order): void {
  const [{ size, to: each }, ...inner] = order as [Axes[0], ...Axes];
  const many = Math.min(size, Math.max(1, Math.floor(FEW / each)));
  const partOf = partsOf(data);
  const block = allocateLike(data, many * each);
  const move = moveAlong(block, data, inner);
  for (let i = 0; i < size; i += many) {
    const count = Math.min(many, size - i);
    copyInto(block, partOf(i * each, count * each));
    for (let k = 0; k < count; k++) move(k * each, (i + k) * each);
  }
}

/** The reverse. */
export function putFromOrder(data: Data, order: Order): void {
  putInOrder(data, backOf(order));
}
