// Ghost batch normalization (Hoffer et al. 2017): a batch is cut into virtual batches, each of which is normalized with its
// own statistics. A forward or backward is then that of every virtual batch, one after another.
import { copyInto, partsOf, tableOf, zeros } from "../base/arrays.js";
import { checkInteger, checkOneOf, lengthOf } from "../base/check.js";
import { rangeError } from "../base/errors.js";
import { after, inTurn, type Later } from "../base/later.js";
import { allocateLike, allocateOutput } from "../base/outputs.js";
import type { Data, Floats } from "../base/types.js";
import { gradWeightOf, inputGrads, slopeSumsOf, type BackwardArrays, type ParameterGrads } from "../engine/backward.js";
import type { ForwardArrays } from "../engine/forward.js";
import type { Workspace } from "../engine/workspace.js";
import type { Needed } from "../values/need.js";
import type { Plan } from "../values/plan.js";
import { gradLengthOf, type GivenTables } from "../values/sample-tables.js";
import { sizeOf, type Saved } from "../values/saved.js";
import { gradsOfSamples, isConditional, roundedTotals, type Totals } from "./conditional.js";
import { partOfWeights } from "../values/weights.js";

/**
 * Which samples make up a virtual batch.
 *
 * - `"contiguous"`: neighbours, as in Hoffer et al. 2017. Each virtual batch updates the running statistics, in order.
 * - `"interleaved"`: sample i is in virtual batch i mod k of k, as with `virtual_batch_size` of TensorFlow 2. The running
 *   statistics are updated once, by the mean of the statistics of all virtual batches.
 */
export type VirtualBatches = "contiguous" | "interleaved";

/** How batches are cut. */
export interface Cut {
  readonly size: number;
  readonly order: VirtualBatches;
}

/** Reads the options `virtualBatchSize` and `virtualBatches`. */
export function readCut({ virtualBatchSize, virtualBatches }: Record<string, unknown>): Cut | null {
  if (virtualBatchSize === undefined) {
    if (virtualBatches === undefined) return null;
    throw rangeError("ERR_BATCHNORM_OPTION", `"virtualBatches" needs "virtualBatchSize"`);
  }
  const order = checkOneOf("virtualBatches", virtualBatches ?? "contiguous", ["contiguous", "interleaved"] as const);
  return Object.freeze({ size: checkInteger("virtualBatchSize", virtualBatchSize, 1), order });
}

/** A virtual batch: its samples are begin to end of the batch, or of the batch in its own order. */
export interface VirtualBatch {
  readonly begin: number;
  readonly end: number;
}

/** The virtual batches of `samples` samples. The last contiguous one may be smaller; interleaved ones differ by one. */
export function virtualBatchesOf({ size, order }: Cut, samples: number): VirtualBatch[] {
  const count = Math.ceil(samples / size);
  const lengthOf = (i: number): number =>
    order === "contiguous" ? Math.min(size, samples - i * size) : Math.ceil((samples - i) / count);
  let begin = 0;
  return Array.from({ length: count }, (_, i) => ({ begin, end: (begin += lengthOf(i)) }));
}

/** The number of samples of a tensor that is to be cut. */
export function samplesOf({ samples, shape }: Plan): number {
  if (samples !== null) return samples;
  const text = `[${shape.join(", ")}]`;
  throw rangeError(
    "ERR_BATCHNORM_OPTION",
    `"virtualBatchSize" needs samples at the first axis of ${text}, not channels`,
  );
}

/** Copies samples to the order of `count` interleaved virtual batches, or back. */
function reorder(from: Data, to: Data, samples: number, count: number, isBack: boolean): void {
  const [partOf, size] = [partsOf(from), lengthOf(from) / samples];
  let place = 0;
  for (let first = 0; first < count; first++) {
    for (let i = first; i < samples; i += count, place++) {
      const [source, target] = isBack ? [place, i] : [i, place];
      copyInto(to, partOf(source * size, size), target * size);
    }
  }
}

/** A copy in the order of interleaved virtual batches. */
function interleaved<T extends Data>(data: T, samples: number, count: number): T {
  const copy = allocateLike(data);
  reorder(data, copy, samples, count, false);
  return copy;
}

/** Puts results in the order of interleaved virtual batches back to their places. */
export function putBack(from: Data, to: Data, samples: number, count: number): void {
  reorder(from, to, samples, count, true);
}

/** The tables of some samples, or of all in another order. */
function tablesBy(make: (table: Floats) => Floats, { weight, bias }: GivenTables, samples: number): GivenTables {
  return { samples, weight: weight && make(weight), bias: bias && make(bias) };
}

/** Copies in the order of interleaved virtual batches, and room for their output. */
export function inOrder(arrays: ForwardArrays, samples: number, count: number): ForwardArrays {
  const { x, residual, weights, conditional } = arrays;
  return {
    ...arrays,
    x: interleaved(x, samples, count),
    y: allocateOutput(arrays.plan.dtype, arrays.plan.size),
    residual: residual && interleaved(residual, samples, count),
    weights: weights && { ...weights, values: interleaved(weights.values, samples, count) },
    conditional: conditional && tablesBy((table) => interleaved(table, samples, count), conditional, samples),
  };
}

/** The arrays of one virtual batch, as views. */
export function partOfArrays(
  arrays: ForwardArrays,
  plan: Plan,
  samples: number,
  { begin, end }: VirtualBatch,
): ForwardArrays {
  const each = arrays.plan.size / samples;
  const part = (data: Data): Data => partsOf(data)(begin * each, plan.size);
  const rows = (table: Floats): Floats =>
    partsOf(table)(begin * plan.channels, (end - begin) * plan.channels) as Floats;
  const { x, y, residual, weights, conditional } = arrays;
  return {
    ...arrays,
    plan,
    x: part(x),
    y: part(y),
    residual: residual && part(residual),
    weights: weights && partOfWeights(weights, plan, samples, begin),
    conditional: conditional && tablesBy(rows, conditional, end - begin),
  };
}

/** Computes dx and dresidual of a virtual batch, and adds its gradients of γ, β and slopes before they are rounded. */
function addTotalsOf(
  workspace: Workspace,
  token: Saved,
  arrays: BackwardArrays,
  needed: Needed,
  totals: Totals,
  at: number,
): Later<void> {
  if (isConditional(token)) {
    return after(gradsOfSamples(workspace, token, arrays, needed), ({ weight, bias, slope }) => {
      addTable(totals.weight, weight, at);
      addTable(totals.bias, bias, at);
      addTable(totals.slope, slope, 0);
    });
  }
  return after(needed.slope ? slopeSumsOf(workspace, token, arrays.dy) : null, (slope) => {
    addTable(totals.slope, slope, 0);
    return after(inputGrads(workspace, token, arrays, needed), (sums) => {
      const { weight, bias } = totals;
      for (let c = 0; weight && c < token.channels; c++) weight[c % weight.length]! += gradWeightOf(token, sums, c);
      addTable(bias, sums.sumG, 0);
    });
  });
}

/** Adds a table. In one of all samples its rows begin at an element; one that is longer, of batches side by side, begins anew. */
function addTable(total: Float64Array | null, part: Float64Array | null, at: number): void {
  if (!total || !part) return;
  for (let i = 0, to = at % total.length; i < part.length; i++, to = to + 1 < total.length ? to + 1 : 0)
    total[to]! += part[i]!;
}

/** The backward of every virtual batch. The gradients of γ and β are added in float64, in order, and rounded once. */
export function backwardOfVirtualBatches(
  saved: Saved,
  tokens: readonly Saved[],
  { dy, dx, dresidual }: BackwardArrays,
  needed: Needed,
  workspaceFor: (saved: Saved) => Workspace,
): Later<ParameterGrads> {
  const { isInterleaved, shape } = saved;
  const [samples, count] = [shape[0]!, tokens.length];
  // Tokens with all channels side by side refer to the batch as it is.
  const isCopied = isInterleaved && tokens[0]!.channels === saved.channels;
  const room = (data: Data | null): Data | null => data && allocateLike(data);
  const own = isCopied
    ? { dy: interleaved(dy, samples, count), dx: room(dx), dresidual: room(dresidual) }
    : { dy, dx, dresidual };
  const totals: Totals = {
    weight: needed.weight ? zeros(gradLengthOf(saved, "hasWeight")) : null,
    bias: needed.bias ? zeros(gradLengthOf(saved, "hasBias")) : null,
    slope: needed.slope ? zeros(saved.channels) : null,
  };
  let at = 0;
  let begin = 0;
  const ran = inTurn(tokens, (token) => {
    const length = sizeOf(token);
    const part = <T extends Data | null>(data: T): T => (data && partsOf(data)(at, length)) as T;
    const arrays = { dy: part(own.dy), dx: part(own.dx), dresidual: part(own.dresidual) };
    const row = begin * saved.channels;
    at += length;
    begin += token.shape[0]!;
    return addTotalsOf(workspaceFor(token), token, arrays, needed, totals, row);
  });
  return after(ran, () => {
    // The rows of a table of all samples are in their order too.
    for (const total of [totals.weight, totals.bias])
      if (isCopied && total && total.length > saved.channels) putBack(tableOf(total), total, samples, count);
    if (isCopied && dx) putBack(own.dx!, dx, samples, count);
    if (isCopied && dresidual) putBack(own.dresidual!, dresidual, samples, count);
    return roundedTotals(saved, totals);
  });
}
