// dx = ((g − s) − (x − center)·t)·a; frozen: dx = g·a. dresidual = g where asked.
import { Flag, Slot, Walk, columnsOf, hasFlag, scratchOf, scratchStride, sizeOf } from "./control";
import { Coefficient, Mask, expandChannel, expandColumns, maskOf, maskedGrad, rowsAtOnce } from "./elements";
import { storePartial } from "./vec";

/**
 * `count` values. Vector by vector the coefficients advance by `step` bytes, 0 in the planes walk.
 * All a vector needs is read before anything of it is written: dx and dresidual may be inputs.
 */
function spanGradInput<T>(
  mask: Mask, frozen: bool, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
  count: usize, coefficients: usize, stride: usize, step: usize,
): void {
  const end = dy + (count * sizeof<T>() & ~15);
  const left = count % (16 / sizeof<T>());
  let center = v128.load(coefficients);
  let gradShift = v128.load(coefficients + <usize>Coefficient.gradShift * stride);
  let gradSlope = v128.load(coefficients + <usize>Coefficient.gradSlope * stride);
  let gradScale = v128.load(coefficients + <usize>Coefficient.gradScale * stride);
  for (; dy < end || left; x += 16, dy += 16, dx += 16, aux += 16) {
    const g = maskedGrad<T, T>(mask, x, dy, aux, 0, coefficients, stride);
    if (step) {
      center = v128.load(coefficients);
      gradShift = v128.load(coefficients + <usize>Coefficient.gradShift * stride);
      gradSlope = v128.load(coefficients + <usize>Coefficient.gradSlope * stride);
      gradScale = v128.load(coefficients + <usize>Coefficient.gradScale * stride);
      coefficients += step;
    }
    let z = g;
    if (!frozen) {
      const d = v128.mul<T>(v128.sub<T>(v128.load(x), center), gradSlope);
      z = v128.sub<T>(v128.sub<T>(g, gradShift), d);
    }
    z = v128.mul<T>(z, gradScale);
    if (dy == end) {
      if (dresidual) storePartial<T>(dresidual, g, left);
      return storePartial<T>(dx, z, left);
    }
    if (dresidual) {
      v128.store(dresidual, g);
      dresidual += 16;
    }
    v128.store(dx, z);
  }
}

/** One channel of the planes walk: `outer` runs of `inner` values. */
export function planeGradInput<T>(
  control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, channel: usize,
): void {
  const inner = sizeOf(control, Slot.inner), outer = sizeOf(control, Slot.outer);
  const run = inner * sizeof<T>(), runStride = run * sizeOf(control, Slot.channels);
  const coefficients = scratchOf(control), stride = scratchStride(control);
  const mask = maskOf(control, aux), frozen = hasFlag(control, Flag.frozen);
  expandChannel<T>(control, channel, true);
  for (let o: usize = 0, at = channel * run; o < outer; o++, at += runStride) {
    spanGradInput<T>(mask, frozen, x + at, dy + at, dx + at, aux + at, dresidual ? dresidual + at : 0,
      inner, coefficients, stride, 0);
  }
}

/** The rows walks: rows, several at once where they are short. */
function rowsGradInput<T>(control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  const rows = rowsAtOnce<T>(control), columns = columnsOf(control);
  const count = rows * columns, all = sizeOf(control, Slot.outer) * columns;
  const coefficients = scratchOf(control), stride = scratchStride(control);
  const mask = maskOf(control, aux), frozen = hasFlag(control, Flag.frozen);
  expandColumns<T>(control, rows, true);
  for (let done: usize = 0; done < all; done += count) {
    const at = done * sizeof<T>();
    spanGradInput<T>(mask, frozen, x + at, dy + at, dx + at, aux + at, dresidual ? dresidual + at : 0,
      min(count, all - done), coefficients, stride, 16);
  }
}

export function gradInput<T>(
  control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  if (sizeOf(control, Slot.walk) == Walk.planes) {
    for (let c: usize = 0, channels = sizeOf(control, Slot.channels); c < channels; c++) {
      planeGradInput<T>(control, x, dy, dx, aux, dresidual, c);
    }
  } else {
    rowsGradInput<T>(control, x, dy, dx, aux, dresidual);
  }
}
