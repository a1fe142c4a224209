// Channel axes that do not touch: the data are copied to an order of the axes in which they do, worked on there, and copied
// back. The results are those of a caller who does so by hand. Where elements change places only within small blocks, as
// those of a sample do behind the first channel axis, results are made in their own array and put in order there.
import {
  copyFromOrder,
  copyToOrder,
  isInBlocks,
  orderOf,
  putFromOrder,
  putInOrder,
  type Order,
} from "../base/axis-order.js";
import { after, type Later } from "../base/later.js";
import { allocateOutput } from "../base/outputs.js";
import type { Data } from "../base/types.js";
import type { BackwardArrays } from "../engine/backward.js";
import { forward, type Forward, type ForwardArrays } from "../engine/forward.js";
import type { StatisticsSource } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import { sameMemory } from "../values/aliases.js";
import { noteWrites } from "../values/lifetime.js";
import { togetherAxes, type Plan } from "../values/plan.js";
import { sizeOf, type Saved } from "../values/saved.js";

function copied(data: Data, order: Order, { dtype, size }: { dtype: Plan["dtype"]; size: number }): Data {
  const copy = allocateOutput(dtype, size);
  copyToOrder(data, copy, order);
  return copy;
}

/** Copies what was made in the order to where it belongs, which may be its own place. */
function copyBack(own: Data, to: Data, order: Order): void {
  if (own === to) putFromOrder(to, order);
  else copyFromOrder(own, to, order);
}

/** The order of the axes of a plan or a token, or null where channel axes touch or there is nothing to copy. */
function orderOfAxes(of: Plan | Saved): Order | null {
  const { apartAxes, shape } = of;
  return apartAxes && sizeOf(of) > 0 ? orderOf(shape, togetherAxes(shape.length, apartAxes)) : null;
}

/** x as statistics take it. */
export function together(plan: Plan, x: Data): Data {
  const order = orderOfAxes(plan);
  return order ? copied(x, order, plan) : x;
}

/** An input in the order, in the place of the output. */
function inPlaceOf(output: Data, input: Data, order: Order): Data {
  if (sameMemory(input, output)) putInOrder(output, order);
  else copyToOrder(input, output, order);
  return output;
}

/**
 * The arrays of a forward with the channel axes together. They are the given ones where these touch already. `isChecked`:
 * nothing rejects the call any more, so that the output may be written.
 */
export function togetherArrays(arrays: ForwardArrays, isChecked: boolean): ForwardArrays {
  const { plan, x, y, kept } = arrays;
  const order = orderOfAxes(plan);
  if (!order) return arrays;
  const inBlocks = isInBlocks(order);
  // First, because the output may take its place.
  const residual = arrays.residual && copied(arrays.residual, order, plan);
  if (isChecked && inBlocks && kept === null) return { ...arrays, x: inPlaceOf(y, x, order), residual };
  const own = copied(x, order, plan);
  // What is kept stays as it is.
  if (inBlocks && kept !== "output") return { ...arrays, x: own, residual };
  return { ...arrays, x: own, y: kept === "input" ? allocateOutput(plan.dtype, plan.size) : own, residual };
}

/** Copies the output of such arrays to where it belongs. */
export function putOutput(own: ForwardArrays, { plan, y }: ForwardArrays): void {
  const order = orderOfAxes(plan);
  if (!order) return;
  noteWrites(y);
  copyBack(own.y, y, order);
}

/** Normalizes x into y, whatever the place of the channels. */
export function forwardTogether(workspace: Workspace, arrays: ForwardArrays, source: StatisticsSource): Later<Forward> {
  const own = togetherArrays(arrays, true);
  return after(forward(workspace, own, source), (result) => {
    putOutput(own, arrays);
    return result;
  });
}

/** gradOutput as the token of a forward has its data. */
export function togetherLike(saved: Saved, gradient: Data): Data {
  const order = orderOfAxes(saved);
  return order ? copied(gradient, order, { dtype: saved.dtype, size: sizeOf(saved) }) : gradient;
}

/** The reverse: a result that is in the order of a token's data, in the order of the caller's. */
export function apartLike(saved: Saved, result: Data): Data {
  const order = orderOfAxes(saved);
  if (!order) return result;
  const copy = allocateOutput(saved.dtype, sizeOf(saved));
  copyFromOrder(result, copy, order);
  return copy;
}

/** dy in the order, in the place of dx if that can be. */
function gradientTogether(saved: Saved, { dy, dx }: BackwardArrays, order: Order): Data {
  if (!dx || !isInBlocks(order) || sameMemory(dx, saved.x)) return togetherLike(saved, dy);
  return inPlaceOf(dx, dy, order);
}

/** Computes gradients with the channel axes together, as a token has them. Nothing rejects the call any more. */
export function gradsTogether<R, Dx extends Data | null>(
  saved: Saved,
  arrays: BackwardArrays<Dx>,
  compute: (own: BackwardArrays<Dx>) => Later<R>,
): Later<R> {
  const order = orderOfAxes(saved);
  if (!order) return compute(arrays);
  const { dx, dresidual } = arrays;
  noteWrites(dx, dresidual);
  const dy = gradientTogether(saved, arrays, order);
  const ownResidual = dresidual && (isInBlocks(order) ? dresidual : allocateOutput(saved.dtype, sizeOf(saved)));
  // gradInput takes the place of the copy.
  return after(compute({ dy, dx: (dx && dy) as Dx, dresidual: ownResidual }), (result) => {
    if (dx) copyBack(dy, dx, order);
    if (dresidual) copyBack(ownResidual!, dresidual, order);
    return result;
  });
}
