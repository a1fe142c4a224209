// Memory of an instance that kernels copy pieces of operands to. Free memory begins behind it.
import { Own, own } from "./control";
import { LANES } from "./layout";

/** Rows of slots that are copied together. With the last of them may come a part of one more. */
export const ROWS: usize = 8;
const MOST_SLOTS: usize = LANES * 15;

/**
 * Holds float64 of all rows of slots that are copied together with few columns, and what vectors reach past them. A
 * block of one channel has fewer values.
 */
export const BUFFER_BYTES: usize = (((ROWS + 1) * MOST_SLOTS) << 3) + 128;

/** Behind masked gradients stand the values of x that they belong to, where x has to be made of the output. */
export const TO_INPUT: usize = 2 * BUFFER_BYTES;

/** The sums of the weights of so many blocks of the first tile are kept: they are those of the other tiles too. */
export const CACHED: usize = 1024;

const CENTER: usize = 4 * BUFFER_BYTES;
const SUMS: usize = CENTER + ((MOST_SLOTS + LANES) << 3);
const CACHE: usize = SUMS + (LANES << 3);

/** The bytes of all that an instance has to itself. */
export const OWN_BYTES: usize = <usize>Own.buffers + CACHE + (CACHED << 3);

@inline
function buffer(bytes: usize): usize {
  return own(Own.buffers) + bytes;
}

/** Masked gradients: of four rows of a panel of float64 at most, which fill two buffers. */
@inline
export function masked(): usize {
  return buffer(0);
}

/** Weights laid out as the values of a piece are. Masked gradients of a piece leave this buffer free. */
@inline
export function laidOut(): usize {
  return buffer(BUFFER_BYTES);
}

/** Weights of four rows of a panel, BUFFER_BYTES apart. Moments mask no gradients meanwhile. */
@inline
export function laidRows(): usize {
  return buffer(0);
}

/**
 * Values widened to float64: with the moments, those of x and of the weights; with the sums of gradients, of x and g.
 */
@inline
export function wideX(): usize {
  return buffer(3 * BUFFER_BYTES);
}

@inline
export function wideW(): usize {
  return buffer(0);
}

@inline
export function wideG(): usize {
  return buffer(BUFFER_BYTES);
}

/** Centers widened to float64, one for each slot with few columns. */
@inline
export function wideCenter(): usize {
  return buffer(CENTER);
}

/** The sums of a block's weights: one for each inner index, in the planes traversal one. */
@inline
export function weightSums(): usize {
  return buffer(SUMS);
}

/** The sums of the weights of blocks of the first tile. */
@inline
export function weightCache(): usize {
  return buffer(CACHE);
}
