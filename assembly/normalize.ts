// y = act((x − center)·scale + shift [+ residual]).
import { Flag, Slot, Walk, hasFlag, sizeOf } from "./control";
import { affine, relu } from "./affine";
import { Span, firstSpan, nextSpan } from "./spans";
import { storePartial } from "./vec";

function normalizeQuads<T>(s: Span, x: usize, y: usize, residual: usize, activate: bool): void {
  const apart = s.apart, step = s.step, stride = s.stride, coefficientStep = s.coefficientStep;
  const toY = y - x, toResidual = residual - x;
  for (let run = s.runs; run; run--, x += s.runStride) {
    let c = s.coefficients;
    for (let p0 = x, end = x + s.bytes; p0 < end; p0 += step, c += coefficientStep) {
      const center = v128.load(c), scale = v128.load(c + stride), shift = v128.load(c + 2 * stride);
      const p1 = p0 + apart, p2 = p1 + apart, p3 = p2 + apart;
      let z0 = affine<T>(v128.load(p0), center, scale, shift), z1 = affine<T>(v128.load(p1), center, scale, shift);
      let z2 = affine<T>(v128.load(p2), center, scale, shift), z3 = affine<T>(v128.load(p3), center, scale, shift);
      if (residual) {
        z0 = v128.add<T>(z0, v128.load(p0 + toResidual)); z1 = v128.add<T>(z1, v128.load(p1 + toResidual));
        z2 = v128.add<T>(z2, v128.load(p2 + toResidual)); z3 = v128.add<T>(z3, v128.load(p3 + toResidual));
      }
      if (activate) {
        z0 = relu<T>(z0); z1 = relu<T>(z1); z2 = relu<T>(z2); z3 = relu<T>(z3);
      }
      v128.store(p0 + toY, z0); v128.store(p1 + toY, z1); v128.store(p2 + toY, z2); v128.store(p3 + toY, z3);
    }
  }
}

function normalizeRest<T>(s: Span, x: usize, y: usize, residual: usize, activate: bool): void {
  const stride = s.stride, toY = y - x, toResidual = residual - x;
  for (let run = s.runs; run; run--, x += s.runStride) {
    let c = s.coefficients;
    for (let p = x, end = x + s.bytes; p < end; p += 16, c += s.coefficientStep) {
      let z = affine<T>(v128.load(p), v128.load(c), v128.load(c + stride), v128.load(c + 2 * stride));
      if (residual) z = v128.add<T>(z, v128.load(p + toResidual));
      if (activate) z = relu<T>(z);
      if (p + 16 <= end) v128.store(p + toY, z);
      else storePartial<T>(p + toY, z, (end - p) / sizeof<T>());
    }
  }
}

/** One channel of the planes walk, or all columns of a rows walk. */
export function columnNormalize<T>(control: usize, x: usize, y: usize, residual: usize, channel: usize): void {
  const activate = hasFlag(control, Flag.relu);
  for (let s = firstSpan<T>(control, channel, false); s.runs; nextSpan<T>(s)) {
    const r = residual ? residual + s.at : 0;
    if (s.apart) normalizeQuads<T>(s, x + s.at, y + s.at, r, activate);
    else normalizeRest<T>(s, x + s.at, y + s.at, r, activate);
  }
}

export function normalize<T>(control: usize, x: usize, y: usize, residual: usize): void {
  const channels = sizeOf(control, Slot.walk) == Walk.planes ? sizeOf(control, Slot.channels) : 1;
  for (let c: usize = 0; c < channels; c++) columnNormalize<T>(control, x, y, residual, c);
}
