// The module's exports: the six kernels, and where free memory begins. `size` is the bytes of a value, 4 for float32
// and 8 for float64; pointers are byte addresses in the module's memory, 0 stands for an absent operand. Kernels may
// read, never write, up to 128 bytes past an operand's end.
import { MASKED_BYTES, masked } from "./affine";
import { backward as runBackward } from "./backward";
import { open } from "./control";
import { forward as runForward } from "./forward";
import { gradInput as runGradInput } from "./gradInput";
import { gradSums as runGradSums } from "./gradSums";
import { moments as runMoments } from "./moments";
import { normalize as runNormalize } from "./normalize";

export { narrow, widen } from "./storage";

export const heapBase: usize = masked + MASKED_BYTES;

export function moments(control: usize, size: usize, x: usize): void {
  open(control, size);
  runMoments(x);
}

export function normalize(control: usize, size: usize, x: usize, y: usize, residual: usize): void {
  open(control, size);
  runNormalize(x, y, residual);
}

export function gradSums(control: usize, size: usize, x: usize, dy: usize, aux: usize): void {
  open(control, size);
  runGradSums(x, dy, aux);
}

export function gradInput(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  open(control, size);
  runGradInput(x, dy, dx, aux, dresidual);
}

export function forward(control: usize, size: usize, x: usize, y: usize, residual: usize): void {
  open(control, size);
  runForward(x, y, residual);
}

export function backward(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  open(control, size);
  runBackward(x, dy, dx, aux, dresidual);
}
