// gradSums, then the gradient coefficients, then gradInput; tile by tile in the planes walk, while the tile is still in
// cache.
import { gradCoefficients } from "./coefficients";
import { Walk, header } from "./control";
import { gradInput, planesGradInput } from "../elements/gradInput";
import { clearSums, gradSums, planesGradSums } from "./gradSums";
import { tileChannels } from "../elements/spans";

export function backward(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    gradSums(x, dy, aux);
    gradCoefficients(0, channels);
    return gradInput(x, dy, dx, aux, dresidual);
  }
  clearSums();
  for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
    tile = tileChannels(c);
    planesGradSums(x, dy, aux, c, tile);
    gradCoefficients(c, tile);
    planesGradInput(x, dy, dx, aux, dresidual, c, tile);
  }
}
