// y = (x − mean)·scale + shift [+ residual], one map for each channel: normalize without statistics.
import type { Data } from "../base/types.js";
import { affineCoefficients } from "../kernels/coefficients.js";
import { setActivation } from "../values/activation.js";
import type { Workspace } from "./workspace.js";

export interface AffineMap {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
  /** null: 0. */
  readonly shift?: Float64Array | null;
}

/** Rounds as a normalization with r = 1 and γ = scale. `y` may be x or the residual. */
export function affineMap(
  { kernels, control }: Workspace,
  { mean, scale, shift = null }: AffineMap,
  x: Data,
  residual: Data | null,
  y: Data,
): void {
  const { fields } = control;
  fields.weight.set(scale);
  if (shift) fields.bias.set(shift);
  else fields.bias.fill(0);
  fields.mean.set(mean);
  fields.invStd.fill(1);
  setActivation(control, "none");
  affineCoefficients(control);
  kernels.normalize(control, x, y, residual);
}
