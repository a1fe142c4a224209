// The module's exports: the six kernels for both element types, and where free memory begins.
// Pointers are byte addresses in the module's memory; 0 stands for an absent operand. Kernels may
// read, never write, up to 128 bytes past an operand's end.
import { backward } from "./backward";
import { forward } from "./forward";
import { gradInput } from "./gradInput";
import { gradSums } from "./gradSums";
import { moments } from "./moments";
import { normalize } from "./normalize";

export const heapBase: usize = __heap_base;

export function momentsF32(control: usize, x: usize): void { moments<f32>(control, x); }
export function momentsF64(control: usize, x: usize): void { moments<f64>(control, x); }

export function normalizeF32(control: usize, x: usize, y: usize, residual: usize): void {
  normalize<f32>(control, x, y, residual);
}
export function normalizeF64(control: usize, x: usize, y: usize, residual: usize): void {
  normalize<f64>(control, x, y, residual);
}

export function gradSumsF32(control: usize, x: usize, dy: usize, aux: usize): void {
  gradSums<f32>(control, x, dy, aux);
}
export function gradSumsF64(control: usize, x: usize, dy: usize, aux: usize): void {
  gradSums<f64>(control, x, dy, aux);
}

export function gradInputF32(control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  gradInput<f32>(control, x, dy, dx, aux, dresidual);
}
export function gradInputF64(control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  gradInput<f64>(control, x, dy, dx, aux, dresidual);
}

export function forwardF32(control: usize, x: usize, y: usize, residual: usize): void {
  forward<f32>(control, x, y, residual);
}
export function forwardF64(control: usize, x: usize, y: usize, residual: usize): void {
  forward<f64>(control, x, y, residual);
}

export function backwardF32(control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  backward<f32>(control, x, dy, dx, aux, dresidual);
}
export function backwardF64(control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  backward<f64>(control, x, dy, dx, aux, dresidual);
}
