// y = x, and +0 where w = 0 (contract, clause 6).
import { header } from "../common/control";
import { Traversal } from "../common/layout";
import { lastOf, storeLast, whereWeighted } from "../common/vec";
import { layPiece } from "../common/weights";
import { PIECE } from "./spans";

@inline
function keptAt(x: usize, w: usize): v128 {
  const value = v128.load(x), weight = v128.load(w);
  return header.size == 4 ? whereWeighted<f32>(value, weight) : whereWeighted<f64>(value, weight);
}

function keepRun(x: usize, y: usize, w: usize, bytes: usize): void {
  const last = lastOf(bytes), end = keptAt(x + last, w + last);
  for (let at: usize = 0; at < last; at += 16) v128.store(y + at, keptAt(x + at, w + at));
  if (header.size == 4) storeLast<f32>(y, end, bytes);
  else storeLast<f64>(y, end, bytes);
}

/** Run by run in the planes traversal, otherwise the whole tensor in pieces. */
export function zeroMasked(): void {
  const all = header.outer * header.channels * header.inner * header.size, w = header.w;
  const planes = header.traversal == Traversal.planes, run = header.inner * header.size;
  for (let from: usize = 0, length: usize = 0; from < all; from += length) {
    length = planes ? run : min(PIECE, all - from);
    const weights = planes ? w + from / (run * header.channels) * run : layPiece(w, from, length);
    keepRun(header.x + from, header.y + from, weights, length);
  }
}
