// moments, then the affine coefficients, then normalize; channel by channel in the planes walk,
// while the channel is still in cache.
import { saveCounters } from "./blocks";
import { affineCoefficients } from "./coefficients";
import { Walk, header } from "./control";
import { moments, planesMoments } from "./moments";
import { normalize, planeNormalize } from "./normalize";
import { warm } from "./warm";

export function forward(x: usize, y: usize, residual: usize): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    moments(x);
    for (let c: usize = 0; c < channels; c++) affineCoefficients(c);
    return normalize(x, y, residual);
  }
  for (let c: usize = 0; c < channels; c++) {
    warm(c, x, y, residual);
    const b = planesMoments(x, c);
    affineCoefficients(c);
    planeNormalize(x, y, residual, c);
    if (c == channels - 1) saveCounters(b);
  }
}
