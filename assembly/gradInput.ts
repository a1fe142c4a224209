// dx = ((g − s) − (x − center)·t)·a; frozen: dx = g·a. dresidual = g where asked.
import { Flag, Slot, Walk, hasFlag, sizeOf } from "./control";
import { Coefficient, Mask, maskOf, maskedGrad } from "./affine";
import { Span, firstSpan, nextSpan } from "./spans";
import { storePartial } from "./vec";

/** ((g − s) − (x − center)·t)·a, of x at the pointer. */
@inline
function gradient<T>(g: v128, x: usize, center: v128, shift: v128, slope: v128, scale: v128): v128 {
  const d = v128.mul<T>(v128.sub<T>(v128.load(x), center), slope);
  return v128.mul<T>(v128.sub<T>(v128.sub<T>(g, shift), d), scale);
}

/** Coefficient array `which` at the span's position c. */
@inline
function coefficient(c: usize, which: Coefficient, stride: usize): v128 {
  return v128.load(c + <usize>which * stride);
}

/** Of each vector all is read before anything is written: dx and dresidual may be inputs. */
function gradInputQuads<T>(
  s: Span, mask: Mask, frozen: bool, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const apart = s.apart, step = s.step, stride = s.stride, coefficientStep = s.coefficientStep;
  const toX = x - dy, toDx = dx - dy, toAux = aux - dy, toDresidual = dresidual - dy;
  for (let run = s.runs; run; run--, dy += s.runStride) {
    let c = s.coefficients;
    for (let p0 = dy, end = dy + s.bytes; p0 < end; p0 += step, c += coefficientStep) {
      const p1 = p0 + apart, p2 = p1 + apart, p3 = p2 + apart;
      const g0 = maskedGrad<T, T>(mask, p0 + toX, p0, p0 + toAux, 0, c, stride);
      const g1 = maskedGrad<T, T>(mask, p1 + toX, p1, p1 + toAux, 0, c, stride);
      const g2 = maskedGrad<T, T>(mask, p2 + toX, p2, p2 + toAux, 0, c, stride);
      const g3 = maskedGrad<T, T>(mask, p3 + toX, p3, p3 + toAux, 0, c, stride);
      const scale = coefficient(c, Coefficient.gradScale, stride);
      let z0: v128, z1: v128, z2: v128, z3: v128;
      if (frozen) {
        z0 = v128.mul<T>(g0, scale); z1 = v128.mul<T>(g1, scale);
        z2 = v128.mul<T>(g2, scale); z3 = v128.mul<T>(g3, scale);
      } else {
        const center = v128.load(c), shift = coefficient(c, Coefficient.gradShift, stride);
        const slope = coefficient(c, Coefficient.gradSlope, stride);
        z0 = gradient<T>(g0, p0 + toX, center, shift, slope, scale);
        z1 = gradient<T>(g1, p1 + toX, center, shift, slope, scale);
        z2 = gradient<T>(g2, p2 + toX, center, shift, slope, scale);
        z3 = gradient<T>(g3, p3 + toX, center, shift, slope, scale);
      }
      if (dresidual) {
        v128.store(p0 + toDresidual, g0); v128.store(p1 + toDresidual, g1);
        v128.store(p2 + toDresidual, g2); v128.store(p3 + toDresidual, g3);
      }
      v128.store(p0 + toDx, z0); v128.store(p1 + toDx, z1);
      v128.store(p2 + toDx, z2); v128.store(p3 + toDx, z3);
    }
  }
}

function gradInputRest<T>(
  s: Span, mask: Mask, frozen: bool, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const stride = s.stride;
  const toX = x - dy, toDx = dx - dy, toAux = aux - dy, toDresidual = dresidual - dy;
  for (let run = s.runs; run; run--, dy += s.runStride) {
    let c = s.coefficients;
    for (let p = dy, end = dy + s.bytes; p < end; p += 16, c += s.coefficientStep) {
      const g = maskedGrad<T, T>(mask, p + toX, p, p + toAux, 0, c, stride);
      const scale = coefficient(c, Coefficient.gradScale, stride);
      const shift = coefficient(c, Coefficient.gradShift, stride), slope = coefficient(c, Coefficient.gradSlope, stride);
      const z = frozen ? v128.mul<T>(g, scale) : gradient<T>(g, p + toX, v128.load(c), shift, slope, scale);
      if (p + 16 <= end) {
        if (dresidual) v128.store(p + toDresidual, g);
        v128.store(p + toDx, z);
      } else {
        if (dresidual) storePartial<T>(p + toDresidual, g, (end - p) / sizeof<T>());
        storePartial<T>(p + toDx, z, (end - p) / sizeof<T>());
      }
    }
  }
}

/** One channel of the planes walk, or all columns of a rows walk. */
export function columnGradInput<T>(
  control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, channel: usize,
): void {
  const mask = maskOf(control, aux), frozen = hasFlag(control, Flag.frozen);
  for (let s = firstSpan<T>(control, channel, true); s.runs; nextSpan<T>(s)) {
    const at = s.at, dr = dresidual ? dresidual + at : 0;
    if (s.apart) gradInputQuads<T>(s, mask, frozen, x + at, dy + at, dx + at, aux + at, dr);
    else gradInputRest<T>(s, mask, frozen, x + at, dy + at, dx + at, aux + at, dr);
  }
}

export function gradInput<T>(
  control: usize, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  const channels = sizeOf(control, Slot.walk) == Walk.planes ? sizeOf(control, Slot.channels) : 1;
  for (let c: usize = 0; c < channels; c++) columnGradInput<T>(control, x, dy, dx, aux, dresidual, c);
}
