// dx = (g − w·(s + (x − center)·t))·a with dresidual = g where asked; and y = x, or +0 where w = 0 (contract, clause 6).
import { Coefficient, Mask, expandColumns, expandTile, inputOf, maskGrads, maskOf, masked } from "./affine";
import { Walk, header } from "../common/control";
import { Span, planesSpan, rowSpan, rowsAtOnce, tileChannels } from "./spans";
import { lastOf, storeLast } from "../common/vec";
import { whereWeighted } from "../common/weightedBlock";
import { layOut } from "../common/weights";

/** What a run is cut into; all that is left below twice that. Masked gradients and weights laid out share one buffer. */
const PIECE: usize = 8192;
const laid: usize = masked + 2 * PIECE + 128;

/** What a piece is made of: pointers to its first values, and to its coefficients, whose arrays are `stride` apart. */
@unmanaged
class Piece {
  x: usize;
  g: usize;
  out: usize;
  w: usize;
  bytes: usize;
  c: usize;
  stride: usize;
  advance: usize;
}

const piece = changetype<Piece>(memory.data(offsetof<Piece>(), 8));

/** The vectors at these; `c`, the first center, and the arrays of the others behind it, `stride` apart. */
@inline
function gradientAt<T>(x: usize, g: usize, weights: usize, c: usize, stride: usize): v128 {
  const shift = c + <usize>Coefficient.gradShift * stride, slope = shift + stride, w = v128.load(weights);
  const d = v128.mul<T>(v128.sub<T>(v128.load(x), v128.load(c)), v128.load(slope));
  const inner = whereWeighted<T>(v128.mul<T>(w, v128.add<T>(v128.load(shift), d)), w);
  return v128.mul<T>(v128.sub<T>(v128.load(g), inner), v128.load(slope + stride));
}

function gradientPiece<T>(): void {
  const stride = piece.stride, step = piece.advance << 4, last = lastOf(piece.bytes), out = piece.out;
  let x = piece.x, g = piece.g, w = piece.w, c = piece.c;
  const end = gradientAt<T>(x + last, g + last, w + last, c + last * piece.advance, stride);
  for (let p = out, stop = out + last; p < stop; p += 16, x += 16, g += 16, w += 16, c += step) {
    v128.store(p, gradientAt<T>(x, g, w, c, stride));
  }
  storeLast<T>(out, end, piece.bytes);
}

function keptAt(at: usize): v128 {
  const x = v128.load(piece.x + at), w = v128.load(piece.w + at);
  return header.size == 4 ? whereWeighted<f32>(x, w) : whereWeighted<f64>(x, w);
}

function keepPiece(): void {
  const last = lastOf(piece.bytes), end = keptAt(last), out = piece.out;
  for (let at: usize = 0; at < last; at += 16) v128.store(out + at, keptAt(at));
  if (header.size == 4) storeLast<f32>(out, end, piece.bytes);
  else storeLast<f64>(out, end, piece.bytes);
}

/** A run of a span, piece by piece; without dy, zeroMasked. Of each piece all is read before dresidual is written. */
function weightedRun(
  s: Span, mask: Mask, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize, first: usize,
): void {
  const size = header.size, planes = header.walk == Walk.planes;
  const keeps = dy != 0 && (mask != Mask.none || dresidual != 0);
  for (let from: usize = 0, length = s.bytes; from < s.bytes; from += length) {
    const c = first + from * s.advance;
    length = s.bytes - from >= 2 * PIECE ? PIECE : s.bytes - from;
    piece.x = x + from;
    piece.g = dy + from;
    piece.out = dx + from;
    piece.w = w + from;
    piece.bytes = length;
    piece.c = c;
    if (!planes) {
      const value = from / size, row = value / header.columns;
      layOut(w + row * header.inner * size, value - row * header.columns, length / size, laid);
      piece.w = laid;
    }
    if (keeps) {
      if (size == 4) maskGrads<f32>(mask, piece.x, piece.g, aux + from, masked, length, c, s.stride, s.advance);
      else maskGrads<f64>(mask, piece.x, piece.g, aux + from, masked, length, c, s.stride, s.advance);
      piece.g = masked;
      piece.x = inputOf(piece.x, masked);
    }
    if (!dy) keepPiece();
    else if (size == 4) gradientPiece<f32>();
    else gradientPiece<f64>();
    if (dresidual) memory.copy(dresidual + from, masked, length);
  }
}

function weightedSpan(s: Span, x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize): void {
  const planes = header.walk == Walk.planes, rowBytes = header.inner * header.size, mask = maskOf(aux);
  piece.stride = s.stride;
  piece.advance = s.advance;
  let run = s.at;
  if (!planes) w += s.at / (header.columns * header.size) * rowBytes;
  const next = planes ? rowBytes : s.bytes / max<usize>(1, header.columns) * header.inner;
  for (let row = s.rows; row; row--, run += s.rowStride, w += next) {
    for (let j: usize = 0, at = run, c = s.coefficients; j < s.channels; j++, at += s.bytes, c += s.step) {
      weightedRun(s, mask, x + at, dy ? dy + at : 0, dx + at, aux + at, dresidual ? dresidual + at : 0, w, c);
    }
  }
}

/** A tile of the planes walk. */
export function planesWeightedElements(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize, channel: usize, channels: usize,
): void {
  expandTile(channel, channels, true);
  weightedSpan(planesSpan(channel, channels), x, dy, dx, aux, dresidual, w);
}

/** Without dy, x is copied, with zeros. */
export function weightedElements(
  x: usize, dy: usize, dx: usize, aux: usize, dresidual: usize, w: usize,
): void {
  if (header.walk == Walk.planes) {
    const channels = header.channels;
    for (let c: usize = 0, tile: usize = 0; c < channels; c += tile) {
      tile = tileChannels(c);
      planesWeightedElements(x, dy, dx, aux, dresidual, w, c, tile);
    }
    return;
  }
  expandColumns(rowsAtOnce(), true);
  weightedSpan(rowSpan(false), x, dy, dx, aux, dresidual, w);
  weightedSpan(rowSpan(true), x, dy, dx, aux, dresidual, w);
}
