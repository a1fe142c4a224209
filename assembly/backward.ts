// gradSums, then the gradient coefficients, then gradInput; channel by channel in the planes walk,
// while the channel is still in cache.
import { gradCoefficients } from "./coefficients";
import { Slot, Walk, setSlot, sizeOf } from "./control";
import { columnGradInput, gradInput } from "./gradInput";
import { clearSums, gradSums, planesGradSums } from "./gradSums";

export function backward<T>(
  control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const channels = sizeOf(control, Slot.channels);
  if (sizeOf(control, Slot.walk) != Walk.planes) {
    gradSums<T>(control, x, dy, aux);
    for (let c: usize = 0; c < channels; c++) gradCoefficients<T>(control, c);
    return gradInput<T>(control, x, dy, dx, aux, dresidual);
  }
  clearSums(control);
  for (let c: usize = 0; c < channels; c++) {
    const b = planesGradSums<T>(control, x, dy, aux, c);
    gradCoefficients<T>(control, c);
    columnGradInput<T>(control, x, dy, dx, aux, dresidual, c);
    if (c == channels - 1) setSlot(control, Slot.block, <f64>b.number);
  }
}
