// gradSums, then the gradient coefficients, then gradInput; channel by channel in the planes walk,
// while the channel is still in cache.
import { gradCoefficients } from "./coefficients";
import { Slot, Walk, header, setSlot } from "./control";
import { gradInput, planeGradInput } from "./gradInput";
import { clearSums, gradSums, planesGradSums } from "./gradSums";
import { warm } from "./warm";

export function backward(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const channels = header.channels;
  if (header.walk != Walk.planes) {
    gradSums(x, dy, aux);
    for (let c: usize = 0; c < channels; c++) gradCoefficients(c);
    return gradInput(x, dy, dx, aux, dresidual);
  }
  clearSums();
  for (let c: usize = 0; c < channels; c++) {
    warm(c, x, dy, dx);
    const b = planesGradSums(x, dy, aux, c);
    gradCoefficients(c);
    planeGradInput(x, dy, dx, aux, dresidual, c);
    if (c == channels - 1) setSlot(Slot.block, <f64>b.number);
  }
}
