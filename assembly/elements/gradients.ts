// The loops of gradInput: over a tile, a piece of a row, a piece with weights, and with fixed statistics.
import { lastOf, storeLast, whereWeighted } from "../common/vec";
import { Coefficient } from "./expand";

/** (g − (s + (x − center)·t))·a. */
@inline
function gradient<T>(g: v128, x: v128, center: v128, shift: v128, slope: v128, scale: v128): v128 {
  const d = v128.mul<T>(v128.sub<T>(x, center), slope);
  return v128.mul<T>(v128.sub<T>(g, v128.add<T>(shift, d)), scale);
}

/** `rows` times `channels` runs side by side, `skip` bytes between rows. Their coefficients are `step` bytes apart. */
export function planeGradient<T>(
  x: usize, g: usize, dx: usize, bytes: usize, rows: usize, channels: usize, skip: usize, first: usize, stride: usize,
  step: usize,
): void {
  const last = lastOf(bytes);
  for (; rows; rows--, x += skip, g += skip, dx += skip) {
    for (let left = channels, c = first; left; left--, c += step, x += bytes, g += bytes, dx += bytes) {
      const center = v128.load(c), shift = v128.load(c + 3 * stride);
      const slope = v128.load(c + 4 * stride), scale = v128.load(c + 5 * stride);
      const end = gradient<T>(v128.load(g + last), v128.load(x + last), center, shift, slope, scale);
      let at: usize = 0;
      for (; at + 64 <= bytes; at += 64) {
        const p = x + at, q = g + at, r = dx + at;
        const z0 = gradient<T>(v128.load(q), v128.load(p), center, shift, slope, scale);
        const z1 = gradient<T>(v128.load(q, 16), v128.load(p, 16), center, shift, slope, scale);
        const z2 = gradient<T>(v128.load(q, 32), v128.load(p, 32), center, shift, slope, scale);
        const z3 = gradient<T>(v128.load(q, 48), v128.load(p, 48), center, shift, slope, scale);
        v128.store(r, z0); v128.store(r, z1, 16); v128.store(r, z2, 32); v128.store(r, z3, 48);
      }
      for (; at < last; at += 16) {
        v128.store(dx + at, gradient<T>(v128.load(g + at), v128.load(x + at), center, shift, slope, scale));
      }
      storeLast<T>(dx, end, bytes);
    }
  }
}

/** The vector `at` bytes from each of these. */
@inline
function gradientAt<T>(x: usize, g: usize, center: usize, shift: usize, slope: usize, scale: usize, at: usize): v128 {
  return gradient<T>(
    v128.load(g + at), v128.load(x + at), v128.load(center + at), v128.load(shift + at), v128.load(slope + at),
    v128.load(scale + at),
  );
}

/** A piece of a row, whose first center stands at c. */
export function rowGradient<T>(x: usize, g: usize, dx: usize, bytes: usize, c: usize, stride: usize): void {
  let shift = c + <usize>Coefficient.gradShift * stride, slope = shift + stride, scale = slope + stride, p = dx;
  const last = lastOf(bytes), end = gradientAt<T>(x, g, c, shift, slope, scale, last);
  for (const stop = dx + (bytes & ~31); p < stop; p += 32) {
    const z0 = gradientAt<T>(x, g, c, shift, slope, scale, 0), z1 = gradientAt<T>(x, g, c, shift, slope, scale, 16);
    v128.store(p, z0); v128.store(p, z1, 16);
    x += 32; g += 32; c += 32; shift += 32; slope += 32; scale += 32;
  }
  if (p < dx + last) v128.store(p, gradientAt<T>(x, g, c, shift, slope, scale, 0));
  storeLast<T>(dx, end, bytes);
}

/** The vector `at` bytes from each of these, of which coefficients advance by 0 or 1 for a byte. */
@inline
function weightedAt<T>(x: usize, g: usize, w: usize, c: usize, stride: usize, at: usize, advance: usize): v128 {
  const center = c + at * advance, shift = center + <usize>Coefficient.gradShift * stride, slope = shift + stride;
  const weight = v128.load(w + at);
  const d = v128.mul<T>(v128.sub<T>(v128.load(x + at), v128.load(center)), v128.load(slope));
  const inner = whereWeighted<T>(v128.mul<T>(weight, v128.add<T>(v128.load(shift), d)), weight);
  return v128.mul<T>(v128.sub<T>(v128.load(g + at), inner), v128.load(slope + stride));
}

/** A piece with weights of its own: (g − w·(s + (x − center)·t))·a. */
export function weightedGradient<T>(
  x: usize, g: usize, dx: usize, w: usize, bytes: usize, c: usize, stride: usize, advance: usize,
): void {
  const last = lastOf(bytes), end = weightedAt<T>(x, g, w, c, stride, last, advance);
  for (let at: usize = 0; at < last; at += 16) {
    v128.store(dx + at, weightedAt<T>(x, g, w, c, stride, at, advance));
  }
  storeLast<T>(dx, end, bytes);
}

/** A piece times a: of fixed statistics. */
export function scaleGrads<T>(g: usize, dx: usize, bytes: usize, a: usize, advance: usize): void {
  const last = lastOf(bytes), end = v128.mul<T>(v128.load(g + last), v128.load(a + last * advance));
  for (let at: usize = 0; at < last; at += 16) {
    v128.store(dx + at, v128.mul<T>(v128.load(g + at), v128.load(a + at * advance)));
  }
  storeLast<T>(dx, end, bytes);
}
