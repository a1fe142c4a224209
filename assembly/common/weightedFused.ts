// weightedForward and weightedBackward: as forward and backward, tile by tile in the planes walk.
import { affineCoefficients, gradCoefficients } from "./coefficients";
import { Walk, header } from "./control";
import { clearSums, gradSums, planesGradSums } from "./gradSums";
import { normalize, planesNormalize } from "../elements/normalize";
import { tileChannels } from "../elements/spans";
import { planesWeightedElements, weightedElements } from "../elements/weightedElements";
import { planesWeightedMoments, weightedMoments } from "./weightedMoments";

export function weightedForward(x: usize, y: usize, residual: usize, w: usize): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    weightedMoments(x, w);
    affineCoefficients(0, channels);
    return normalize(x, y, residual);
  }
  clearSums();
  for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
    tile = tileChannels(c);
    planesWeightedMoments(x, w, c, tile);
    affineCoefficients(c, tile);
    planesNormalize(x, y, residual, c, tile);
  }
}

export function weightedBackward(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize,
): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    gradSums(x, dy, aux);
    gradCoefficients(0, channels);
    return weightedElements(x, dy, dx, aux, dresidual, w);
  }
  clearSums();
  for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
    tile = tileChannels(c);
    planesGradSums(x, dy, aux, c, tile);
    gradCoefficients(c, tile);
    planesWeightedElements(x, dy, dx, aux, dresidual, w, c, tile);
  }
}
