// What each kernel takes and gives, for staging: its arrays, which of them share a place in the memory, and the fields of
// the control block that it reads and writes.
import { FIELDS, type Control } from "../../kernels/control.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { Data, Floats } from "../../base/types.js";
import type { Span } from "./copy.js";
import type { Call } from "./staging.js";

type Field = (typeof FIELDS)[number];
type Optional = Data | null;

/** Fields lie side by side, so that what a kernel reads or writes is one range of them. */
function span(first: Field, last: Field): Span {
  return [FIELDS.indexOf(first), FIELDS.indexOf(last) + 1];
}

export const NOTHING: Span = [0, 0];
export const PARAMETERS = span("weight", "bias");
const MOMENTS = span("mean", "m2");
export const STATISTICS = span("mean", "shift");
export const FORWARD = span("weight", "shift");
export const AFFINE = span("center", "shift");
const SUMS = span("sumG", "sumGX");
export const GRADIENT = span("center", "gradScale");
export const SUMS_AND_GRADIENT = span("sumG", "gradScale");

/** The auxiliary operand counts only under a ReLU, whose mask needs it. */
export function maskOperand(control: Control, aux: Optional): Optional {
  return control.has("relu") ? aux : null;
}

export function momentsCall(x: Data): Call {
  return { kernel: "moments", arrays: [x], ins: [x], outs: [null], operands: [0], reads: NOTHING, writes: MOMENTS };
}

/** y takes x's place in the memory. */
export function outputCall(
  kernel: "normalize" | "forward",
  x: Data,
  y: Data,
  residual: Optional,
  reads: Span,
  writes: Span,
): Call {
  const operands = [0, 0, residual ? 1 : -1];
  return { kernel, arrays: [x, y, residual], ins: [x, residual], outs: [y, null], operands, reads, writes };
}

export function gradSumsCall(control: Control, x: Data, dy: Data, aux: Optional): Call {
  const mask = maskOperand(control, aux);
  const arrays = [x, dy, mask];
  const operands = [0, 1, mask ? 2 : -1];
  const outs = [null, null, null];
  return { kernel: "gradSums", arrays, ins: arrays, outs, operands, reads: AFFINE, writes: SUMS };
}

/** dx takes dy's place in the memory, dresidual that of aux. */
export function gradientCall(
  kernel: "gradInput" | "backward",
  x: Data,
  readsX: boolean,
  dy: Data,
  dx: Data,
  mask: Optional,
  dresidual: Optional,
  reads: Span,
  writes: Span,
): Call {
  const operands = [0, 1, 1, mask ? 2 : -1, dresidual ? 2 : -1];
  const arrays = [x, dy, dx, mask, dresidual];
  return { kernel, arrays, ins: [readsX ? x : null, dy, mask], outs: [null, dx, dresidual], operands, reads, writes };
}

/** The call of a kernel that takes weights behind the operands of another. */
export function weighted(kernel: keyof Kernels, call: Call, weights: Floats): Call {
  return { ...call, kernel, weights };
}

/** Whether gradInput looks at x: a frozen one only to recompute the mask. */
export function needsX(control: Control): boolean {
  return !control.has("frozen") || (control.has("relu") && !control.has("auxIsOutput"));
}
