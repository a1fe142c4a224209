// The exactness contract (docs/contract.md), executable: plain JavaScript, one statement per rule. Every other backend
// is compared with it bit for bit; it is also the last fallback, so its loops are those that V8 makes fast: in memory
// order, rounding inlined, nothing called through a closure.
import { affineCoefficients, batchInvStd, gradCoefficients } from "../../kernels/coefficients.js";
import type { Control } from "../../kernels/control.js";
import type { Kernels, WeightedGradOperands } from "../../kernels/kernels.js";
import { gradInput as gradInputAll, normalize as normalizeAll } from "./elements.js";
import { gradSums as gradSumsOf } from "./grad-sums.js";
import { moments as momentsOf } from "./moments.js";
import { weightedGradInput as weightedGradInputAll, zeroMasked as zeroMaskedAll } from "./weighted-elements.js";
import { weightedMoments as weightedMomentsOf } from "./weighted-moments.js";
import { narrow, widen } from "../../base/storage.js";
import { isStoredIn16Bits, type Data, type Floats } from "../../base/types.js";

type Optional = Data | null;

/** An input as it is computed with: 16-bit elements widen exactly. */
function input({ dtype }: Control, data: Data): Floats {
  return isStoredIn16Bits(dtype) ? widen(dtype, data as Uint16Array) : (data as Floats);
}

function optional(control: Control, data: Optional): Floats | null {
  return data && input(control, data);
}

/** What an output is computed into: itself, or float32 values that `store` rounds to 16 bits. */
function output({ dtype }: Control, data: Data): Floats {
  return isStoredIn16Bits(dtype) ? new Float32Array(data.length) : (data as Floats);
}

function store({ dtype }: Control, values: Floats, to: Data): void {
  if (isStoredIn16Bits(dtype)) narrow(dtype, values as Float32Array, to as Uint16Array);
}

function moments(control: Control, x: Data): void {
  momentsOf(control, input(control, x));
}

function normalize(control: Control, x: Data, y: Data, residual: Optional): void {
  const values = output(control, y);
  normalizeAll(control, input(control, x), values, optional(control, residual));
  store(control, values, y);
}

function gradSums(control: Control, x: Data, dy: Data, aux: Optional): void {
  gradSumsOf(control, input(control, x), input(control, dy), optional(control, aux));
}

/** Runs a loop that writes dx and dresidual, and stores them. */
function storeGrads(
  control: Control,
  dx: Data,
  dresidual: Optional,
  run: (dx: Floats, dresidual: Floats | null) => void,
): void {
  const values = output(control, dx);
  const masked = dresidual && output(control, dresidual);
  run(values, masked);
  store(control, values, dx);
  if (dresidual) store(control, masked!, dresidual);
}

function gradInput(control: Control, x: Data, dy: Data, dx: Data, aux: Optional, dresidual: Optional): void {
  storeGrads(control, dx, dresidual, (values, masked) => {
    gradInputAll(control, input(control, x), input(control, dy), values, optional(control, aux), masked);
  });
}

/** What follows the moments of a forward. */
function normalizeBatch(control: Control, x: Data, y: Data, residual: Optional): void {
  batchInvStd(control);
  affineCoefficients(control);
  normalize(control, x, y, residual);
}

function forward(control: Control, x: Data, y: Data, residual: Optional): void {
  moments(control, x);
  normalizeBatch(control, x, y, residual);
}

function backward(control: Control, x: Data, dy: Data, dx: Data, aux: Optional, dresidual: Optional): void {
  gradSums(control, x, dy, aux);
  gradCoefficients(control);
  gradInput(control, x, dy, dx, aux, dresidual);
}

function weightedMoments(control: Control, x: Data, w: Floats): void {
  weightedMomentsOf(control, input(control, x), w);
}

function weightedGradInput(...[control, x, dy, dx, aux, dresidual, w]: WeightedGradOperands): void {
  storeGrads(control, dx, dresidual, (values, masked) => {
    weightedGradInputAll(control, input(control, x), input(control, dy), values, optional(control, aux), masked, w);
  });
}

function zeroMasked(control: Control, x: Data, y: Data, w: Floats): void {
  const values = output(control, y);
  zeroMaskedAll(control, input(control, x), values, w);
  store(control, values, y);
}

function weightedForward(control: Control, x: Data, y: Data, residual: Optional, w: Floats): void {
  weightedMoments(control, x, w);
  normalizeBatch(control, x, y, residual);
}

function weightedBackward(...[control, x, dy, dx, aux, dresidual, w]: WeightedGradOperands): void {
  gradSums(control, x, dy, aux);
  gradCoefficients(control);
  weightedGradInput(control, x, dy, dx, aux, dresidual, w);
}

/** The reference backend. */
export const oracle: Kernels = {
  moments,
  normalize,
  gradSums,
  gradInput,
  forward,
  backward,
  weightedMoments,
  weightedGradInput,
  weightedForward,
  weightedBackward,
  zeroMasked,
};
