// The module's exports: the kernels, and where free memory begins. `size` is the bytes of a value, 4 for float32
// and 8 for float64; pointers are byte addresses in the module's memory, 0 stands for an absent operand. Kernels may
// read, never write, up to 128 bytes past an operand's end.
import { backward as runBackward } from "./common/backward";
import { open } from "./common/control";
import { forward as runForward } from "./common/forward";
import { gradInput as runGradInput } from "./elements/gradInput";
import { gradSums as runGradSums } from "./common/gradSums";
import { moments as runMoments } from "./common/moments";
import { normalize as runNormalize } from "./elements/normalize";
import { weightedElements } from "./elements/weightedElements";
import { weightedBackward as runWeightedBackward, weightedForward as runWeightedForward } from "./common/weightedFused";
import { weightedMoments as runWeightedMoments } from "./common/weightedMoments";
import { WEIGHTS_END } from "./common/weights";

export { narrow, widen } from "./common/storage";

export const heapBase: usize = WEIGHTS_END;

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

export function weightedMoments(control: usize, size: usize, x: usize, w: usize): void {
  open(control, size);
  runWeightedMoments(x, w);
}

export function weightedGradInput(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize,
): void {
  open(control, size);
  weightedElements(x, dy, dx, aux, dresidual, w);
}

export function weightedForward(control: usize, size: usize, x: usize, y: usize, residual: usize, w: usize): void {
  open(control, size);
  runWeightedForward(x, y, residual, w);
}

export function weightedBackward(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize,
): void {
  open(control, size);
  runWeightedBackward(x, dy, dx, aux, dresidual, w);
}

export function zeroMasked(control: usize, size: usize, x: usize, y: usize, w: usize): void {
  open(control, size);
  weightedElements(x, 0, y, 0, 0, w);
}
