// gradSums, then the gradient coefficients, then gradInput; channel by channel in the planes walk,
// while the channel is still in cache.
import { gradCoefficients } from "./coefficients";
import { Slot, Walk, setSlot, sizeOf } from "./control";
import { gradInput, planeGradInput } from "./gradInput";
import { clearSums, gradSums, planesGradSums } from "./gradSums";
import { warm } from "./warm";

export function backward(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const channels = sizeOf(control, Slot.channels);
  if (sizeOf(control, Slot.walk) != Walk.planes) {
    gradSums(control, size, x, dy, aux);
    for (let c: usize = 0; c < channels; c++) gradCoefficients(control, size, c);
    return gradInput(control, size, x, dy, dx, aux, dresidual);
  }
  clearSums(control);
  for (let c: usize = 0; c < channels; c++) {
    warm(control, size, c, x, dy, dx);
    const b = planesGradSums(control, size, x, dy, aux, c);
    gradCoefficients(control, size, c);
    planeGradInput(control, size, x, dy, dx, aux, dresidual, c);
    if (c == channels - 1) setSlot(control, Slot.block, <f64>b.number);
  }
}
