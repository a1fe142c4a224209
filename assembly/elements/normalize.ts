// y = act((x − center)·scale + shift [+ residual]).
import { Activation, activationOf, affine, expandColumns, expandTile, leaky, relu, slopeOf } from "./affine";
import { Walk, header } from "../common/control";
import { Span, planesSpan, rowSpan, rowsAtOnce, tileChannels } from "./spans";
import { lastOf, storeLast } from "../common/vec";

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

function normalizePlanes<T>(s: Span, x: usize, y: usize, residual: usize, activation: Activation): void {
  const bytes = s.bytes, last = lastOf(bytes), slope = slopeOf<T>(false), stride = s.stride;
  const unrolled = unrolledOf(bytes, activation), skip = s.rowStride - s.channels * bytes;
  x += s.at;
  y += s.at;
  if (residual) residual += s.at;
  for (let row = s.rows; row; row--, x += skip, y += skip) {
    for (let left = s.channels, c = s.coefficients; left; left--, c += s.step, x += bytes, y += bytes) {
      const center = v128.load(c), scale = v128.load(c + stride), shift = v128.load(c + 2 * stride);
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
        const z = affine<T>(v128.load(x + at), center, scale, shift);
        v128.store(y + at, finish<T>(z, residual, at, activation, slope));
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
function normalizeRows<T>(s: Span, x: usize, y: usize, residual: usize, activation: Activation): void {
  const bytes = s.bytes, skip = s.rowStride, last = lastOf(bytes), stride = s.stride, first = s.coefficients;
  const slope = slopeOf<T>(false), unrolled = unrolledOf(bytes, activation) & ~63;
  x += s.at;
  y += s.at;
  if (residual) residual += s.at;
  for (let row = s.rows; row; row--, x += skip, y += skip) {
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

/** A tile of the planes walk. */
export function planesNormalize(x: usize, y: usize, residual: usize, channel: usize, channels: usize): void {
  const s = planesSpan(channel, channels), activation = activationOf();
  expandTile(channel, channels, false);
  if (header.size == 4) normalizePlanes<f32>(s, x, y, residual, activation);
  else normalizePlanes<f64>(s, x, y, residual, activation);
}

export function normalize(x: usize, y: usize, residual: usize): void {
  const channels = header.channels, activation = activationOf();
  if (header.walk == Walk.planes) {
    for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
      tile = tileChannels(c);
      planesNormalize(x, y, residual, c, tile);
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
