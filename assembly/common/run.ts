// What a kernel is made of: sums, the coefficients made of them, and what its elements go through. In the planes
// traversal that is done tile by tile, while the tile is in the cache.
import { gradInput } from "../elements/gradInput";
import { normalize } from "../elements/normalize";
import { tileChannels } from "../elements/spans";
import { affineCoefficients, gradCoefficients, invStds } from "./coefficients";
import { hasPart, header } from "./control";
import { Part, Traversal } from "./layout";
import { Sums, beginSums, sumChannels } from "./reduce";

/** What a kernel writes for each element: `kept` is x, but +0 where w = 0. */
export const enum Output { none, y, dx, kept }

/** A part of its channels that is not the first finds the coefficients still there. */
function runChannels(sums: Sums, output: Output, channel: usize, channels: usize): void {
  const isFirst = hasPart(Part.first);
  if (isFirst && (sums == Sums.gradients || output == Output.dx)) affineCoefficients(channel, channels);
  if (sums != Sums.none) sumChannels(sums, channel, channels);
  if (output == Output.y) {
    if (isFirst) {
      invStds(channel, channels);
      affineCoefficients(channel, channels);
    }
    normalize(channel, channels);
  } else if (output == Output.dx) {
    if (sums != Sums.none) gradCoefficients(channel, channels);
    gradInput(channel, channels);
  }
}

export function run(sums: Sums, output: Output): void {
  const channels = header.channels;
  beginSums(sums);
  if (header.traversal != Traversal.planes) return runChannels(sums, output, 0, channels);
  for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
    tile = tileChannels(c);
    runChannels(sums, output, c, tile);
  }
}
