// The exactness contract (docs/contract.md), executable: plain JavaScript, one statement per rule. Every other backend
// is compared with it bit for bit; it is also the last fallback, so its loops are those that V8 makes fast: in memory
// order, rounding inlined, nothing called through a closure.
import { affineCoefficients, batchInvStd, gradCoefficients } from "./coefficients.js";
import type { Control } from "./control.js";
import type { Kernels } from "./kernels.js";
import { gradInput, normalize } from "./oracle-elements.js";
import { gradSums } from "./oracle-grad-sums.js";
import { moments } from "./oracle-moments.js";
import { narrow, widen } from "./storage.js";
import { isStoredIn16Bits, type Data, type Floats } from "./types.js";

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

/** The reference backend. */
export const oracle: Kernels = {
  moments: (control, x) => moments(control, input(control, x)),
  normalize(control, x, y, residual) {
    const values = output(control, y);
    normalize(control, input(control, x), values, optional(control, residual));
    store(control, values, y);
  },
  gradSums: (control, x, dy, aux) => gradSums(control, input(control, x), input(control, dy), optional(control, aux)),
  gradInput(control, x, dy, dx, aux, dresidual) {
    const values = output(control, dx);
    const masked = dresidual && output(control, dresidual);
    gradInput(control, input(control, x), input(control, dy), values, optional(control, aux), masked);
    store(control, values, dx);
    if (dresidual) store(control, masked!, dresidual);
  },
  forward(control, x, y, residual) {
    oracle.moments(control, x);
    batchInvStd(control);
    affineCoefficients(control);
    oracle.normalize(control, x, y, residual);
  },
  backward(control, x, dy, dx, aux, dresidual) {
    oracle.gradSums(control, x, dy, aux);
    gradCoefficients(control);
    oracle.gradInput(control, x, dy, dx, aux, dresidual);
  },
};
