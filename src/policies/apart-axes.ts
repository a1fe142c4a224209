// Channel axes that do not touch: the data are copied to an order of the axes in which they do, worked on there, and copied
// back. The results are those of a caller who does so by hand.
import { copyFromOrder, copyToOrder, orderOf, type Order } from "../base/axis-order.js";
import { after, type Later } from "../base/later.js";
import { allocateOutput } from "../base/outputs.js";
import type { Data } from "../base/types.js";
import type { BackwardArrays } from "../engine/backward.js";
import { forward, type Forward, type ForwardArrays } from "../engine/forward.js";
import type { StatisticsSource } from "../engine/statistics.js";
import type { Workspace } from "../engine/workspace.js";
import { noteWrites } from "../values/lifetime.js";
import { togetherAxes, type Plan } from "../values/plan.js";
import { sizeOf, type Saved } from "../values/saved.js";

function copied(data: Data, order: Order, { dtype, size }: { dtype: Plan["dtype"]; size: number }): Data {
  const copy = allocateOutput(dtype, size);
  copyToOrder(data, copy, order);
  return copy;
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

/** The arrays of a forward with the channel axes together. They are the given ones where these touch already. */
export function togetherArrays(arrays: ForwardArrays): ForwardArrays {
  const { plan, x, residual, kept } = arrays;
  const order = orderOfAxes(plan);
  if (!order) return arrays;
  const own = copied(x, order, plan);
  // The output takes the place of the copy unless a backward needs that.
  const y = kept === "input" ? allocateOutput(plan.dtype, plan.size) : own;
  return { ...arrays, x: own, y, residual: residual && copied(residual, order, plan) };
}

/** Copies the output of such arrays to where it belongs. */
export function putOutput(own: ForwardArrays, { plan, y }: ForwardArrays): void {
  const order = orderOfAxes(plan);
  if (!order) return;
  noteWrites(y);
  copyFromOrder(own.y, y, order);
}

/** Normalizes x into y, whatever the place of the channels. */
export function forwardTogether(workspace: Workspace, arrays: ForwardArrays, source: StatisticsSource): Later<Forward> {
  const own = togetherArrays(arrays);
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

/** Computes gradients with the channel axes together, as a token has them. */
export function gradsTogether<R, Dx extends Data | null>(
  saved: Saved,
  arrays: BackwardArrays<Dx>,
  compute: (own: BackwardArrays<Dx>) => Later<R>,
): Later<R> {
  const order = orderOfAxes(saved);
  if (!order) return compute(arrays);
  const { dx, dresidual } = arrays;
  const dy = togetherLike(saved, arrays.dy);
  // gradInput takes the place of the copy.
  const own = { dy, dx: (dx && dy) as Dx, dresidual: dresidual && allocateOutput(saved.dtype, sizeOf(saved)) };
  return after(compute(own), (result) => {
    noteWrites(dx, dresidual);
    if (dx) copyFromOrder(dy, dx, order);
    if (dresidual) copyFromOrder(own.dresidual!, dresidual, order);
    return result;
  });
}
