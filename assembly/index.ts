// The module's exports: the kernels, the shares that threads have of them, the conversion of 16-bit elements, what the
// self-check does beside the kernels, and how many bytes an instance has to itself, from the imported `base` on. `size` is
// the bytes of a value, 4 for float32 and 8 for float64. Pointers are byte addresses in the module's memory; 0 stands for
// an absent operand. Kernels may read, and never write, up to 128 bytes past an operand's end.
import { OWN_BYTES } from "./common/buffers";
import { gradCoefficients } from "./common/coefficients";
import { header, open } from "./common/control";
import { Output, run } from "./common/run";
import { Sums } from "./common/reduce";
import { zeroMasked as runZeroMasked } from "./elements/zeroMasked";

export { fillSequence, hash, unifyNaN } from "./common/selfCheck";
export { mergeGroups, share } from "./common/shares";
export { narrow, widen } from "./common/storage";

export const ownBytes: usize = OWN_BYTES;

export function moments(control: usize, size: usize, x: usize, w: usize): void {
  open(control, size);
  header.x = x;
  header.w = w;
  run(Sums.moments, Output.none);
}

export function normalize(control: usize, size: usize, x: usize, y: usize, residual: usize): void {
  open(control, size);
  setForward(x, y, residual, 0);
  run(Sums.none, Output.y);
}

export function gradSums(control: usize, size: usize, x: usize, dy: usize, residualOrY: usize): void {
  open(control, size);
  setBackward(x, dy, 0, residualOrY, 0, 0);
  run(Sums.gradients, Output.none);
}

export function gradInput(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, residualOrY: usize, dresidual: usize, w: usize,
): void {
  open(control, size);
  setBackward(x, dy, dx, residualOrY, dresidual, w);
  run(Sums.none, Output.dx);
}

/** moments, the coefficients made of them, normalize. */
export function forward(control: usize, size: usize, x: usize, y: usize, residual: usize, w: usize): void {
  open(control, size);
  setForward(x, y, residual, w);
  run(Sums.moments, Output.y);
}

/** gradSums, the coefficients made of them, gradInput. */
export function backward(
  control: usize, size: usize, x: usize, dy: usize, dx: usize, residualOrY: usize, dresidual: usize, w: usize,
): void {
  open(control, size);
  setBackward(x, dy, dx, residualOrY, dresidual, w);
  run(Sums.gradients, Output.dx);
}

export function zeroMasked(control: usize, size: usize, x: usize, y: usize, w: usize): void {
  open(control, size);
  setForward(x, y, 0, w);
  runZeroMasked();
}

/** What `backward` has between its two steps, for the self-check. */
export function gradients(control: usize, size: usize): void {
  open(control, size);
  gradCoefficients(0, header.channels);
}

function setForward(x: usize, y: usize, residual: usize, w: usize): void {
  header.x = x;
  header.y = y;
  header.residual = residual;
  header.w = w;
}

function setBackward(x: usize, dy: usize, dx: usize, residualOrY: usize, dresidual: usize, w: usize): void {
  header.x = x;
  header.dy = dy;
  header.dx = dx;
  header.residualOrY = residualOrY;
  header.dresidual = dresidual;
  header.w = w;
}
