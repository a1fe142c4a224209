// y = act((x − center)·scale + shift [+ residual]).
import { Flag, Slot, Walk, columnsOf, hasFlag, scratchOf, scratchStride, sizeOf } from "./control";
import { affine, expandChannel, expandColumns, relu, rowsAtOnce } from "./elements";
import { storePartial } from "./vec";

/** `count` values. Vector by vector the coefficients advance by `step` bytes, 0 in the planes walk. */
function spanNormalize<T>(
  x: usize, y: usize, residual: usize, count: usize, coefficients: usize, stride: usize, step: usize, activate: bool,
): void {
  const end = x + (count * sizeof<T>() & ~15);
  const left = count % (16 / sizeof<T>());
  let center = v128.load(coefficients);
  let scale = v128.load(coefficients + stride);
  let shift = v128.load(coefficients + 2 * stride);
  for (; x < end || left; x += 16, y += 16) {
    if (step) {
      center = v128.load(coefficients);
      scale = v128.load(coefficients + stride);
      shift = v128.load(coefficients + 2 * stride);
      coefficients += step;
    }
    let z = affine<T>(v128.load(x), center, scale, shift);
    if (residual) {
      z = v128.add<T>(z, v128.load(residual));
      residual += 16;
    }
    if (activate) z = relu<T>(z);
    if (x == end) return storePartial<T>(y, z, left);
    v128.store(y, z);
  }
}

/** One channel of the planes walk: `outer` runs of `inner` values. */
export function planeNormalize<T>(control: usize, x: usize, y: usize, residual: usize, channel: usize): void {
  const inner = sizeOf(control, Slot.inner), outer = sizeOf(control, Slot.outer);
  const run = inner * sizeof<T>(), runStride = run * sizeOf(control, Slot.channels);
  const coefficients = scratchOf(control), stride = scratchStride(control);
  const activate = hasFlag(control, Flag.relu);
  expandChannel<T>(control, channel, false);
  for (let o: usize = 0, at = channel * run; o < outer; o++, at += runStride) {
    spanNormalize<T>(x + at, y + at, residual ? residual + at : 0, inner, coefficients, stride, 0, activate);
  }
}

/** The rows walks: rows, several at once where they are short. */
function rowsNormalize<T>(control: usize, x: usize, y: usize, residual: usize): void {
  const rows = rowsAtOnce<T>(control), columns = columnsOf(control);
  const count = rows * columns, all = sizeOf(control, Slot.outer) * columns;
  const coefficients = scratchOf(control), stride = scratchStride(control);
  const activate = hasFlag(control, Flag.relu);
  expandColumns<T>(control, rows, false);
  for (let done: usize = 0; done < all; done += count) {
    const at = done * sizeof<T>();
    const left = min(count, all - done);
    spanNormalize<T>(x + at, y + at, residual ? residual + at : 0, left, coefficients, stride, 16, activate);
  }
}

export function normalize<T>(control: usize, x: usize, y: usize, residual: usize): void {
  if (sizeOf(control, Slot.walk) == Walk.planes) {
    for (let c: usize = 0, channels = sizeOf(control, Slot.channels); c < channels; c++) {
      planeNormalize<T>(control, x, y, residual, c);
    }
  } else {
    rowsNormalize<T>(control, x, y, residual);
  }
}
