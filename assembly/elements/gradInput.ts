// dx = (g − w·(s + (x − center)·t))·a; without weights (g − (s + (x − center)·t))·a; with fixed statistics g·a.
// dresidual = g where asked.
import { masked } from "../common/buffers";
import { Own, hasFlag, header, own } from "../common/control";
import { Flag, Traversal } from "../common/layout";
import { layPiece, rowWeights } from "../common/weights";
import { Coefficient, expandCoefficients } from "./expand";
import { planeGradient, rowGradient, scaleGrads, weightedGradient } from "./gradients";
import { Mask, inputOf, maskGrads, maskOf } from "./mask";
import { PIECE, Span, planesSpan, rowSpan, rowsAtOnce } from "./spans";

/**
 * What all runs of a call go through. `keeps`: gradients are copied, because they are masked or wanted as dresidual.
 */
@unmanaged
class Work {
  mask: Mask;
  keeps: bool;
  fixed: bool;
  weighted: bool;
}

@inline
function ownWork(): Work {
  return changetype<Work>(own(Own.work));
}

/** The gradients `g` of a piece, whose first center stands at c. */
function pieceGradInput<T>(s: Span, x: usize, g: usize, dx: usize, w: usize, bytes: usize, c: usize): void {
  const stride = s.stride, advance = s.advance, work = ownWork();
  if (work.fixed) scaleGrads<T>(g, dx, bytes, c + <usize>Coefficient.gradScale * stride, advance);
  else if (work.weighted) weightedGradient<T>(x, g, dx, w, bytes, c, stride, advance);
  else if (advance) rowGradient<T>(x, g, dx, bytes, c, stride);
  else planeGradient<T>(x, g, dx, bytes, 1, 1, 0, c, stride, 0);
}

/**
 * A run of a span, which begins at the byte `at`, piece by piece. All of a piece is read before dresidual is written,
 * and all of a vector before dx is, because both may be inputs. `w` has the weights of the run's first row.
 */
function runGradInput(s: Span, at: usize, w: usize, first: usize): void {
  const work = ownWork(), isWhole = !work.keeps && !work.weighted, end = at + s.bytes;
  for (let from = at, length: usize = 0; from < end; from += length) {
    const done = from - at, c = first + done * s.advance;
    length = !isWhole && end - from >= 2 * PIECE ? PIECE : end - from;
    let g = header.dy + from, x = header.x + from;
    const weights = work.weighted ? layPiece(w, done, length) : 0;
    if (work.keeps) {
      maskGrads(work.mask, x, g, header.residualOrY + from, masked(), length, c, s.stride, s.advance);
      g = masked();
      x = inputOf(x, masked());
    }
    if (header.size == 4) pieceGradInput<f32>(s, x, g, header.dx + from, weights, length, c);
    else pieceGradInput<f64>(s, x, g, header.dx + from, weights, length, c);
    if (header.dresidual) memory.copy(header.dresidual + from, masked(), length);
  }
}

/** A tile whose gradients need no copy. */
function tileGradInput<T>(s: Span): void {
  const at = s.at, skip = s.rowStride - s.channels * s.bytes;
  const x = header.x + at, dy = header.dy + at, dx = header.dx + at;
  planeGradient<T>(x, dy, dx, s.bytes, s.rows, s.channels, skip, s.coefficients, s.stride, s.step);
}

function spanGradInput(s: Span): void {
  const work = ownWork();
  if (!work.keeps && !work.fixed && !work.weighted && !s.advance) {
    if (header.size == 4) tileGradInput<f32>(s);
    else tileGradInput<f64>(s);
    return;
  }
  const nextWeights = rowWeights(s.rowStride);
  let run = s.at, w = header.w + rowWeights(run);
  for (let row = s.rows; row; row--, run += s.rowStride, w += nextWeights) {
    for (let j: usize = 0, at = run, c = s.coefficients; j < s.channels; j++, at += s.bytes, c += s.step) {
      runGradInput(s, at, w, c);
    }
  }
}

/** A tile of the planes traversal, or all of the rows traversals. */
export function gradInput(channel: usize, channels: usize): void {
  const work = ownWork();
  work.mask = maskOf();
  work.keeps = work.mask != Mask.none || header.dresidual != 0;
  work.fixed = hasFlag(Flag.fixed);
  work.weighted = header.w != 0 && !work.fixed;
  expandCoefficients(channel, channels, rowsAtOnce(), true);
  if (header.traversal == Traversal.planes) return spanGradInput(planesSpan(channel, channels));
  spanGradInput(rowSpan(false));
  spanGradInput(rowSpan(true));
}
