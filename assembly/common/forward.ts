// moments, then the affine coefficients, then normalize; tile by tile in the planes walk, while the tile is still in cache.
import { affineCoefficients } from "./coefficients";
import { Walk, header } from "./control";
import { moments, planesMoments } from "./moments";
import { normalize, planesNormalize } from "../elements/normalize";
import { tileChannels } from "../elements/spans";

export function forward(x: usize, y: usize, residual: usize): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    moments(x);
    affineCoefficients(0, channels);
    return normalize(x, y, residual);
  }
  for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
    tile = tileChannels(c);
    planesMoments(x, c, tile);
    affineCoefficients(c, tile);
    planesNormalize(x, y, residual, c, tile);
  }
}
