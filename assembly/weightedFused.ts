// weightedForward and weightedBackward: as forward and backward, channel by channel in the planes walk.
import { affineCoefficients, gradCoefficients } from "./coefficients";
import { Slot, Walk, header, setSlot } from "./control";
import { clearSums, gradSums, planesGradSums } from "./gradSums";
import { normalize, planeNormalize } from "./normalize";
import { warm } from "./warm";
import { planeWeightedGradInput, weightedElements } from "./weightedElements";
import { planesWeightedMoments, weightedMoments } from "./weightedMoments";

export function weightedForward(x: usize, y: usize, residual: usize, w: usize): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    weightedMoments(x, w);
    for (let c: usize = 0; c < channels; c++) affineCoefficients(c);
    return normalize(x, y, residual);
  }
  clearSums();
  for (let c: usize = 0; c < channels; c++) {
    warm(c, x, y, residual);
    const b = planesWeightedMoments(x, w, c);
    affineCoefficients(c);
    planeNormalize(x, y, residual, c);
    if (c == channels - 1) setSlot(Slot.block, <f64>b.number);
  }
}

export function weightedBackward(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize,
): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    gradSums(x, dy, aux);
    for (let c: usize = 0; c < channels; c++) gradCoefficients(c);
    return weightedElements(x, dy, dx, aux, dresidual, w);
  }
  clearSums();
  for (let c: usize = 0; c < channels; c++) {
    warm(c, x, dy, dx);
    const b = planesGradSums(x, dy, aux, c);
    gradCoefficients(c);
    planeWeightedGradInput(x, dy, dx, aux, dresidual, w, c);
    if (c == channels - 1) setSlot(Slot.block, <f64>b.number);
  }
}
