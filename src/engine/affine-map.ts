// y = (x − mean)·scale + shift [+ residual], one map for each channel: normalize without statistics.
import { copyInto, fill } from "../base/arrays.js";
import type { Later } from "../base/later.js";
import type { Data } from "../base/types.js";
import { setActivation } from "./activation.js";
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
): Later<void> {
  const { fields } = control;
  copyInto(fields.weight, scale);
  if (shift) copyInto(fields.bias, shift);
  else fill(fields.bias, 0);
  copyInto(fields.mean, mean);
  // A variance of 1.
  fill(fields.m2, 1);
  control.set("count", 1);
  control.set("eps", 0);
  setActivation(control, "none");
  return kernels.normalize(control, x, y, residual);
}
