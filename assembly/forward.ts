// moments, then the affine coefficients, then normalize; channel by channel in the planes walk,
// while the channel is still in cache.
import { saveCounters } from "./blocks";
import { affineCoefficients } from "./coefficients";
import { Slot, Walk, sizeOf } from "./control";
import { moments, planesMoments } from "./moments";
import { columnNormalize, normalize } from "./normalize";

export function forward<T>(control: usize, x: usize, y: usize, residual: usize): void {
  const channels = sizeOf(control, Slot.channels);
  if (sizeOf(control, Slot.walk) != Walk.planes) {
    moments<T>(control, x);
    for (let c: usize = 0; c < channels; c++) affineCoefficients<T>(control, c);
    return normalize<T>(control, x, y, residual);
  }
  for (let c: usize = 0; c < channels; c++) {
    const b = planesMoments<T>(control, x, c);
    affineCoefficients<T>(control, c);
    columnNormalize<T>(control, x, y, residual, c);
    if (c == channels - 1) saveCounters(control, b);
  }
}
