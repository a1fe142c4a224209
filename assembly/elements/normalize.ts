// y = act((x − center)·scale + shift [+ residual]).
import { header } from "../common/control";
import { Traversal } from "../common/layout";
import { lastOf, storeLast } from "../common/vec";
import { Activation, activationOf, affine, leakyRun, relu, slopeOf } from "./affine";
import { curveRun } from "./curve";
import { expandCoefficients } from "./expand";
import { Span, planesSpan, rowSpan, rowsAtOnce } from "./spans";

/** What follows the affine map, but for a leaky ReLU. Nothing is read where residual is 0. */
@inline
function finish<T>(z: v128, residual: usize, at: usize, isRelu: bool): v128 {
  if (residual) z = v128.add<T>(z, v128.load(residual + at));
  return isRelu ? relu<T>(z) : z;
}

function normalizePlanes<T>(s: Span, x: usize, y: usize, residual: usize, rows: usize, isRelu: bool): void {
  const bytes = s.bytes, last = lastOf(bytes), stride = s.stride, skip = s.rowStride - s.channels * bytes;
  for (let row = rows; row; row--, x += skip, y += skip) {
    for (let left = s.channels, c = s.coefficients; left; left--, c += s.step, x += bytes, y += bytes) {
      const center = v128.load(c), scale = v128.load(c + stride), shift = v128.load(c + 2 * stride);
      const end = finish<T>(affine<T>(v128.load(x + last), center, scale, shift), residual, last, isRelu);
      let at: usize = 0;
      for (; at + 64 <= bytes; at += 64) {
        let z0 = affine<T>(v128.load(x + at), center, scale, shift);
        let z1 = affine<T>(v128.load(x + at, 16), center, scale, shift);
        let z2 = affine<T>(v128.load(x + at, 32), center, scale, shift);
        let z3 = affine<T>(v128.load(x + at, 48), center, scale, shift);
        if (residual) {
          const r = residual + at;
          z0 = v128.add<T>(z0, v128.load(r)); z1 = v128.add<T>(z1, v128.load(r, 16));
          z2 = v128.add<T>(z2, v128.load(r, 32)); z3 = v128.add<T>(z3, v128.load(r, 48));
        }
        if (isRelu) {
          z0 = relu<T>(z0); z1 = relu<T>(z1); z2 = relu<T>(z2); z3 = relu<T>(z3);
        }
        v128.store(y + at, z0); v128.store(y + at, z1, 16); v128.store(y + at, z2, 32); v128.store(y + at, z3, 48);
      }
      for (; at < last; at += 16) {
        const z = affine<T>(v128.load(x + at), center, scale, shift);
        v128.store(y + at, finish<T>(z, residual, at, isRelu));
      }
      storeLast<T>(y, end, bytes);
      if (residual) residual += bytes;
    }
    if (residual) residual += skip;
  }
}

/** The vector `at` bytes from each of these. */
@inline
function affineAt<T>(x: usize, center: usize, scale: usize, shift: usize, at: usize): v128 {
  return affine<T>(v128.load(x + at), v128.load(center + at), v128.load(scale + at), v128.load(shift + at));
}

/** A row each. Pointers advance, because an offset that is no constant costs an instruction for every load. */
function normalizeRows<T>(s: Span, x: usize, y: usize, residual: usize, rows: usize, isRelu: bool): void {
  const bytes = s.bytes, skip = s.rowStride, last = lastOf(bytes), stride = s.stride, first = s.coefficients;
  for (let row = rows; row; row--, x += skip, y += skip) {
    let center = first, scale = center + stride, shift = scale + stride;
    const end = finish<T>(affineAt<T>(x, center, scale, shift, last), residual, last, isRelu);
    let p = x, q = y, r = residual;
    for (const stop = x + (bytes & ~63); p < stop; p += 64, q += 64, center += 64, scale += 64, shift += 64) {
      let z0 = affineAt<T>(p, center, scale, shift, 0), z1 = affineAt<T>(p, center, scale, shift, 16);
      let z2 = affineAt<T>(p, center, scale, shift, 32), z3 = affineAt<T>(p, center, scale, shift, 48);
      if (residual) {
        z0 = v128.add<T>(z0, v128.load(r)); z1 = v128.add<T>(z1, v128.load(r, 16));
        z2 = v128.add<T>(z2, v128.load(r, 32)); z3 = v128.add<T>(z3, v128.load(r, 48));
        r += 64;
      }
      if (isRelu) {
        z0 = relu<T>(z0); z1 = relu<T>(z1); z2 = relu<T>(z2); z3 = relu<T>(z3);
      }
      v128.store(q, z0); v128.store(q, z1, 16); v128.store(q, z2, 32); v128.store(q, z3, 48);
    }
    for (const stop = x + last; p < stop; p += 16, q += 16, center += 16, scale += 16, shift += 16) {
      v128.store(q, finish<T>(affineAt<T>(p, center, scale, shift, 0), r, 0, isRelu));
      if (residual) r += 16;
    }
    storeLast<T>(y, end, bytes);
    if (residual) residual += skip;
  }
}

/**
 * The rows of a span. What is no ReLU goes over each of them once more while it is in the cache. As a part of the loops
 * it would make every one of them larger.
 */
function normalizeSpan<T>(s: Span): void {
  const activation = activationOf(), isApart = activation >= Activation.leaky, step: usize = isApart ? 1 : s.rows;
  let x = header.x + s.at, y = header.y + s.at, residual = header.residual ? header.residual + s.at : 0;
  for (let left = s.rows; left; left -= step) {
    if (s.advance) normalizeRows<T>(s, x, y, residual, step, activation == Activation.relu);
    else normalizePlanes<T>(s, x, y, residual, step, activation == Activation.relu);
    if (!isApart) return;
    if (activation == Activation.leaky) leakyRun<T>(y, y, s.channels * s.bytes, slopeOf());
    else curveRow<T>(s, y);
    x += s.rowStride;
    y += s.rowStride;
    if (residual) residual += s.rowStride;
  }
}

/** The activation of a row, run by run. */
function curveRow<T>(s: Span, y: usize): void {
  for (let left = s.channels, c = s.coefficients; left; left--, c += s.step, y += s.bytes) {
    curveRun<T>(y, s.bytes, c, s.advance);
  }
}

function normalizeTyped(s: Span): void {
  if (header.size == 4) normalizeSpan<f32>(s);
  else normalizeSpan<f64>(s);
}

/** A tile of the planes traversal, or all of the rows traversals. */
export function normalize(channel: usize, channels: usize): void {
  expandCoefficients(channel, channels, rowsAtOnce(), false);
  if (header.traversal == Traversal.planes) return normalizeTyped(planesSpan(channel, channels));
  normalizeTyped(rowSpan(false));
  normalizeTyped(rowSpan(true));
}
