// The exactness contract (docs/contract.md), executable: plain JavaScript, one statement per rule. Every other backend
// is compared with it bit for bit; it is also the last fallback, so its loops are those that V8 makes fast: in memory
// order, rounding inlined, nothing called through a closure.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import type { Control } from "./control.js";
import type { Kernels } from "./kernels.js";
import { gradInput, normalize } from "./oracle-elements.js";
import { gradSums } from "./oracle-grad-sums.js";
import { moments } from "./oracle-moments.js";
import { weightedGradInput, zeroMasked } from "./oracle-weighted-elements.js";
import { weightedMoments } from "./oracle-weighted-moments.js";
import type { Data } from "./types.js";

function forward(control: Control, x: Data, y: Data, residual: Data | null): void {
  moments(control, x);
  batchInvStd(control);
  affineCoefficients(control);
  normalize(control, x, y, residual);
}

function backward(control: Control, x: Data, dy: Data, dx: Data, aux: Data | null, dresidual: Data | null): void {
  gradSums(control, x, dy, aux);
  gradCoefficients(control);
  gradInput(control, x, dy, dx, aux, dresidual);
}

function weightedForward(control: Control, x: Data, y: Data, residual: Data | null, w: Data): void {
  weightedMoments(control, x, w);
  batchInvStd(control);
  affineCoefficients(control);
  normalize(control, x, y, residual);
}

function weightedBackward(
  control: Control,
  x: Data,
  dy: Data,
  dx: Data,
  aux: Data | null,
  dresidual: Data | null,
  w: Data,
): void {
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
