// moments, then the affine coefficients, then normalize; channel by channel in the planes walk,
// while the channel is still in cache.
import { saveCounters } from "./blocks";
import { affineCoefficients } from "./coefficients";
import { Slot, Walk, sizeOf } from "./control";
import { moments, planesMoments } from "./moments";
import { normalize, planeNormalize } from "./normalize";
import { warm } from "./warm";

export function forward(control: usize, size: usize, x: usize, y: usize, residual: usize): void {
  const channels = sizeOf(control, Slot.channels);
  if (sizeOf(control, Slot.walk) != Walk.planes) {
    moments(control, size, x);
    for (let c: usize = 0; c < channels; c++) affineCoefficients(control, size, c);
    return normalize(control, size, x, y, residual);
  }
  for (let c: usize = 0; c < channels; c++) {
    warm(control, size, c, x, y, residual);
    const b = planesMoments(control, size, x, c);
    affineCoefficients(control, size, c);
    planeNormalize(control, size, x, y, residual, c);
    if (c == channels - 1) saveCounters(control, b);
  }
}
