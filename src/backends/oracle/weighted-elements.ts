// Clause 6 of the contract, executable: what elements go through that have weights.
import type { Control } from "../../kernels/control.js";
import { inputOf, maskOf, maskedAt } from "./elements.js";
import { round, type Floats } from "../../base/types.js";

/** dx = (g − w·(s + (x − center)·t))·a, w·(…) being +0 where w = 0. `dresidual` receives g. */
export function weightedGradInput(
  control: Control,
  x: Floats,
  dy: Floats,
  dx: Floats,
  aux: Floats | null,
  dresidual: Floats | null,
  w: Floats,
): void {
  const { extent, fields, isFloat32 } = control;
  const { outer, channels, inner } = extent;
  const relu = control.has("relu");
  const mask = maskOf(control, x, dy, aux);
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const center = fields.center[c]!;
      const shift = fields.gradShift[c]!;
      const slope = fields.gradSlope[c]!;
      const scale = fields.gradScale[c]!;
      for (let at = o * inner; at < (o + 1) * inner; at++, p++) {
        const g = relu ? maskedAt(mask, c, p) : dy[p]!;
        const inside = round(
          isFloat32,
          shift + round(isFloat32, round(isFloat32, inputOf(mask, x[p]!) - center) * slope),
        );
        const weighted = w[at]! <= 0 ? 0 : round(isFloat32, w[at]! * inside);
        if (dresidual) dresidual[p] = g;
        dx[p] = round(isFloat32, round(isFloat32, g - weighted) * scale);
      }
    }
  }
}

/** y = x, and +0 where w = 0. */
export function zeroMasked({ extent }: Control, x: Floats, y: Floats, w: Floats): void {
  const { outer, channels, inner } = extent;
  for (let o = 0, p = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      for (let at = o * inner; at < (o + 1) * inner; at++, p++) y[p] = w[at]! <= 0 ? 0 : x[p]!;
    }
  }
}
