// dx = ((g − s) − (x − center)·t)·a; frozen: dx = g·a. dresidual = g where asked.
import { Coefficient, Mask, expandColumns, expandTile, inputOf, maskGrads, maskOf, masked } from "./affine";
import { Flag, Walk, hasFlag, header } from "../common/control";
import { Span, planesSpan, rowSpan, rowsAtOnce, tileChannels } from "./spans";
import { lastOf, storeLast } from "../common/vec";

/** What a run is cut into where gradients are masked, or kept for dresidual; all that is left below twice that. */
const PIECE: usize = 8192;

/** ((g − s) − (x − center)·t)·a. */
@inline
function gradient<T>(g: v128, x: v128, center: v128, shift: v128, slope: v128, scale: v128): v128 {
  const d = v128.mul<T>(v128.sub<T>(x, center), slope);
  return v128.mul<T>(v128.sub<T>(v128.sub<T>(g, shift), d), scale);
}

/** A tile, or of one of its runs a piece whose first coefficients stand at c. */
function planeGradient<T>(
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
function gradientAt<T>(
  x: usize, g: usize, center: usize, shift: usize, slope: usize, scale: usize, at: usize,
): v128 {
  return gradient<T>(
    v128.load(g + at), v128.load(x + at), v128.load(center + at), v128.load(shift + at), v128.load(slope + at),
    v128.load(scale + at),
  );
}

/** A piece of a row, whose first center stands at c. */
function rowGradient<T>(x: usize, g: usize, dx: usize, bytes: usize, c: usize, stride: usize): void {
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

/** Frozen: a piece of either, times a. */
function scaleGrads<T>(g: usize, dx: usize, bytes: usize, a: usize, advance: usize): void {
  const last = lastOf(bytes), end = v128.mul<T>(v128.load(g + last), v128.load(a + last * advance));
  for (let at: usize = 0; at < last; at += 16) {
    v128.store(dx + at, v128.mul<T>(v128.load(g + at), v128.load(a + at * advance)));
  }
  storeLast<T>(dx, end, bytes);
}

/**
 * A run of a span, piece by piece. Of each all is read before dresidual is written, and of each vector before dx: both may
 * be inputs.
 */
function runGradInput<T>(
  s: Span, mask: Mask, keeps: bool, frozen: bool, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
  first: usize,
): void {
  const bytes = s.bytes, stride = s.stride, advance = s.advance;
  for (let from: usize = 0, length = bytes; from < bytes; from += length) {
    const c = first + from * advance;
    length = keeps && bytes - from >= 2 * PIECE ? PIECE : bytes - from;
    let g = dy + from, input = x + from;
    if (keeps) {
      maskGrads<T>(mask, input, g, aux + from, masked, length, c, stride, advance);
      g = masked;
      input = inputOf(input, masked);
    }
    if (frozen) scaleGrads<T>(g, dx + from, length, c + <usize>Coefficient.gradScale * stride, advance);
    else if (advance) rowGradient<T>(input, g, dx + from, length, c, stride);
    else planeGradient<T>(input, g, dx + from, length, 1, 1, 0, c, stride, 0);
    if (dresidual) memory.copy(dresidual + from, masked, length);
  }
}

function spanGradInput<T>(s: Span, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  const mask = maskOf(aux), frozen = hasFlag(Flag.frozen), keeps = mask != Mask.none || dresidual != 0;
  let run = s.at;
  if (!keeps && !frozen && !s.advance) {
    const skip = s.rowStride - s.channels * s.bytes;
    x += run;
    return planeGradient<T>(
      x, dy + run, dx + run, s.bytes, s.rows, s.channels, skip, s.coefficients, s.stride, s.step,
    );
  }
  for (let row = s.rows; row; row--, run += s.rowStride) {
    for (let j: usize = 0, at = run, c = s.coefficients; j < s.channels; j++, at += s.bytes, c += s.step) {
      runGradInput<T>(s, mask, keeps, frozen, x + at, dy + at, dx + at, aux + at, dresidual ? dresidual + at : 0, c);
    }
  }
}

function spanOf(s: Span, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize): void {
  if (header.size == 4) spanGradInput<f32>(s, x, dy, dx, aux, dresidual);
  else spanGradInput<f64>(s, x, dy, dx, aux, dresidual);
}

/** A tile of the planes walk. */
export function planesGradInput(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, channel: usize, channels: usize,
): void {
  expandTile(channel, channels, true);
  spanOf(planesSpan(channel, channels), x, dy, dx, aux, dresidual);
}

export function gradInput(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize,
): void {
  if (header.walk == Walk.planes) {
    const channels = header.channels;
    for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
      tile = tileChannels(c);
      planesGradInput(x, dy, dx, aux, dresidual, c, tile);
    }
    return;
  }
  expandColumns(rowsAtOnce(), true);
  for (let rest = 0; rest < 2; rest++) {
    spanOf(rowSpan(rest != 0), x, dy, dx, aux, dresidual);
  }
}
