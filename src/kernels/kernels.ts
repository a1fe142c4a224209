// What a backend implements: the O(N) loops. The exactness contract they obey, operation by
// operation, is docs/contract.md; src/backends/oracle/oracle.ts is the same in code.
import type { Control } from "./control.js";
import type { Data, Floats } from "../base/types.js";

/** Version of the exactness contract: backends of one version give the same bits. */
export const contractVersion = 1;

/** What the weighted kernels that give dx take. */
export type WeightedGradOperands = [
  control: Control,
  x: Data,
  dy: Data,
  dx: Data,
  aux: Data | null,
  dresidual: Data | null,
  w: Floats,
];

/**
 * Kernels over tensors of `control.extent`, elements of `control.dtype`. They trust their arguments:
 * the plan has checked lengths, kinds and aliasing. They allocate nothing and read no input twice
 * where its value could have changed the memory they touch.
 *
 * `x`, `y`, `dy`, `dx`, `aux`, `dresidual` hold outer·channels·inner elements each. An output may be
 * exactly an input (in place) where the plan allows it; they never overlap partly. `w` holds outer·inner
 * weights, finite and ≥ 0, in the type that data are computed with, one for each position with the channels left out, and is never an output.
 */
export interface Kernels {
  /** mean[c], m2[c] of x. Honours `part`: state carries on between calls cut at block boundaries. */
  moments(control: Control, x: Data): void;
  /** y = act((x − center)·scale + shift [+ residual]). */
  normalize(control: Control, x: Data, y: Data, residual: Data | null): void;
  /**
   * S = Σg and U = Σg·(x − center). g is dy, or with ReLU dy where !(y ≤ 0) and 0 elsewhere; y is
   * recomputed from x (and the residual `aux`), or is `aux` itself (`auxIsOutput`). Honours `part`.
   */
  gradSums(control: Control, x: Data, dy: Data, aux: Data | null): void;
  /** dx = ((g − s) − (x − center)·t)·a; frozen: g·a. `dresidual` receives g. */
  gradInput(control: Control, x: Data, dy: Data, dx: Data, aux: Data | null, dresidual: Data | null): void;
  /** moments, then invStd and the affine coefficients, then normalize. Bits as the composition. */
  forward(control: Control, x: Data, y: Data, residual: Data | null): void;
  /** gradSums, then the gradient coefficients, then gradInput. Bits as the composition. */
  backward(control: Control, x: Data, dy: Data, dx: Data, aux: Data | null, dresidual: Data | null): void;
  /** As `moments` with weights; Σw goes to the header's `count`. Honours `part`, of which the last leaves the count. */
  weightedMoments(control: Control, x: Data, w: Floats): void;
  /** dx = (g − w·(s + (x − center)·t))·a, never frozen. `dresidual` receives g. */
  weightedGradInput(...operands: WeightedGradOperands): void;
  /** weightedMoments, then as `forward`. */
  weightedForward(control: Control, x: Data, y: Data, residual: Data | null, w: Floats): void;
  /** As `backward` with weightedGradInput; `count` is Σw. */
  weightedBackward(...operands: WeightedGradOperands): void;
  /** y = x, and +0 where w = 0. */
  zeroMasked(control: Control, x: Data, y: Data, w: Floats): void;
}

/** The names of all. */
export const KERNELS = [
  "moments",
  "normalize",
  "gradSums",
  "gradInput",
  "forward",
  "backward",
  "weightedMoments",
  "weightedGradInput",
  "weightedForward",
  "weightedBackward",
  "zeroMasked",
] as const satisfies (keyof Kernels)[];
