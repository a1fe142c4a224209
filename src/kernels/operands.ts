// The kernels and their operands: the one table that the TypeScript interface, the wrappers of the backends, the addon's
// check of its arguments (native/common/operands.h, npm run generate) and the tests' helpers are made from.
import type { Field, Flag } from "./layout.js";

interface Operand {
  readonly role: "input" | "output" | "weights";
  /** Of an output: the input whose place it may take exactly. */
  readonly replaces?: string;
  /** Flags under all of which an optional operand must be there. */
  readonly neededWith?: readonly (keyof typeof Flag)[];
}

/**
 * Every operand there is. All hold outer·channels·inner elements of the data's type, but w: outer·inner weights, one for
 * each position with the channels left out, finite and ≥ 0, in the type that data are computed with.
 */
export const OPERANDS = {
  x: { role: "input" },
  y: { role: "output", replaces: "x" },
  residual: { role: "input" },
  dy: { role: "input" },
  dx: { role: "output", replaces: "dy" },
  /** What the activation's mask is made of: the forward's residual, or the stored output y (flag `holdsY`). */
  residualOrY: { role: "input", neededWith: ["activation", "holdsY"] },
  /** Receives g, the gradient behind the activation. */
  dresidual: { role: "output", replaces: "residualOrY" },
  w: { role: "weights" },
} as const satisfies Record<string, Operand>;
export type OperandName = keyof typeof OPERANDS;

interface Kernel {
  /** In the order of the arguments; one with a question mark may be null. */
  readonly operands: readonly (OperandName | `${OperandName}?`)[];
  /** First and last of the control block's fields that it reads, and that it writes. */
  readonly reads: readonly [Field, Field] | null;
  readonly writes: readonly [Field, Field] | null;
}

// All but moments and zeroMasked make center, scale and shift themselves, of weight, bias, mean and invStd.
export const KERNELS = {
  /** mean[c] and m2[c] of x; with w those of weighted values, and Σw in the header's `count`. */
  moments: { operands: ["x", "w?"], reads: null, writes: ["mean", "m2"] },
  /** invStd of m2, `count` and `eps`, then y = act((x − center)·scale + shift [+ residual]). */
  normalize: { operands: ["x", "y", "residual?"], reads: ["weight", "m2"], writes: ["invStd", "shift"] },
  /**
   * S = Σg and U = Σg·(x − center). g is dy; with ReLU dy where !(y ≤ 0) and 0 elsewhere, with leaky ReLU dy·slope
   * there. y is recomputed from x (and the residual), or is `residualOrY` itself.
   */
  gradSums: { operands: ["x", "dy", "residualOrY?"], reads: ["weight", "invStd"], writes: ["center", "sumGX"] },
  /** dx = (g − w·(s + (x − center)·t))·a, without w where there is none; with fixed statistics g·a. */
  gradInput: {
    operands: ["x", "dy", "dx", "residualOrY?", "dresidual?", "w?"],
    reads: ["weight", "gradScale"],
    writes: ["center", "shift"],
  },
  /** moments, then normalize. Has the bits of the composition. */
  forward: { operands: ["x", "y", "residual?", "w?"], reads: ["weight", "slope"], writes: ["mean", "shift"] },
  /** gradSums, then the gradient coefficients, then gradInput. Has the bits of the composition. */
  backward: {
    operands: ["x", "dy", "dx", "residualOrY?", "dresidual?", "w?"],
    reads: ["weight", "invStd"],
    writes: ["center", "gradScale"],
  },
  /** y = x, and +0 where w = 0. */
  zeroMasked: { operands: ["x", "y", "w"], reads: null, writes: null },
} as const satisfies Record<string, Kernel>;
export type KernelName = keyof typeof KERNELS;

/** Their names, in the table's order. */
export const KERNEL_NAMES = Object.keys(KERNELS) as readonly KernelName[];

/** The name of an operand, and whether it may be absent. */
export function operandOf(entry: OperandName | `${OperandName}?`): { name: OperandName; isOptional: boolean } {
  const isOptional = entry.endsWith("?");
  return { name: (isOptional ? entry.slice(0, -1) : entry) as OperandName, isOptional };
}
