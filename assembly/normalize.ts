// y = act((x − center)·scale + shift [+ residual]).
import { Activation, activationOf, affine, expandColumns, leaky, relu, slopeOf, splat } from "./affine";
import { Field, Walk, header } from "./control";
import { Span, planeSpan, rowSpan, rowsAtOnce } from "./spans";
import { lastOf, storeLast } from "./vec";
import { warm } from "./warm";

/** What follows the affine map; nothing is read where residual is 0. */
@inline
function finish<T>(z: v128, residual: usize, at: usize, activation: Activation, slope: v128): v128 {
  if (residual) z = v128.add<T>(z, v128.load(residual + at));
  if (activation == Activation.leaky) return leaky<T>(z, z, slope, i64x2.splat(0));
  return activation ? relu<T>(z) : z;
}

/** How much of a run is done four vectors at a time: under a leaky ReLU nothing, because its code is seldom run. */
@inline
function unrolledOf(bytes: usize, activation: Activation): usize {
  return activation == Activation.leaky ? 0 : bytes;
}

function normalizePlane<T>(
  s: Span, x: usize, y: usize, residual: usize, center: v128, scale: v128, shift: v128, activation: Activation,
): void {
  const bytes = s.bytes, stride = s.runStride, last = lastOf(bytes), slope = slopeOf<T>(false);
  const unrolled = unrolledOf(bytes, activation);
  x += s.at;
  y += s.at;
  if (residual) residual += s.at;
  for (let run = s.runs; run; run--, x += stride, y += stride) {
    const end = finish<T>(affine<T>(v128.load(x + last), center, scale, shift), residual, last, activation, slope);
    let at: usize = 0;
    for (; at + 64 <= unrolled; at += 64) {
      let z0 = affine<T>(v128.load(x + at), center, scale, shift);
      let z1 = affine<T>(v128.load(x + at, 16), center, scale, shift);
      let z2 = affine<T>(v128.load(x + at, 32), center, scale, shift);
      let z3 = affine<T>(v128.load(x + at, 48), center, scale, shift);
      if (residual) {
        const r = residual + at;
        z0 = v128.add<T>(z0, v128.load(r)); z1 = v128.add<T>(z1, v128.load(r, 16));
        z2 = v128.add<T>(z2, v128.load(r, 32)); z3 = v128.add<T>(z3, v128.load(r, 48));
      }
      if (activation) {
        z0 = relu<T>(z0); z1 = relu<T>(z1); z2 = relu<T>(z2); z3 = relu<T>(z3);
      }
      v128.store(y + at, z0); v128.store(y + at, z1, 16); v128.store(y + at, z2, 32); v128.store(y + at, z3, 48);
    }
    for (; at < last; at += 16) {
      v128.store(y + at, finish<T>(affine<T>(v128.load(x + at), center, scale, shift), residual, at, activation, slope));
    }
    storeLast<T>(y, end, bytes);
    if (residual) residual += stride;
  }
}

/** The vector `at` bytes from each of these. */
@inline
function affineAt<T>(x: usize, center: usize, scale: usize, shift: usize, at: usize): v128 {
  return affine<T>(v128.load(x + at), v128.load(center + at), v128.load(scale + at), v128.load(shift + at));
}

/** A row each. Pointers advance, because an offset that is no constant costs an instruction for every load. */
function normalizeRows<T>(s: Span, x: usize, y: usize, residual: usize, activation: Activation): void {
  const bytes = s.bytes, skip = s.runStride, last = lastOf(bytes), stride = s.stride, first = s.coefficients;
  const slope = slopeOf<T>(false), unrolled = unrolledOf(bytes, activation) & ~63;
  x += s.at;
  y += s.at;
  if (residual) residual += s.at;
  for (let run = s.runs; run; run--, x += skip, y += skip) {
    let center = first, scale = center + stride, shift = scale + stride;
    const end = finish<T>(affineAt<T>(x, center, scale, shift, last), residual, last, activation, slope);
    let p = x, q = y, r = residual;
    for (const stop = x + unrolled; p < stop; p += 64, q += 64, center += 64, scale += 64, shift += 64) {
      let z0 = affineAt<T>(p, center, scale, shift, 0), z1 = affineAt<T>(p, center, scale, shift, 16);
      let z2 = affineAt<T>(p, center, scale, shift, 32), z3 = affineAt<T>(p, center, scale, shift, 48);
      if (residual) {
        z0 = v128.add<T>(z0, v128.load(r)); z1 = v128.add<T>(z1, v128.load(r, 16));
        z2 = v128.add<T>(z2, v128.load(r, 32)); z3 = v128.add<T>(z3, v128.load(r, 48));
        r += 64;
      }
      if (activation) {
        z0 = relu<T>(z0); z1 = relu<T>(z1); z2 = relu<T>(z2); z3 = relu<T>(z3);
      }
      v128.store(q, z0); v128.store(q, z1, 16); v128.store(q, z2, 32); v128.store(q, z3, 48);
    }
    for (const stop = x + last; p < stop; p += 16, q += 16, center += 16, scale += 16, shift += 16) {
      v128.store(q, finish<T>(affineAt<T>(p, center, scale, shift, 0), r, 0, activation, slope));
      if (residual) r += 16;
    }
    storeLast<T>(y, end, bytes);
    if (residual) residual += skip;
  }
}

function normalizeChannel<T>(x: usize, y: usize, residual: usize, channel: usize): void {
  normalizePlane<T>(
    planeSpan(channel), x, y, residual, splat<T>(Field.center, channel),
    splat<T>(Field.scale, channel), splat<T>(Field.shift, channel), activationOf(),
  );
}

/** One channel of the planes walk. */
export function planeNormalize(
  x: usize, y: usize, residual: usize, channel: usize,
): void {
  if (header.size == 4) normalizeChannel<f32>(x, y, residual, channel);
  else normalizeChannel<f64>(x, y, residual, channel);
}

export function normalize(x: usize, y: usize, residual: usize): void {
  const channels = header.channels, activation = activationOf();
  if (header.walk == Walk.planes) {
    for (let c: usize = 0; c < channels; c++) {
      warm(c, x, y, residual);
      planeNormalize(x, y, residual, c);
    }
    return;
  }
  expandColumns(rowsAtOnce(), false);
  for (let rest = 0; rest < 2; rest++) {
    const s = rowSpan(rest != 0);
    if (header.size == 4) normalizeRows<f32>(s, x, y, residual, activation);
    else normalizeRows<f64>(s, x, y, residual, activation);
  }
}
