// The token of a batch that was cut into virtual batches.
import { partsOf } from "../base/arrays.js";
import type { ForwardArrays } from "../engine/forward.js";
import { marksOf } from "../values/lifetime.js";
import { debugChecksum, type Saved } from "../values/saved.js";

/**
 * Makes it of the tokens of the virtual batches, or of one token with the channels of all of them side by side. Only the whole one
 * ends, or loses memory of a layer.
 */
export function composed(tokens: readonly Saved[], arrays: ForwardArrays, isInterleaved: boolean): Saved {
  const { plan, x, y, residual, weights, kept } = arrays;
  const [first] = tokens as [Saved];
  const keptX = kept === "output" ? y : x;
  const residualOrOutput = first.residualOrOutput && (first.holdsOutput ? y : residual);
  const sampleWeights = first.sampleWeights && weights!.values;
  const own = (table: Float64Array): Float64Array => partsOf(table)(0, plan.channels) as Float64Array;
  return Object.freeze({
    ...first,
    apartAxes: plan.apartAxes,
    channels: plan.channels,
    mean: own(first.mean),
    invStd: own(first.invStd),
    weight: own(first.weight),
    bias: own(first.bias),
    shape: plan.shape,
    outer: plan.outer,
    x: keptX,
    residualOrOutput,
    sampleWeights,
    conditional: null,
    virtualBatches: Object.freeze(tokens.map((token) => Object.freeze({ ...token, memory: null }))),
    isInterleaved,
    life: new Uint8Array(1),
    memory: marksOf(keptX, residualOrOutput),
    checksum: debugChecksum(keptX, residualOrOutput, sampleWeights),
  });
}
